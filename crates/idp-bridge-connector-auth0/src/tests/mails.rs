//! Mails: for whom they are ordered, on whose behalf, and what keeps them from being ordered.

use idp_bridge_core::{CallKind, ErrorKind, IdentityProvider as _, Outcome, Support};
use serde_json::json;

use super::{DATABASE, Stage, email, scope};

#[tokio::test]
async fn a_verification_names_the_identity_of_whoever_is_in_no_database() {
    let stage = Stage::new().await;
    let ada = stage.create("ada", &[]).await;
    let google = stage.insert("google-oauth2|9", "grace@acme.example", json!({}));
    let passwordless = stage.insert("email|a|b", "linus@acme.example", json!({}));
    for id in [&ada, &google, &passwordless] {
        stage.provider.send_verification_email(&scope(), id).await.unwrap();
    }
    assert_eq!(
        stage.bodies("POST"),
        [
            json!({"user_id": ada.as_str(), "client_id": "application"}),
            json!({
                "user_id": "google-oauth2|9", "client_id": "application",
                "identity": {"provider": "google-oauth2", "user_id": "9"},
            }),
            json!({"user_id": "email|a|b", "client_id": "application", "identity": {"provider": "email", "user_id": "a|b"}}),
        ]
    );
    let to: Vec<String> = stage.fake().mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@acme.example", "grace@acme.example", "linus@acme.example"]);
}

#[tokio::test]
async fn a_user_of_an_enterprise_connection_gets_no_verification() {
    let stage = Stage::new().await;
    let id = stage.insert("samlp|acme|ada", "ada@acme.example", json!({}));
    let scope = scope();
    let error = stage.provider.send_verification_email(&scope, &id).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::NotApplied));
}

#[tokio::test]
async fn a_reset_names_the_connection_and_the_application_and_needs_no_token() {
    let stage = Stage::new().await;
    stage.create("ada", &[]).await;
    stage.provider.send_password_reset_email(&scope(), &email("ADA")).await.unwrap();
    let exchanges = stage.exchanges();
    let order = &exchanges.last().unwrap().request;
    assert_eq!((order.path(), order.bearer()), ("/dbconnections/change_password", None));
    let expected = json!({"client_id": "application", "email": "ada@acme.example", "connection": DATABASE});
    assert_eq!(order.json(), Some(expected));
    assert_eq!(stage.fake().mails().len(), 1);
}

#[tokio::test]
async fn a_user_without_a_password_in_the_database_gets_no_reset() {
    let stage = Stage::new().await;
    stage.insert("google-oauth2|1", "google@acme.example", json!({}));
    stage.insert("auth0|1", "blocked@acme.example", json!({"blocked": true}));
    let other = json!([{"provider": "auth0", "user_id": "2", "connection": "Other-Passwords"}]);
    stage.insert("auth0|2", "other@acme.example", json!({"identities": other}));
    for name in ["google", "blocked", "other"] {
        let scope = scope();
        let error = stage.provider.send_password_reset_email(&scope, &email(name)).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::NotApplied), "{name}");
    }
    assert!(stage.requests().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn the_settings_that_choose_a_user_choose_who_gets_the_reset() {
    let stage = Stage::with(|config| config.prefer_connections = vec![DATABASE.into()]).await;
    stage.create("ada", &[]).await;
    stage.insert("google-oauth2|1", "ada@acme.example", json!({}));
    stage.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    assert_eq!(stage.fake().mails().len(), 1);
}

#[tokio::test]
async fn without_a_connection_there_are_no_resets_and_no_request() {
    let stage = Stage::with(|config| config.connection = None).await;
    let call = CallKind::SendPasswordResetEmail;
    assert!(matches!(stage.provider.capabilities().call(call), Support::Unsupported { .. }));
    let scope = scope();
    let error = stage.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().requests()), (ErrorKind::Unsupported, 0));
}

#[tokio::test]
async fn what_auth0_does_not_know_for_mails_is_a_misconfiguration() {
    let stage = Stage::new().await;
    stage.create("ada", &[]).await;
    let mut config = stage.harness.config();
    config.email_client_id = Some("nobody".into());
    let provider = stage.harness.build(config).unwrap();
    let scope = scope();
    let error = provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Misconfigured, Outcome::NotApplied));
    assert!(error.hint().is_some_and(|hint| hint.contains("`email_client_id`")), "{error:?}");
}

#[tokio::test]
async fn a_template_that_is_off_sends_nothing_and_nobody_is_told() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &[]).await;
    stage.fake().with(|tenant| tenant.templates.insert("verify_email".into(), false));
    stage.provider.send_verification_email(&scope(), &id).await.unwrap();
    assert_eq!(stage.fake().mails(), []);
}
