//! Mails by the user's state, and errors of their delivery.

use idp_bridge_conformance::fixture::{email, scope};
use idp_bridge_connector_cognito_testing::fake::Status;
use idp_bridge_core::{ErrorKind, IdentityProvider as _, Outcome, Secret, UserId};

use crate::bench::Bench;

/// Requests a verification mail. Returns the kind of the error, and the operations that sent a mail.
async fn send_verification(bench: &Bench, id: &UserId) -> (Option<ErrorKind>, Vec<String>) {
    let sent = bench.provider.send_verification_email(&scope(), id).await;
    (sent.err().map(|error| error.kind()), bench.take_mails())
}

#[tokio::test]
async fn verification_is_sent_by_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, ResetRequired, Unconfirmed};
    let bench = Bench::new().await;
    for (status, verified, error, mail) in [
        (Unconfirmed, "false", None, Some("ResendConfirmationCode")),
        (Unconfirmed, "true", None, None),
        (Confirmed, "true", None, None),
        (Confirmed, "false", Some(ErrorKind::State), None),
        (ForceChangePassword, "false", Some(ErrorKind::State), None),
        (ResetRequired, "false", Some(ErrorKind::State), None),
        (ExternalProvider, "false", Some(ErrorKind::State), None),
    ] {
        let id = bench.insert(&format!("{status:?}-{verified}"), status, verified);
        let expected = (error, mail.map(str::to_owned).into_iter().collect());
        assert_eq!(send_verification(&bench, &id).await, expected, "{status:?} {verified}");
    }
}

#[tokio::test]
async fn disabled_user_gets_no_verification() {
    let bench = Bench::new().await;
    let id = bench.insert_with("ada", Status::Unconfirmed, "false", |user| user.enabled = false);
    assert_eq!(send_verification(&bench, &id).await, (Some(ErrorKind::State), vec![]));
    let requested = bench.requests().iter().any(|request| request.starts_with("ResendConfirmationCode"));
    assert!(!requested, "cognito answers 200 without sending a mail");
}

#[tokio::test]
async fn invitation_is_resent_if_configured() {
    let bench = Bench::with(|config| config.resend_invitations = true).await;
    let id = bench.insert("ada", Status::ForceChangePassword, "false");
    assert_eq!(send_verification(&bench, &id).await, (None, vec!["AdminCreateUser".into()]));
}

#[tokio::test]
async fn reset_is_sent_by_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, ResetRequired};
    let bench = Bench::new().await;
    for (status, verified, enabled, is_sent) in [
        (Confirmed, "true", true, true),
        (ResetRequired, "true", true, true),
        (Confirmed, "false", true, false),
        (Confirmed, "true", false, false),
        (ForceChangePassword, "true", true, false),
        (ExternalProvider, "true", true, false),
    ] {
        let name = format!("{status:?}-{verified}-{enabled}");
        bench.insert_with(&name, status, verified, |user| user.enabled = enabled);
        let sent = bench.provider.send_password_reset_email(&scope(), &email(&name)).await;
        let expected = (!is_sent).then_some(ErrorKind::State);
        assert_eq!(sent.err().map(|error| error.kind()), expected, "{name}");
        assert_eq!(bench.take_mails(), if is_sent { vec!["ForgotPassword"] } else { Vec::new() }, "{name}");
        let requested = bench.requests().iter().any(|request| request.starts_with("ForgotPassword"));
        assert_eq!(requested, is_sent, "cognito answers 200 without sending a mail: {name}");
    }
}

#[tokio::test]
async fn code_by_text_message_is_an_error() {
    let bench = Bench::new().await;
    bench.fake().with(|pool| pool.texts_codes = true);
    let id = bench.insert("ada", Status::Unconfirmed, "false");
    let scope = scope();
    let error = bench.provider.send_verification_email(&scope, &id).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::Unknown));
}

#[tokio::test]
async fn wrong_app_client_is_reported() {
    let mut bench = Bench::new().await;
    bench.insert("ada", Status::Confirmed, "true");
    let own = bench.harness.config().client_id.unwrap();
    for (client, secret, kind) in [
        (own.as_str(), Some("wrong"), ErrorKind::Unauthenticated),
        (&own, None, ErrorKind::Unauthenticated),
        ("unknown", Some("wrong"), ErrorKind::Misconfigured),
    ] {
        bench.rebuild(|config, _| {
            (config.client_id, config.client_secret) = (Some(client.into()), secret.map(Secret::new));
        });
        let error = bench.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{client} {secret:?}");
    }
    assert_eq!(bench.take_mails(), [""; 0]);
}

#[tokio::test]
async fn mails_need_an_app_client() {
    let bench = Bench::with(|config| (config.client_id, config.client_secret) = (None, None)).await;
    let id = bench.insert("ada", Status::Unconfirmed, "false");
    let verification = bench.provider.send_verification_email(&scope(), &id).await;
    let reset = bench.provider.send_password_reset_email(&scope(), &email("ada")).await;
    for sent in [verification, reset] {
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert_eq!(bench.requests(), [""; 0]);
}
