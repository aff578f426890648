//! Lookups: their requests and results.

use idp_bridge_conformance::{Harness as _, NewUser, UserKind};
use idp_bridge_core::{Customer, CustomerId, ErrorKind, IdentityProvider as _, UserKey};
use proptest::prop_assert;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::bench::{Stage, customer, email, scope};

#[tokio::test]
async fn a_read_costs_one_request() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    let (ada, c1) = (email("ada"), customer("c-1"));
    stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    stage.requests();
    for (key, request) in [
        (UserKey::Id(&id), format!("GET users/{}", id.as_str())),
        (UserKey::Email(&ada), "GET users?email=ada%40acme.example&exact=true&first=0&max=2".into()),
        (UserKey::Customer(&c1), "GET users?q=customer_id%3A%22c-1%22&exact=true&first=0&max=20".into()),
    ] {
        let scope = scope();
        assert_eq!(stage.provider.get(&scope, key).await.unwrap().id, id);
        assert_eq!(stage.requests(), [request]);
        assert_eq!((scope.recorder().requests(), scope.recorder().attempts()), (1, 1));
    }
}

#[test]
fn any_customer_finds_its_own_user() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::new());
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let values = "[a\\\\\": \\t%_é\u{2028}]{1,12}|\\PC{1,64}";
    let finds_itself = |value: String| {
        let Ok(customer) = CustomerId::new(value) else { return Ok(()) };
        let found = runtime.block_on(async {
            let id = stage.create("ada", &[customer.as_str()]).await;
            let found = stage.provider.get(&scope(), UserKey::Customer(&customer)).await;
            stage.provider.delete(&scope(), &id).await.unwrap();
            found.map(|user| user.id == id)
        });
        prop_assert!(matches!(found, Ok(true)), "{:?}", found);
        Ok(())
    };
    TestRunner::new(config).run(&values, finds_itself).unwrap();
}

#[tokio::test]
async fn customers_in_another_case_are_paged_over() {
    let stage = Stage::new().await;
    for number in 0..45 {
        stage.create(&format!("twin{number}"), &["CUST-MIXED"]).await;
    }
    let wanted = customer("cust-mixed");
    let error = stage.provider.get(&scope(), UserKey::Customer(&wanted)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let id = stage.create("wanted", &["cust-mixed"]).await;
    assert_eq!(stage.provider.get(&scope(), UserKey::Customer(&wanted)).await.unwrap().id, id);
    stage.create("second", &["cust-mixed"]).await;
    let error = stage.provider.get(&scope(), UserKey::Customer(&wanted)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
}

#[tokio::test]
async fn service_accounts_do_not_hide_a_person() {
    let stage = Stage::new().await;
    let shared = email("shared");
    for name in ["robot1", "robot2"] {
        stage
            .create_with(name, &["c-robot"], |user| {
                user.kind = UserKind::ServiceAccount;
                user.email = Some(shared.clone());
            })
            .await;
    }
    let error = stage.provider.get(&scope(), UserKey::Email(&shared)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // In the order of names the person comes last, beyond the first page.
    let id = stage.create_with("zoe", &["c-9"], |user| user.email = Some(shared.clone())).await;
    assert_eq!(stage.provider.get(&scope(), UserKey::Email(&shared)).await.unwrap().id, id);
}

#[tokio::test]
async fn person_named_like_service_account_is_found() {
    let stage = Stage::new().await;
    let mut user = NewUser::person(email("ada"));
    user.customers = vec![customer("c-1")];
    let id = stage.harness.create_named("service-account-ada", &user).await.unwrap();
    let (ada, c1) = (email("ada"), customer("c-1"));
    stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    for key in [UserKey::Id(&id), UserKey::Email(&ada), UserKey::Customer(&c1)] {
        stage.requests();
        assert_eq!(stage.provider.get(&scope(), key).await.unwrap().id, id);
        assert_eq!(stage.requests()[1..], ["GET users?search=%22service-account-ada%22&max=100"]);
    }
}

#[tokio::test]
async fn unprovable_person_is_never_absent() {
    let stage = Stage::new().await;
    // Keycloak cannot search for a whole name with a space in it.
    let spaced = stage.harness.create_named("service-account-ada x", &NewUser::person(email("ada"))).await.unwrap();
    // Others with this name fill the page before the user's own name comes.
    let crowded = stage.harness.create_named("service-account-zoe", &NewUser::person(email("zoe"))).await.unwrap();
    for number in 0..100 {
        let id = stage.create(&format!("u{number}"), &[]).await;
        stage.harness.change_user(&id, json!({"firstName": "service-account-zoe"})).await.unwrap();
    }
    for (id, address) in [(spaced, "ada"), (crowded, "zoe")] {
        let address = email(address);
        for key in [UserKey::Id(&id), UserKey::Email(&address)] {
            let error = stage.provider.get(&scope(), key).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
        }
        let error = stage.provider.delete(&scope(), &id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(stage.harness.exists(&id).await.unwrap());
    }
}

#[tokio::test]
async fn hidden_customer_attribute_is_misconfigured() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["c-1"]).await;
    for permissions in [None, Some(json!({"view": ["user"], "edit": []}))] {
        stage.harness.declare_customer(permissions).await.unwrap();
        let error = stage.provider.get(&scope(), UserKey::Customer(&customer("c-1"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.hint().is_some_and(|hint| hint.contains("User profile")), "{error:?}");
        assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().customer, Customer::Absent);
    }
}
