//! Reads: ids, users of other identity providers, pages and shared addresses.

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_connector_cognito::CustomerLookup;
use idp_bridge_connector_cognito_testing::fake::{Status, User};
use idp_bridge_core::{Customer, Email, ErrorKind, IdentityProvider as _, UserId, UserKey};

use crate::bench::Bench;

/// Sets the address, without a change of its flag.
fn share(user: &mut User) {
    user.attributes.insert("email".into(), "ada@acme.example".into());
}

#[tokio::test]
async fn read_by_id_costs_one_request_others_two() {
    let bench = Bench::new().await;
    let id = bench.insert("ada", Status::Confirmed, "true");
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
        assert_eq!(bench.provider.get(&scope, key).await.unwrap().id, id);
        assert_eq!(bench.requests(), requests);
        assert_eq!(scope.recorder().attempts() as usize, requests.len());
    }
}

#[tokio::test]
async fn malformed_ids_make_no_request() {
    let bench = Bench::new().await;
    bench.insert("ada", Status::Confirmed, "true");
    let upper_case = "0F8FAD5B-D9CB-469F-A165-70867728950E";
    for id in ["ada", "ada@acme.example", "google_1", "0", "-", "........-....-....-....-............", upper_case] {
        let id = UserId::new(id).unwrap();
        assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap_err(), ErrorKind::NotFound);
        bench.provider.delete(&scope(), &id).await.unwrap();
    }
    assert_eq!(bench.requests(), [""; 0]);
}

#[tokio::test]
async fn federated_user_is_found_by_search() {
    let bench = Bench::new().await;
    let id = bench.insert("google_1", Status::ExternalProvider, "false");
    let user = bench.get(UserKey::Id(&id)).await.unwrap();
    assert_eq!((&user.id, user.email_verified), (&id, Some(false)));
    let by_id = format!("AdminGetUser {}", id.as_str());
    let by_filter = format!("ListUsers sub = \"{}\"", id.as_str());
    assert_eq!(bench.requests(), [by_id, by_filter, "AdminGetUser google_1".into()]);
}

#[tokio::test]
async fn name_equal_to_an_id_is_distinguished() {
    for ids_before_names in [false, true] {
        let bench = Bench::new().await;
        bench.fake().with(|pool| pool.ids_before_names = ids_before_names);
        let victim = bench.insert("ada", Status::Confirmed, "true");
        let thief = bench.insert(victim.as_str(), Status::Confirmed, "false");
        for id in [&victim, &thief] {
            assert_eq!(bench.get(UserKey::Id(id)).await.unwrap().id, *id);
        }
    }
}

#[tokio::test]
async fn shared_address_prefers_the_verified_user() {
    let bench = Bench::new().await;
    let shared = email("ada");
    for (name, verified, is_found) in
        [("first", "false", true), ("second", "false", false), ("third", "true", true), ("fourth", "true", false)]
    {
        let id = bench.insert_with(name, Status::Confirmed, verified, share);
        let found = bench.get(UserKey::Email(&shared)).await.map(|user| user.id);
        assert_eq!(found, if is_found { Ok(id) } else { Err(ErrorKind::Ambiguous) }, "{name}");
    }
}

#[tokio::test]
async fn search_reads_all_pages() {
    let bench = Bench::new().await;
    bench.fake().with(|pool| pool.begins_with_an_empty_page = true);
    for number in 0..61 {
        bench.insert_with(&format!("user-{number}"), Status::Confirmed, "false", share);
    }
    let last = bench.insert_with("last", Status::Confirmed, "true", share);
    assert_eq!(bench.get(UserKey::Email(&Email::new("Ada@acme.example").unwrap())).await.unwrap().id, last);
    assert_eq!(bench.requests().iter().filter(|request| request.starts_with("ListUsers")).count(), 3);
}

#[tokio::test]
async fn overlong_values_are_invalid_input() {
    let bench = Bench::new().await;
    let (long, quoted) =
        (Email::new(format!("{}@acme.example", "x".repeat(250))).unwrap(), customer(&"\"".repeat(130)));
    for key in [UserKey::Email(&long), UserKey::Customer(&quoted)] {
        assert_eq!(bench.get(key).await.unwrap_err(), ErrorKind::InvalidInput);
    }
    assert_eq!(bench.requests(), [""; 0]);
}

#[tokio::test]
async fn only_the_text_true_is_verified() {
    let bench = Bench::new().await;
    for (name, verified, expected) in [("ada", "true", true), ("grace", "false", false), ("linus", "True", false)] {
        let id = bench.insert(name, Status::Confirmed, verified);
        assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap().email_verified, Some(expected), "{name}");
    }
    let id = bench.insert_with("mallory", Status::Confirmed, "", |user| {
        user.attributes.retain(|name, _| !["email_verified", "preferred_username"].contains(&name.as_str()));
    });
    let user = bench.get(UserKey::Id(&id)).await.unwrap();
    assert_eq!((user.email_verified, user.customer), (Some(false), Customer::Absent));
}

#[tokio::test]
async fn missing_group_and_missing_pool_differ() {
    let mut bench = Bench::with(|config| config.customer_lookup = Some(CustomerLookup::Group)).await;
    let c1 = customer("c-1");
    assert_eq!(bench.get(UserKey::Customer(&c1)).await.unwrap_err(), ErrorKind::NotFound);
    bench.rebuild(|config, _| config.user_pool_id = "eu-west-1_NoSuchPool".into());
    let kind = bench.get(UserKey::Customer(&c1)).await.unwrap_err();
    assert_eq!(kind, ErrorKind::PermissionDenied, "the policy names another pool");
    // A policy for the missing pool, or for all pools, shows that it does not exist.
    for pools in [Some([String::from("eu-west-1_NoSuchPool")].into()), None] {
        bench.fake().with(|pool| pool.principals[0].pools = pools);
        assert_eq!(bench.get(UserKey::Customer(&c1)).await.unwrap_err(), ErrorKind::Misconfigured);
    }
}

#[tokio::test]
async fn group_member_needs_the_customer_attribute() {
    let bench = Bench::with(|config| config.customer_lookup = Some(CustomerLookup::Group)).await;
    let stray = bench.insert_with("mallory", Status::Confirmed, "true", |user| {
        user.groups = ["customer-c-1".to_owned()].into();
    });
    let c1 = customer("c-1");
    assert_eq!(bench.get(UserKey::Customer(&c1)).await.unwrap_err(), ErrorKind::NotFound);
    bench.fake().change(stray.as_str(), |user| user.set("preferred_username", "c-1"));
    assert_eq!(bench.get(UserKey::Customer(&c1)).await.unwrap().id, stray);
}
