//! Mails by the user's state, and errors of their delivery.

use idp_bridge_core::{ErrorKind, IdentityProvider as _, Outcome, Secret, UserId};

use super::{Stage, email, scope};
use crate::fake::Status;

/// Requests a verification mail. Returns the kind of the error, and the operations that sent a mail.
async fn send_verification(stage: &Stage, id: &UserId) -> (Option<ErrorKind>, Vec<String>) {
    let sent = stage.provider.send_verification_email(&scope(), id).await;
    (sent.err().map(|error| error.kind()), take_mails(stage))
}

/// Takes the recorded mails: the operations that sent them.
fn take_mails(stage: &Stage) -> Vec<String> {
    let mails = stage.fake().with(|pool| std::mem::take(&mut pool.mails));
    mails.into_iter().map(|mail| mail.operation).collect()
}

#[tokio::test]
async fn verification_is_sent_by_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, ResetRequired, Unconfirmed};
    let stage = Stage::new().await;
    for (status, verified, error, mail) in [
        (Unconfirmed, "false", None, Some("ResendConfirmationCode")),
        (Unconfirmed, "true", None, None),
        (Confirmed, "true", None, None),
        (Confirmed, "false", Some(ErrorKind::State), None),
        (ForceChangePassword, "false", Some(ErrorKind::State), None),
        (ResetRequired, "false", Some(ErrorKind::State), None),
        (ExternalProvider, "false", Some(ErrorKind::State), None),
    ] {
        let id = stage.insert(&format!("{status:?}-{verified}"), status, verified);
        let expected = (error, mail.map(str::to_owned).into_iter().collect());
        assert_eq!(send_verification(&stage, &id).await, expected, "{status:?} {verified}");
    }
}

#[tokio::test]
async fn disabled_user_gets_no_verification() {
    let stage = Stage::new().await;
    let id = stage.insert_with("ada", Status::Unconfirmed, "false", |user| user.enabled = false);
    assert_eq!(send_verification(&stage, &id).await, (Some(ErrorKind::State), vec![]));
    let requested = stage.requests().iter().any(|request| request.starts_with("ResendConfirmationCode"));
    assert!(!requested, "cognito answers 200 without sending a mail");
}

#[tokio::test]
async fn invitation_is_resent_if_configured() {
    let stage = Stage::with(|config| config.resend_invitations = true).await;
    let id = stage.insert("ada", Status::ForceChangePassword, "false");
    assert_eq!(send_verification(&stage, &id).await, (None, vec!["AdminCreateUser".into()]));
}

#[tokio::test]
async fn reset_is_sent_by_state() {
    use Status::{Confirmed, ExternalProvider, ForceChangePassword, ResetRequired};
    let stage = Stage::new().await;
    for (status, verified, enabled, is_sent) in [
        (Confirmed, "true", true, true),
        (ResetRequired, "true", true, true),
        (Confirmed, "false", true, false),
        (Confirmed, "true", false, false),
        (ForceChangePassword, "true", true, false),
        (ExternalProvider, "true", true, false),
    ] {
        let name = format!("{status:?}-{verified}-{enabled}");
        stage.insert_with(&name, status, verified, |user| user.enabled = enabled);
        let sent = stage.provider.send_password_reset_email(&scope(), &email(&name)).await;
        let expected = (!is_sent).then_some(ErrorKind::State);
        assert_eq!(sent.err().map(|error| error.kind()), expected, "{name}");
        let mails = take_mails(&stage);
        assert_eq!(mails, if is_sent { vec!["ForgotPassword"] } else { Vec::new() }, "{name}");
        let requested = stage.requests().iter().any(|request| request.starts_with("ForgotPassword"));
        assert_eq!(requested, is_sent, "cognito answers 200 without sending a mail: {name}");
    }
}

#[tokio::test]
async fn code_by_text_message_is_an_error() {
    let stage = Stage::new().await;
    stage.fake().with(|pool| pool.texts_codes = true);
    let id = stage.insert("ada", Status::Unconfirmed, "false");
    let scope = scope();
    let error = stage.provider.send_verification_email(&scope, &id).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::State, Outcome::Unknown));
}

#[tokio::test]
async fn wrong_app_client_is_reported() {
    let stage = Stage::new().await;
    stage.insert("ada", Status::Confirmed, "true");
    let kind = async |client: &str, secret: Option<&str>| {
        let mut config = stage.harness.config();
        (config.client_id, config.client_secret) = (Some(client.into()), secret.map(Secret::new));
        let provider = stage.harness.build(config).unwrap();
        provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap_err().kind()
    };
    let own = stage.harness.config().client_id.unwrap();
    assert_eq!(kind(&own, Some("wrong")).await, ErrorKind::Unauthenticated);
    assert_eq!(kind(&own, None).await, ErrorKind::Unauthenticated);
    assert_eq!(kind("unknown", Some("wrong")).await, ErrorKind::Misconfigured);
    assert_eq!(take_mails(&stage), [""; 0]);
}

#[tokio::test]
async fn mails_need_an_app_client() {
    let stage = Stage::with(|config| (config.client_id, config.client_secret) = (None, None)).await;
    let id = stage.insert("ada", Status::Unconfirmed, "false");
    let error = stage.provider.send_verification_email(&scope(), &id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = stage.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(stage.requests(), [""; 0]);
}
