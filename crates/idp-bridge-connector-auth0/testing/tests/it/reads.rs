//! Lookups: special ids, the case of addresses, several connections, and the search that lags behind.

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_connector_auth0_testing::fake::Tenant;
use idp_bridge_connector_auth0_testing::harness::DATABASE;
use idp_bridge_core::{Customer, Email, ErrorKind, IdentityProvider as _, UserId, UserKey};
use serde_json::json;

use crate::bench::{Bench, read_of, set_all};

#[tokio::test]
async fn every_id_is_one_path_segment() {
    let bench = Bench::new().await;
    for id in [
        "samlp|acme|ada@acme.example",
        "oauth2|a/b",
        "oauth2|../../tenants/settings",
        "auth0|a%3Ab",
        "waad|a b?c=d#e",
        "custom|..",
        "ad|ÄÖ漢|\\x",
    ] {
        let id = bench.insert(id, "ada@acme.example", json!({}));
        assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap().id, id);
        bench.provider.delete(&scope(), &id).await.unwrap();
        assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap_err(), ErrorKind::NotFound, "{id:?}");
    }
    let paths: Vec<String> = bench.exchanges().iter().map(|exchange| exchange.request.path().to_owned()).collect();
    assert!(paths.iter().all(|path| path.matches('/').count() == 4), "{paths:?}");
}

#[tokio::test]
async fn lower_case_address_needs_one_request() {
    let bench = Bench::new().await;
    let id = bench.create("ada+news", &["c-1"]).await;
    let [lower, capitals] =
        ["ada%2Bnews", "Ada%2BNews"].map(|name| format!("GET users-by-email?email={name}%40acme.example"));
    for (text, requests) in
        [("ada+news@acme.example", vec![lower.clone()]), ("Ada+News@acme.example", vec![capitals, lower])]
    {
        assert_eq!(bench.get(UserKey::Email(&Email::new(text).unwrap())).await.unwrap().id, id);
        assert_eq!(bench.requests(), requests);
    }
}

#[tokio::test]
async fn capitals_are_found_in_any_spelling() {
    let bench = Bench::new().await;
    let id = bench.insert("google-oauth2|1", "Ada@Acme.example", json!({}));
    for text in ["Ada@Acme.example", "ada@acme.example", "ADA@ACME.EXAMPLE"] {
        assert_eq!(bench.get(UserKey::Email(&Email::new(text).unwrap())).await.unwrap().id, id, "{text}");
    }
    // A second user with another spelling makes the address ambiguous.
    bench.create("ada", &[]).await;
    let kind = bench.get(UserKey::Email(&Email::new("Ada@Acme.example").unwrap())).await.unwrap_err();
    assert_eq!(kind, ErrorKind::Ambiguous);
}

#[tokio::test]
async fn preferred_connections_choose_among_several_users() {
    let mut bench = Bench::new().await;
    let ada = bench.create("ada", &[]).await;
    let google = bench.insert("google-oauth2|1", "ada@acme.example", json!({}));
    let table: [(&[&str], Option<&UserId>); 5] = [
        (&[], None),
        (&[DATABASE], Some(&ada)),
        (&["google-oauth2", DATABASE], Some(&google)),
        (&["samlp", "google-oauth2"], Some(&google)),
        (&["samlp"], None),
    ];
    let several: [(&[&str], Option<&UserId>); 2] =
        [(&["google-oauth2"], None), (&["google-oauth2", DATABASE], Some(&ada))];
    for (rows, second) in [(&table[..], None), (&several, Some("google-oauth2|2"))] {
        if let Some(id) = second {
            bench.insert(id, "ada@acme.example", json!({}));
        }
        for (connections, chosen) in rows {
            let prefer = connections.iter().map(|name| (*name).to_owned()).collect();
            bench.rebuild(|config, _| config.prefer_connections = prefer);
            let found = bench.get(UserKey::Email(&email("ada"))).await.map(|user| user.id);
            assert_eq!(found.as_ref(), chosen.ok_or(&ErrorKind::Ambiguous), "{connections:?} {second:?}");
        }
    }
}

#[tokio::test]
async fn customer_lookup_is_a_search_and_a_read() {
    let bench = Bench::new().await;
    let id = bench.create("ada", &["a b:\"c\""]).await;
    assert_eq!(bench.get(UserKey::Customer(&customer("a b:\"c\""))).await.unwrap().id, id);
    let search = "GET users?q=app_metadata.customer_id%3A%22a+b%3A%5C%22c%5C%22%22&search_engine=v3&page=0&per_page=5";
    assert_eq!(bench.requests(), [search.to_owned(), read_of(&id)]);
}

#[tokio::test]
async fn stale_hits_are_read_again() {
    let bench = Bench::new().await;
    let (moved, gone) = (bench.create("moved", &["c-1"]).await, bench.create("gone", &["c-2"]).await);
    bench.fake().with(Tenant::hold_index);
    bench.fake().change(moved.as_str(), |user| user["app_metadata"]["customer_id"] = json!("c-9"));
    bench.provider.delete(&scope(), &gone).await.unwrap();
    let late = bench.create("late", &["c-3"]).await;
    for text in ["c-1", "c-2", "c-3", "c-9"] {
        assert_eq!(bench.get(UserKey::Customer(&customer(text))).await.unwrap_err(), ErrorKind::NotFound, "{text}");
    }
    bench.fake().with(Tenant::release_index);
    for (text, id) in [("c-9", moved), ("c-3", late)] {
        assert_eq!(bench.get(UserKey::Customer(&customer(text))).await.unwrap().id, id);
    }
}

#[tokio::test]
async fn full_pages_of_stale_hits_are_skipped() {
    // Five hits are a full page, so the next page does not exist.
    for (stale, has_user) in [(5, false), (4, true), (7, true)] {
        let bench = Bench::new().await;
        let ids: Vec<UserId> = (0..stale)
            .map(|number| {
                let metadata = json!({"app_metadata": {"customer_id": "c-1"}});
                bench.insert(&format!("auth0|stale-{number}"), &format!("stale-{number}@acme.example"), metadata)
            })
            .collect();
        let ada = bench.create("ada", if has_user { &["c-1"] } else { &[] }).await;
        bench.fake().with(Tenant::hold_index);
        ids.iter().for_each(|id| bench.fake().change(id.as_str(), |user| set_all(user, json!({"app_metadata": {}}))));
        let found = bench.get(UserKey::Customer(&customer("c-1"))).await.map(|user| user.id);
        assert_eq!(found, if has_user { Ok(ada) } else { Err(ErrorKind::NotFound) });
    }
}

#[tokio::test]
async fn a_number_is_a_customer() {
    let bench = Bench::new().await;
    let id = bench.insert("auth0|1", "ada@acme.example", json!({"app_metadata": {"customer_id": 42}}));
    assert_eq!(bench.get(UserKey::Id(&id)).await.unwrap().customer, Customer::One(customer("42")));
}

#[tokio::test]
async fn address_that_auth0_rejects_is_invalid_input() {
    let bench = Bench::new().await;
    let kind = bench.get(UserKey::Email(&Email::new("\"a b\"@acme.example").unwrap())).await.unwrap_err();
    assert_eq!(kind, ErrorKind::InvalidInput);
}
