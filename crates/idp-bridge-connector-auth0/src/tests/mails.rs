//! Requests for mails, and the reasons to refuse them.

use idp_bridge_core::{CallKind, ErrorKind, IdentityProvider as _, Outcome, Support};
use serde_json::json;

use super::{DATABASE, Stage, email, scope};

#[tokio::test]
async fn verification_names_identities_outside_databases() {
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
async fn enterprise_users_get_no_verification() {
    let stage = Stage::new().await;
    let id = stage.insert("samlp|acme|ada", "ada@acme.example", json!({}));
    let scope = scope();
    let error = stage.provider.send_verification_email(&scope, &id).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::NotApplied));
}

#[tokio::test]
async fn reset_names_connection_and_application_without_token() {
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
async fn users_without_password_get_no_reset() {
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
async fn preferred_connection_selects_the_reset() {
    let stage = Stage::with(|config| config.prefer_connections = vec![DATABASE.into()]).await;
    stage.create("ada", &[]).await;
    stage.insert("google-oauth2|1", "ada@acme.example", json!({}));
    stage.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    assert_eq!(stage.fake().mails().len(), 1);
}

#[tokio::test]
async fn resets_without_connection_are_unsupported() {
    let stage = Stage::with(|config| config.connection = None).await;
    let call = CallKind::SendPasswordResetEmail;
    assert!(matches!(stage.provider.capabilities().call(call), Support::Unsupported { .. }));
    let scope = scope();
    let error = stage.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().requests()), (ErrorKind::Unsupported, 0));
}

#[tokio::test]
async fn unknown_mail_application_is_misconfigured() {
    let stage = Stage::new().await;
    stage.create("ada", &[]).await;
    let mut config = stage.harness.config();
    config.email_client_id = Some("unknown".into());
    let provider = stage.harness.build(config).unwrap();
    let scope = scope();
    let error = provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Misconfigured, Outcome::NotApplied));
    assert!(error.hint().is_some_and(|hint| hint.contains("`email_client_id`")), "{error:?}");
}

#[tokio::test]
async fn disabled_template_sends_nothing() {
    let stage = Stage::new().await;
    let id = stage.create("ada", &[]).await;
    stage.fake().with(|tenant| tenant.templates.insert("verify_email".into(), false));
    stage.provider.send_verification_email(&scope(), &id).await.unwrap();
    assert_eq!(stage.fake().mails(), []);
}
