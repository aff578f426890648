//! Reads: ids, users of other identity providers, pages and shared addresses.

use idp_bridge_core::{Customer, Email, ErrorKind, IdentityProvider as _, UserId, UserKey};

use super::{Stage, customer, email, scope};
use crate::fake::Status;

#[tokio::test]
async fn read_by_id_costs_one_request_others_two() {
    let stage = Stage::new().await;
    let id = stage.insert("ada", Status::Confirmed, "true");
    let (ada, of_ada) = (email("ada"), customer("customer-of-ada"));
    for (key, requests) in [
        (UserKey::Id(&id), vec![format!("AdminGetUser {}", id.as_str())]),
        (UserKey::Email(&ada), vec![r#"ListUsers email = "ada@acme.example""#.into(), "AdminGetUser ada".into()]),
        (
            UserKey::Customer(&of_ada),
            vec![r#"ListUsers preferred_username = "customer-of-ada""#.into(), "AdminGetUser ada".into()],
        ),
    ] {
        let scope = scope();
        assert_eq!(stage.provider.get(&scope, key).await.unwrap().id, id);
        assert_eq!(stage.requests(), requests);
        assert_eq!(scope.recorder().attempts() as usize, requests.len());
    }
}

#[tokio::test]
async fn malformed_ids_make_no_request() {
    let stage = Stage::new().await;
    stage.insert("ada", Status::Confirmed, "true");
    for id in ["ada", "ada@acme.example", "google_1", "0", "-", "........-....-....-....-............"] {
        let id = UserId::new(id).unwrap();
        assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap_err().kind(), ErrorKind::NotFound);
        stage.provider.delete(&scope(), &id).await.unwrap();
    }
    assert_eq!(stage.requests(), [""; 0]);
}

#[tokio::test]
async fn federated_user_is_found_by_search() {
    let stage = Stage::new().await;
    let id = stage.insert("google_1", Status::ExternalProvider, "false");
    let user = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!((&user.id, user.email_verified), (&id, Some(false)));
    let by_id = format!("AdminGetUser {}", id.as_str());
    let by_filter = format!("ListUsers sub = \"{}\"", id.as_str());
    assert_eq!(stage.requests(), [by_id, by_filter, "AdminGetUser google_1".into()]);
}

#[tokio::test]
async fn name_equal_to_an_id_is_distinguished() {
    for ids_before_names in [false, true] {
        let stage = Stage::new().await;
        stage.fake().with(|pool| pool.ids_before_names = ids_before_names);
        let victim = stage.insert("ada", Status::Confirmed, "true");
        let thief = stage.insert(victim.as_str(), Status::Confirmed, "false");
        for id in [&victim, &thief] {
            assert_eq!(stage.provider.get(&scope(), UserKey::Id(id)).await.unwrap().id, *id);
        }
    }
}

#[tokio::test]
async fn shared_address_prefers_the_verified_user() {
    let stage = Stage::new().await;
    let shared = email("ada");
    let share = |name: &str, verified: &str| {
        stage.insert_with(name, Status::Confirmed, verified, |user| {
            user.attributes.insert("email".into(), "ada@acme.example".into());
        })
    };
    let kind = async || stage.provider.get(&scope(), UserKey::Email(&shared)).await.map_err(|error| error.kind());
    share("first", "false");
    share("second", "false");
    assert_eq!(kind().await.unwrap_err(), ErrorKind::Ambiguous);
    let verified = share("third", "true");
    assert_eq!(kind().await.unwrap().id, verified);
    share("fourth", "true");
    assert_eq!(kind().await.unwrap_err(), ErrorKind::Ambiguous);
}

#[tokio::test]
async fn search_reads_all_pages() {
    let stage = Stage::new().await;
    stage.fake().with(|pool| pool.begins_with_an_empty_page = true);
    for number in 0..61 {
        stage.insert_with(&format!("user-{number}"), Status::Confirmed, "false", |user| {
            user.attributes.insert("email".into(), "ada@acme.example".into());
        });
    }
    let last = stage.insert_with("last", Status::Confirmed, "true", |user| {
        user.attributes.insert("email".into(), "Ada@acme.example".into());
    });
    let user = stage.provider.get(&scope(), UserKey::Email(&email("ada"))).await.unwrap();
    assert_eq!(user.id, last);
    assert_eq!(stage.requests().iter().filter(|request| request.starts_with("ListUsers")).count(), 3);
}

#[tokio::test]
async fn overlong_values_are_invalid_input() {
    let stage = Stage::new().await;
    let long = Email::new(format!("{}@acme.example", "x".repeat(250))).unwrap();
    let error = stage.provider.get(&scope(), UserKey::Email(&long)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let quoted = customer(&"\"".repeat(130));
    let error = stage.provider.get(&scope(), UserKey::Customer(&quoted)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(stage.requests(), [""; 0]);
}

#[tokio::test]
async fn only_the_text_true_is_verified() {
    let stage = Stage::new().await;
    for (name, verified, expected) in [("ada", "true", true), ("grace", "false", false), ("linus", "True", false)] {
        let id = stage.insert(name, Status::Confirmed, verified);
        let user = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
        assert_eq!(user.email_verified, Some(expected), "{name}");
    }
    let id = stage.insert_with("mallory", Status::Confirmed, "", |user| {
        user.attributes.remove("email_verified");
        user.attributes.remove("preferred_username");
    });
    let user = stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap();
    assert_eq!((user.email_verified, user.customer), (Some(false), Customer::Absent));
}

#[tokio::test]
async fn missing_group_and_missing_pool_differ() {
    let stage = Stage::with(|config| config.customer_lookup = Some(crate::CustomerLookup::Group)).await;
    let kind = async |provider: &idp_bridge_core::Directory<crate::CognitoStore>| {
        provider.get(&scope(), UserKey::Customer(&customer("c-1"))).await.unwrap_err().kind()
    };
    assert_eq!(kind(&stage.provider).await, ErrorKind::NotFound);
    let mut config = stage.harness.config();
    config.user_pool_id = "eu-west-1_NoSuchPool".into();
    let elsewhere = stage.harness.build(config).unwrap();
    assert_eq!(kind(&elsewhere).await, ErrorKind::PermissionDenied, "the policy names another pool");
    stage.fake().with(|pool| pool.principals[0].pools = None);
    assert_eq!(kind(&elsewhere).await, ErrorKind::Misconfigured);
}

#[tokio::test]
async fn group_member_needs_the_customer_attribute() {
    let stage = Stage::with(|config| config.customer_lookup = Some(crate::CustomerLookup::Group)).await;
    let stray = stage.insert_with("mallory", Status::Confirmed, "true", |user| {
        user.groups = ["customer-c-1".to_owned()].into();
    });
    let c1 = customer("c-1");
    let error = stage.provider.get(&scope(), UserKey::Customer(&c1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    stage.fake().change(stray.as_str(), |user| user.set("preferred_username", "c-1"));
    assert_eq!(stage.provider.get(&scope(), UserKey::Customer(&c1)).await.unwrap().id, stray);
}
