//! Lookups: special ids, the case of addresses, several connections, and the search that lags behind.

use idp_bridge_core::{Customer, Email, ErrorKind, IdentityProvider as _, UserId, UserKey};
use serde_json::json;

use super::{DATABASE, Stage, customer, email, scope};

#[tokio::test]
async fn every_id_is_one_path_segment() {
    let stage = Stage::new().await;
    for id in [
        "samlp|acme|ada@acme.example",
        "oauth2|a/b",
        "oauth2|../../tenants/settings",
        "auth0|a%3Ab",
        "waad|a b?c=d#e",
        "custom|..",
        "ad|ÄÖ漢|\\x",
    ] {
        let id = stage.insert(id, "ada@acme.example", json!({}));
        assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().id, id);
        stage.provider.delete(&scope(), &id).await.unwrap();
        let error = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{id:?}");
    }
    let paths: Vec<String> = stage.exchanges().iter().map(|exchange| exchange.request.path().to_owned()).collect();
    assert!(paths.iter().all(|path| path.matches('/').count() == 4), "{paths:?}");
}

#[tokio::test]
async fn malformed_id_makes_no_request() {
    let stage = Stage::new().await;
    let ada = stage.create("ada", &["c-1"]).await;
    for id in ["../tenants/settings", "users", "|", "auth0|", "|x", "auth0"] {
        let id = UserId::new(id).unwrap();
        let scope = scope();
        assert_eq!(stage.provider.get(&scope, UserKey::Id(&id)).await.unwrap_err().kind(), ErrorKind::NotFound);
        stage.provider.delete(&scope, &id).await.unwrap();
        assert_eq!(scope.recorder().requests(), 0, "{id:?}");
    }
    assert!(stage.provider.get(&scope(), UserKey::Id(&ada)).await.is_ok());
}

#[tokio::test]
async fn lower_case_address_needs_one_request() {
    let stage = Stage::new().await;
    let id = stage.create("ada+news", &["c-1"]).await;
    for (text, requests) in [
        ("ada+news@acme.example", &["GET users-by-email?email=ada%2Bnews%40acme.example"][..]),
        (
            "Ada+News@acme.example",
            &[
                "GET users-by-email?email=Ada%2BNews%40acme.example",
                "GET users-by-email?email=ada%2Bnews%40acme.example",
            ],
        ),
    ] {
        let email = Email::new(text).unwrap();
        assert_eq!(stage.provider.get(&scope(), UserKey::Email(&email)).await.unwrap().id, id);
        assert_eq!(stage.requests(), requests);
    }
}

#[tokio::test]
async fn an_address_that_is_kept_with_its_capitals_is_found_by_its_spelling_or_by_the_search() {
    let stage = Stage::new().await;
    let id = stage.insert("google-oauth2|1", "Ada@Acme.example", json!({}));
    for text in ["Ada@Acme.example", "ada@acme.example", "ADA@ACME.EXAMPLE"] {
        let email = Email::new(text).unwrap();
        assert_eq!(stage.provider.get(&scope(), UserKey::Email(&email)).await.unwrap().id, id, "{text}");
    }
}

#[tokio::test]
async fn two_spellings_of_an_address_are_ambiguous() {
    let stage = Stage::new().await;
    let upper = stage.insert("google-oauth2|1", "Ada@acme.example", json!({}));
    let email = Email::new("Ada@acme.example").unwrap();
    assert_eq!(stage.provider.get(&scope(), UserKey::Email(&email)).await.unwrap().id, upper);
    stage.create("ada", &[]).await;
    let error = stage.provider.get(&scope(), UserKey::Email(&email)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
}

#[tokio::test]
async fn preferred_connections_choose_among_several_users() {
    let undecided = Stage::new().await;
    let ada = undecided.create("ada", &[]).await;
    undecided.insert("google-oauth2|1", "ada@acme.example", json!({}));
    let error = undecided.provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);

    let mut config = undecided.harness.config();
    for (connections, chosen) in [
        (&[DATABASE][..], Some(ada.as_str())),
        (&["google-oauth2", DATABASE], Some("google-oauth2|1")),
        (&["samlp", "google-oauth2"], Some("google-oauth2|1")),
        (&["samlp"], None),
    ] {
        config.prefer_connections = connections.iter().map(|name| (*name).to_owned()).collect();
        let provider = undecided.harness.build(config.clone()).unwrap();
        let found = provider.get(&scope(), UserKey::Email(&email("ada"))).await;
        assert_eq!(found.ok().map(|user| user.id.as_str().to_owned()).as_deref(), chosen, "{connections:?}");
    }

    // Two users of the preferred connection are ambiguous, unless the next connection decides.
    undecided.insert("google-oauth2|2", "ada@acme.example", json!({}));
    config.prefer_connections = vec!["google-oauth2".into()];
    let provider = undecided.harness.build(config.clone()).unwrap();
    let error = provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous);
    config.prefer_connections.push(DATABASE.into());
    let provider = undecided.harness.build(config).unwrap();
    assert_eq!(provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap().id, ada);
}

#[tokio::test]
async fn customer_lookup_is_a_search_and_a_read() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &["a b:\"c\""]).await;
    let user = stage.provider.get(&scope(), UserKey::Customer(&customer("a b:\"c\""))).await.unwrap();
    assert_eq!(user.id, id);
    let requests = stage.requests();
    let search = "GET users?q=app_metadata.customer_id%3A%22a+b%3A%5C%22c%5C%22%22&search_engine=v3&page=0&per_page=5";
    assert_eq!(requests, [search, &format!("GET users/{}", id.as_str().replace('|', "%7C"))]);
}

#[tokio::test]
async fn stale_hits_are_read_again() {
    let stage = Stage::new().await;
    let (moved, gone) = (stage.create("moved", &["c-1"]).await, stage.create("gone", &["c-2"]).await);
    stage.fake().with(crate::fake::Tenant::hold_index);
    stage.fake().change(moved.as_str(), |user| user["app_metadata"]["customer_id"] = json!("c-9"));
    stage.provider.delete(&scope(), &gone).await.unwrap();
    let late = stage.create("late", &["c-3"]).await;
    for text in ["c-1", "c-2", "c-3", "c-9"] {
        let error = stage.provider.get(&scope(), UserKey::Customer(&customer(text))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{text}");
    }
    stage.fake().with(crate::fake::Tenant::release_index);
    for (text, id) in [("c-9", moved), ("c-3", late)] {
        assert_eq!(stage.provider.get(&scope(), UserKey::Customer(&customer(text))).await.unwrap().id, id);
    }
}

#[tokio::test]
async fn a_stale_page_hides_no_user() {
    let stage = Stage::new().await;
    for number in 0..7 {
        stage.create(&format!("stale-{number}"), &["c-1"]).await;
    }
    let ada = stage.create("ada", &["c-1"]).await;
    stage.fake().with(|tenant| {
        tenant.hold_index();
        for number in 0..7 {
            let email = format!("stale-{number}@acme.example");
            let id = tenant.id_of(&email).unwrap();
            tenant.change(&id, |user| user["app_metadata"] = json!({}));
        }
    });
    assert_eq!(stage.provider.get(&scope(), UserKey::Customer(&customer("c-1"))).await.unwrap().id, ada);
}

/// Creates users that the search index outdatedly contains with the customer `c-1`.
async fn create_stale(stage: &Stage, count: usize) {
    for number in 0..count {
        let metadata = json!({"app_metadata": {"customer_id": "c-1"}});
        stage.insert(&format!("auth0|stale-{number}"), &format!("stale-{number}@acme.example"), metadata);
    }
    stage.fake().with(|tenant| {
        tenant.hold_index();
        for number in 0..count {
            tenant.change(&format!("auth0|stale-{number}"), |user| user["app_metadata"] = json!({}));
        }
    });
}

#[tokio::test]
async fn a_full_last_page_ends_the_search() {
    let stage = Stage::new().await;
    create_stale(&stage, crate::search::PAGE).await;
    let error = stage.provider.get(&scope(), UserKey::Customer(&customer("c-1"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_number_is_a_customer() {
    let stage = Stage::new().await;
    let id = stage.insert("auth0|1", "ada@acme.example", json!({"app_metadata": {"customer_id": 42}}));
    let user = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(user.customer, Customer::One(customer("42")));
}

#[tokio::test]
async fn address_that_auth0_rejects_is_invalid_input() {
    let stage = Stage::new().await;
    let error = stage.provider.get(&scope(), UserKey::Email(&Email::new("\"a b\"@acme.example").unwrap())).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}
