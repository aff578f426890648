//! Webhooks to a mailer, and mails to a mail server.

#![expect(clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod smtp;

use std::time::Duration;

use idp_bridge_core::{
    CallScope, ConnectorContext, Email, ErrorKind, MailKind, Outcome, Secret, TenantId, UserId, UserRecord, Verdict,
};
use idp_bridge_mailer::{CALLS, Mailer, MailerConfig};
use idp_bridge_test_http::{Received, Server, answer, unused_address};
use serde_json::Value;
use standardwebhooks::Webhook;

/// A key for the tests alone.
const KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";

fn mailer(url: &str) -> Mailer {
    let config = MailerConfig::new(Secret::new(KEY)).with_url(url);
    Mailer::new(&config, &ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap()
}

fn ada() -> UserRecord {
    user("ada@acme.example")
}

fn user(email: &str) -> UserRecord {
    let email = Email::new(email).unwrap();
    UserRecord { email: Some(email), ..UserRecord::new(UserId::new("u-1").unwrap()) }
}

fn ample() -> CallScope {
    CallScope::new("test", Duration::from_secs(20))
}

/// Returns the body of a webhook, if an independent implementation of Standard Webhooks accepts it.
fn verify(webhook: &Received) -> Value {
    let mut headers = http::HeaderMap::new();
    for (name, value) in webhook.head.lines().filter_map(|line| line.split_once(": ")) {
        if let Ok(name) = name.parse::<http::HeaderName>() {
            headers.insert(name, value.parse().unwrap());
        }
    }
    Webhook::new(KEY).unwrap().verify(webhook.body.as_bytes(), &headers).unwrap();
    serde_json::from_str(&webhook.body).unwrap()
}

#[tokio::test]
async fn webhooks_are_signed_and_have_a_token() {
    let server = Server::start(|_, _| answer(204, &[], "")).await;
    let mailer = mailer(&server.base());
    for kind in [MailKind::Verification, MailKind::PasswordReset] {
        mailer.send(&ample(), kind, &ada()).await.unwrap();
    }
    let bodies: Vec<Value> = server.received().iter().map(verify).collect();
    assert_eq!(bodies.len(), 2);
    for (body, kind) in bodies.iter().zip(["mail.verification", "mail.password_reset"]) {
        assert_eq!(body["type"], kind);
        assert_eq!(
            (&body["tenant"], &body["id"], &body["email"]),
            (&"acme".into(), &"u-1".into(), &"ada@acme.example".into())
        );
        assert!(body["token"].as_str().unwrap().starts_with("mail_") && body["expires"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn refusals_of_the_mailer_are_errors() {
    for (status, kind, outcome) in [
        (503, ErrorKind::Unavailable, Outcome::Unknown),
        (401, ErrorKind::InvalidResponse, Outcome::NotApplied),
        (302, ErrorKind::InvalidResponse, Outcome::Unknown),
    ] {
        let server = Server::start(move |_, _| answer(status, &[], "")).await;
        let scope = ample();
        let error = mailer(&server.base()).send(&scope, MailKind::Verification, &ada()).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (kind, outcome), "{status}: {error:?}");
        assert!(error.message().contains("the mailer") && !format!("{error:?}").contains("ada@"), "{error:?}");
    }
    let scope = ample();
    let unreachable = mailer(&format!("http://{}", unused_address()));
    let error = unreachable.send(&scope, MailKind::Verification, &ada()).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
}

#[tokio::test]
async fn doctor_checks_the_signature_and_sends_no_mail() {
    let server = Server::start(|number, _| answer(if number == 0 { 204 } else { 401 }, &[], "")).await;
    let mailer = mailer(&server.base());
    for verdict in [Verdict::Ok, Verdict::Failed] {
        let scope = ample();
        let finding = mailer.diagnose(&scope, CALLS).await;
        assert_eq!((finding.verdict, scope.recorder().has_written()), (verdict, false), "{finding:?}");
    }
    assert!(server.received().iter().map(verify).all(|body| body["type"] == "mail.check"));
}

#[test]
fn wrong_settings_are_named_without_the_key() {
    let context = ConnectorContext::new(TenantId::new("acme").unwrap());
    for (url, key, part) in [
        ("http://localhost:1", "hunter2", "`mail.signing_key` is not a key"),
        ("http://mailer.acme.example", KEY, "http"),
        ("mailer", KEY, "mail.url"),
    ] {
        let error = Mailer::new(&MailerConfig::new(Secret::new(key)).with_url(url), &context).err().unwrap();
        assert!(error.to_string().contains(part) && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
