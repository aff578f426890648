//! Requests for mails, and the reasons to refuse them.

use idp_bridge_conformance::fixture::{email, scope};
use idp_bridge_connector_auth0_testing::harness::DATABASE;
use idp_bridge_core::{CallKind, ErrorKind, IdentityProvider as _, Support};
use serde_json::json;

use crate::bench::{Bench, assert_not_applied};

#[tokio::test]
async fn verification_names_identities_outside_databases() {
    let bench = Bench::new().await;
    let ada = bench.create("ada", &[]).await;
    let google = bench.insert("google-oauth2|9", "grace@acme.example", json!({}));
    let passwordless = bench.insert("email|a|b", "linus@acme.example", json!({}));
    for id in [&ada, &google, &passwordless] {
        bench.provider.send_verification_email(&scope(), id).await.unwrap();
    }
    assert_eq!(
        bench.bodies("POST"),
        [
            json!({"user_id": ada.as_str(), "client_id": "application"}),
            json!({
                "user_id": "google-oauth2|9", "client_id": "application",
                "identity": {"provider": "google-oauth2", "user_id": "9"},
            }),
            json!({"user_id": "email|a|b", "client_id": "application", "identity": {"provider": "email", "user_id": "a|b"}}),
        ]
    );
    let to: Vec<String> = bench.fake().mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@acme.example", "grace@acme.example", "linus@acme.example"]);
}

#[tokio::test]
async fn enterprise_users_get_no_verification() {
    let bench = Bench::new().await;
    let (id, scope) = (bench.insert("samlp|acme|ada", "ada@acme.example", json!({})), scope());
    assert_not_applied(&scope, bench.provider.send_verification_email(&scope, &id).await, ErrorKind::State);
}

#[tokio::test]
async fn reset_names_connection_and_application_without_token() {
    let bench = Bench::new().await;
    bench.create("ada", &[]).await;
    bench.provider.send_password_reset_email(&scope(), &email("ADA")).await.unwrap();
    let exchanges = bench.exchanges();
    let order = &exchanges.last().unwrap().request;
    assert_eq!((order.path(), order.bearer()), ("/dbconnections/change_password", None));
    let expected = json!({"client_id": "application", "email": "ada@acme.example", "connection": DATABASE});
    assert_eq!(order.json(), Some(expected));
    assert_eq!(bench.fake().mails().len(), 1);
}

#[tokio::test]
async fn users_without_password_get_no_reset() {
    let bench = Bench::new().await;
    bench.insert("google-oauth2|1", "google@acme.example", json!({}));
    bench.insert("auth0|1", "blocked@acme.example", json!({"blocked": true}));
    let other = json!([{"provider": "auth0", "user_id": "2", "connection": "Other-Passwords"}]);
    bench.insert("auth0|2", "other@acme.example", json!({"identities": other}));
    for name in ["google", "blocked", "other"] {
        let scope = scope();
        let sent = bench.provider.send_password_reset_email(&scope, &email(name)).await;
        assert_not_applied(&scope, sent, ErrorKind::State);
    }
    assert!(bench.requests().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn preferred_connection_selects_the_reset() {
    let bench = Bench::with(|config| config.prefer_connections = vec![DATABASE.into()]).await;
    bench.create("ada", &[]).await;
    bench.insert("google-oauth2|1", "ada@acme.example", json!({}));
    bench.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    assert_eq!(bench.fake().mails().len(), 1);
}

#[tokio::test]
async fn resets_without_connection_are_unsupported() {
    let bench = Bench::with(|config| config.connection = None).await;
    let call = CallKind::SendPasswordResetEmail;
    assert!(matches!(bench.provider.capabilities().call(call), Support::Unsupported { .. }));
    let error = bench.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), bench.requests().len()), (ErrorKind::Unsupported, 0));
}

#[tokio::test]
async fn unknown_mail_application_is_misconfigured() {
    let mut bench = Bench::new().await;
    bench.create("ada", &[]).await;
    bench.rebuild(|config, _| config.email_client_id = Some("unknown".into()));
    let scope = scope();
    let error = bench.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("`email_client_id`")), "{error:?}");
    assert_not_applied::<()>(&scope, Err(error), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn disabled_template_sends_nothing() {
    let bench = Bench::new().await;
    let id = bench.create("ada", &[]).await;
    bench.fake().with(|tenant| tenant.templates.insert("verify_email".into(), false));
    bench.provider.send_verification_email(&scope(), &id).await.unwrap();
    assert_eq!(bench.fake().mails(), []);
}
