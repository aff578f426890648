//! Transient errors. Cognito sends most of them as a code with the status 400.

use idp_bridge_core::{ErrorKind, IdentityProvider as _, Outcome, UserId, UserKey};

use super::{Stage, email, scope};
use crate::fake::Status;

fn refuse(stage: &Stage, operation: &str, code: &str, times: usize) {
    for _ in 0..times {
        stage.fake().with(|pool| pool.refuse(operation, code, "s3cr3t"));
    }
}

async fn confirmed(stage: &Stage) -> UserId {
    stage.insert("ada", Status::Confirmed, "true")
}

#[tokio::test]
async fn throttled_read_is_retried_twice() {
    let stage = Stage::new().await;
    let id = confirmed(&stage).await;
    for (refusals, attempts, kind) in [(1, 2, None), (2, 3, None), (3, 3, Some(ErrorKind::RateLimited))] {
        refuse(&stage, "AdminGetUser", "TooManyRequestsException", refusals);
        let scope = scope();
        let read = stage.provider.get(&scope, UserKey::Id(&id)).await;
        assert_eq!(read.err().map(|error| error.kind()), kind);
        assert_eq!((scope.recorder().requests(), scope.recorder().attempts()), (1, attempts));
    }
}

#[tokio::test]
async fn throttled_mail_is_sent_once() {
    let stage = Stage::new().await;
    confirmed(&stage).await;
    refuse(&stage, "ForgotPassword", "TooManyRequestsException", 2);
    stage.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    assert_eq!(stage.fake().mails().len(), 1);
    assert_eq!(stage.requests().iter().filter(|request| *request == "ForgotPassword ada").count(), 3);
}

#[tokio::test]
async fn user_limit_is_not_retried() {
    let stage = Stage::new().await;
    confirmed(&stage).await;
    refuse(&stage, "ForgotPassword", "LimitExceededException", 1);
    let scope = scope();
    let error = stage.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::RateLimited, Outcome::NotApplied));
    assert!(stage.fake().mails().is_empty());
}

#[tokio::test]
async fn failed_delivery_is_not_retried() {
    let stage = Stage::new().await;
    confirmed(&stage).await;
    for code in ["CodeDeliveryFailureException", "InternalErrorException"] {
        refuse(&stage, "ForgotPassword", code, 1);
        let scope = scope();
        let error = stage.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{code}");
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
    assert!(stage.fake().mails().is_empty());
}

#[tokio::test]
async fn failed_read_is_retried() {
    let stage = Stage::new().await;
    let id = confirmed(&stage).await;
    refuse(&stage, "AdminGetUser", "InternalErrorException", 1);
    assert_eq!(stage.provider.get(&scope(), UserKey::Id(&id)).await.unwrap().id, id);
}
