//! Hostile answers: deep, large and of wrong types.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use idp_bridge_connector_http::{Definition, Http, HttpConfig, catalog};
use idp_bridge_core::{CallScope, Email, ErrorKind, IdentityProvider, Secret, UserId, UserKey};
use idp_bridge_test_http::{Server, answer};
use serde_json::{Value, json};

/// Builds the provider of SCIM, which uses most of the language.
fn provider(base: &str) -> impl IdentityProvider {
    provider_with(base, catalog::find("scim2").unwrap())
}

/// Builds a provider with a changed definition of SCIM.
fn provider_with(base: &str, definition: &str) -> impl IdentityProvider + use<> {
    let mut config = HttpConfig::new("scim2");
    config.settings.insert("url".into(), base.to_owned());
    config.secrets.insert("token".into(), Secret::new("t"));
    let definition = Arc::new(Definition::parse(definition).unwrap());
    Http::with_definition(&definition, &config, &crate::context()).unwrap()
}

/// Values of every type, nested and large.
fn hostile() -> Vec<Value> {
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let long = "x".repeat(300_000);
    vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5e300),
        json!(""),
        json!("\u{0}"),
        json!(long),
        json!([]),
        json!({}),
        json!([null, [], {}]),
        json!({"value": {"value": []}}),
        json!([{"primary": true, "value": {}}]),
        json!("2026-13-99"),
        deep,
    ]
}

#[tokio::test]
async fn wrong_types_are_absent_or_invalid() {
    let body = Arc::new(Mutex::new(String::new()));
    let served = Arc::clone(&body);
    let server = Server::start(move |_, _| answer(200, &[], &served.lock().unwrap())).await;
    let provider = provider(&server.base());
    let id = UserId::new("u-1").unwrap();
    for field in ["", "/id", "/emails", "/emails/0", "/externalId", "/active", "/meta", "/meta/created"] {
        for value in hostile() {
            let mut user = json!({
                "id": "u-1", "emails": [{"primary": true, "value": "ada@acme.example"}], "externalId": "c-1", "active": true,
                "meta": {"created": "2026-11-28T10:00:00Z", "lastModified": "2026-11-28T10:00:00Z"}
            });
            *user.pointer_mut(field).unwrap() = value.clone();
            *body.lock().unwrap() = user.to_string();
            let scope = CallScope::new("r-1", Duration::from_secs(5));
            match provider.get(&scope, UserKey::Id(&id)).await {
                Ok(user) => assert_eq!(user.id, id),
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{field} {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn answer_without_the_header_is_an_outage() {
    let definition = catalog::find("scim2").unwrap();
    let definition = definition.replacen("[product]\n", "[product]\nanswer_header = \"x-product\"\n", 1);
    let server = Server::start(|_, _| answer(200, &[], r#"{"id":"u-1"}"#)).await;
    let scope = CallScope::new("r-1", Duration::from_secs(5));
    let id = UserId::new("u-1").unwrap();
    let error = provider_with(&server.base(), &definition).get(&scope, UserKey::Id(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("`answer_header`"), "{error}");
}

#[tokio::test]
async fn answer_without_users_is_invalid() {
    for body in ["", "x", "[]", "{}", r#"{"Resources":{}}"#, r#"{"Resources":[[]]}"#, &"[".repeat(10_000)] {
        let text = body.to_owned();
        let server = Server::start(move |_, _| answer(200, &[], &text)).await;
        let scope = CallScope::new("r-1", Duration::from_secs(5));
        let email = Email::new("ada@acme.example").unwrap();
        let error = provider(&server.base()).get(&scope, UserKey::Email(&email)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{:.40}", body);
    }
}
