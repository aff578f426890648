//! Password resets (section 2): response and time do not depend on the address.

use std::sync::Arc;
use std::time::{Duration, Instant};

use idp_bridge_core::{CallScope, Deleted, ErrorKind};
use idp_bridge_server::{Scope, ServerLimits};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::bridge::{Bridge, envelope, next_id, rest_token, signed, signed_as, tenant};
use crate::clock::BEGIN;
use crate::http::{Request, until, within};
use crate::lines::Log;
use crate::scripted::{ProviderCall, Returned, Scripted, upstream};

fn reset(email: &str) -> Request {
    signed(&envelope("users.send_password_reset_email", json!({"email": email})))
}

/// A provider that finds the user, and waits for a permit before the mail order returns this result.
fn mailing(ends: Option<ErrorKind>) -> (Scripted, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let script = {
        let gate = Arc::clone(&gate);
        move |_, scope: CallScope| {
            let gate = Arc::clone(&gate);
            async move {
                scope.recorder().begin_write();
                gate.acquire().await.unwrap().forget();
                match ends {
                    Some(kind) => Err(upstream(kind)),
                    None => Ok(Returned::Done),
                }
            }
        }
    };
    (Scripted::new(script), gate)
}

#[tokio::test]
async fn sixth_reset_of_an_address_is_refused() {
    let provider = Scripted::at_once(|_| Err(upstream(ErrorKind::NotFound)));
    let mut acme = tenant("acme", provider.clone());
    acme.tokens = vec![rest_token("token", [Scope::Write])];
    let bridge = Bridge::start([acme]).await;
    let rest = Request::new("POST", "/v1/tenants/acme/users:send-password-reset-email")
        .header("authorization", "Bearer token")
        .json(&json!({"email": "ada@acme.example"}));
    for _ in 0..2 {
        assert_eq!(bridge.send(&rest).await.status, 200);
        assert_eq!(bridge.send(&reset("ADA@acme.example")).await.status, 200);
    }
    let last =
        signed_as(&next_id(), &envelope("users.send_password_reset_email", json!({"email": "ada@acme.example"})));
    assert_eq!(bridge.send(&last).await.status, 200);
    bridge.clock.set(BEGIN + 60);
    for request in [&reset("ada@acme.example"), &rest] {
        let refused = bridge.send(request).await;
        assert_eq!(refused.verdict(), (429, "rate_limited".into()));
        assert_eq!(refused.header("retry-after"), Some("3540"));
        assert_eq!(refused.json()["outcome"], "not_applied");
    }
    assert_eq!(provider.calls(), 5, "a refused reset costs no look-up");
    assert_eq!(bridge.send(&last).await.header("idempotent-replayed"), Some("true"), "a repetition is no other reset");
    assert_eq!(bridge.send(&reset("eve@acme.example")).await.status, 200, "another address");
    bridge.clock.set(BEGIN + 3600);
    assert_eq!(bridge.send(&rest).await.status, 200);
}

#[tokio::test]
async fn answer_does_not_wait_for_the_mail() {
    let log = Log::default();
    let _guard = log.begin();
    let (provider, gate) = mailing(None);
    let bridge = Bridge::with_provider(provider).await;
    let request = reset("ada@acme.example");
    let answer = bridge.send(&request).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    assert!(log.lines().is_empty(), "the order has not ended");
    let again = bridge.send(&request).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    gate.add_permits(1);
    until(|| log.lines().len() == 2).await;
    let line = &log.lines()[1];
    assert_eq!((&line["code"], &line["status"], &line["level"]), (&json!("ok"), &json!(200), &json!("INFO")));
}

#[tokio::test]
async fn failure_of_the_mail_is_logged_alone() {
    for (kind, code) in [
        (ErrorKind::RateLimited, "upstream_rate_limited"),
        (ErrorKind::Unavailable, "upstream_unavailable"),
        (ErrorKind::PermissionDenied, "upstream_unauthorized"),
        (ErrorKind::State, "user_state"),
    ] {
        let log = Log::default();
        let _guard = log.begin();
        let (provider, gate) = mailing(Some(kind));
        gate.add_permits(1);
        let bridge = Bridge::with_provider(provider).await;
        let answer = bridge.send(&reset("ada@acme.example")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"), "{kind:?}");
        until(|| !log.lines().is_empty()).await;
        let [line] = log.lines().try_into().unwrap();
        assert_eq!((&line["code"], &line["status"], &line["concealed"]), (&json!(code), &json!(200), &json!(true)));
        assert_eq!(line["error"], "as the script says");
        let is_faulty = !matches!(kind, ErrorKind::RateLimited | ErrorKind::State);
        assert_eq!(line["level"], if is_faulty { "WARN" } else { "INFO" }, "{kind:?}");
    }
}

#[tokio::test]
async fn failure_of_the_look_up_is_answered() {
    for (kind, status) in
        [(ErrorKind::RateLimited, 503), (ErrorKind::Unauthenticated, 502), (ErrorKind::InvalidResponse, 502)]
    {
        let bridge = Bridge::with_provider(Scripted::failing(kind)).await;
        assert_eq!(bridge.send(&reset("ada@acme.example")).await.status, status, "{kind:?}");
    }
}

#[tokio::test]
async fn look_up_ends_with_the_callers_deadline() {
    let bridge = Bridge::with_provider(Scripted::new(|_, _| std::future::pending())).await;
    let begun = Instant::now();
    let answer = bridge.send(&reset("ada@acme.example").header("x-request-timeout-ms", "120")).await;
    assert_eq!(answer.verdict(), (504, "deadline_exceeded".into()));
    assert_eq!(answer.json()["outcome"], "not_applied");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn mail_has_the_tenants_deadline() {
    let provider = Scripted::new(|_, scope| async move {
        assert!(scope.remaining() > Duration::from_secs(2), "{:?}", scope.remaining());
        Ok(Returned::Done)
    });
    let bridge = Bridge::with_provider(provider).await;
    assert_eq!(bridge.send(&reset("ada@acme.example").header("x-request-timeout-ms", "500")).await.status, 200);
}

#[tokio::test]
async fn drain_waits_for_the_mail() {
    let (provider, gate) = mailing(None);
    let mut bridge = Bridge::with_provider(provider).await;
    assert_eq!(bridge.send(&reset("ada@acme.example")).await.status, 200);
    bridge.stop();
    assert_eq!(bridge.send(&Request::new("GET", "/readyz")).await.status, 503);
    gate.add_permits(1);
    within(bridge.ended()).await;
    assert_eq!(gate.available_permits(), 0, "the order has ended");
}

#[tokio::test]
async fn answer_waits_for_the_end_of_its_step() {
    let step = Duration::from_millis(300);
    let provider = Scripted::at_once(|asked| match asked {
        ProviderCall::SendReset => Err(upstream(ErrorKind::NotFound)),
        _ => Ok(Returned::Deleted(Deleted::Existed)),
    });
    let (mailing, _gate) = mailing(None);
    for provider in [provider, mailing] {
        let mut limits = ServerLimits::default();
        limits.reset_step = step;
        let bridge = Bridge::with_limits([tenant("acme", provider)], limits).await;
        let begun = Instant::now();
        assert_eq!(bridge.send(&reset("ada@acme.example")).await.status, 200);
        assert!(begun.elapsed() >= step, "{:?}", begun.elapsed());
    }
}
