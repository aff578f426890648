//! Transient errors. Cognito sends most of them as a code with the status 400.

use idp_bridge_conformance::fixture::{email, scope};
use idp_bridge_connector_cognito_testing::fake::Status;
use idp_bridge_core::{ErrorKind, IdentityProvider as _, Outcome, UserId, UserKey};

use crate::bench::Bench;

/// Returns a pool with a confirmed user.
async fn bench() -> (Bench, UserId) {
    let bench = Bench::new().await;
    let id = bench.insert("ada", Status::Confirmed, "true");
    (bench, id)
}

fn refuse(bench: &Bench, operation: &str, code: &str, times: usize) {
    for _ in 0..times {
        bench.fake().with(|pool| pool.refuse(operation, code, "s3cr3t"));
    }
}

#[tokio::test]
async fn transient_read_errors_are_retried_twice() {
    let (bench, id) = bench().await;
    for (code, refusals, attempts, kind) in [
        ("TooManyRequestsException", 1, 2, None),
        ("TooManyRequestsException", 2, 3, None),
        ("TooManyRequestsException", 3, 3, Some(ErrorKind::RateLimited)),
        ("InternalErrorException", 1, 2, None),
    ] {
        refuse(&bench, "AdminGetUser", code, refusals);
        let scope = scope();
        let read = bench.provider.get(&scope, UserKey::Id(&id)).await;
        assert_eq!(read.err().map(|error| error.kind()), kind);
        assert_eq!((scope.recorder().requests(), scope.recorder().attempts()), (1, attempts));
    }
}

#[tokio::test]
async fn throttled_mail_is_sent_once() {
    let (bench, _) = bench().await;
    refuse(&bench, "ForgotPassword", "TooManyRequestsException", 2);
    bench.provider.send_password_reset_email(&scope(), &email("ada")).await.unwrap();
    assert_eq!(bench.fake().mails().len(), 1);
    assert_eq!(bench.requests().iter().filter(|request| *request == "ForgotPassword ada").count(), 3);
}

#[tokio::test]
async fn final_mail_errors_are_not_retried() {
    let (bench, _) = bench().await;
    for (code, kind, outcome) in [
        // A user's limit lasts longer than a retry.
        ("LimitExceededException", ErrorKind::RateLimited, Outcome::NotApplied),
        ("CodeDeliveryFailureException", ErrorKind::Unavailable, Outcome::Unknown),
        ("InternalErrorException", ErrorKind::Unavailable, Outcome::Unknown),
    ] {
        refuse(&bench, "ForgotPassword", code, 1);
        let scope = scope();
        let error = bench.provider.send_password_reset_email(&scope, &email("ada")).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (kind, outcome), "{code}");
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
    assert!(bench.fake().mails().is_empty());
}
