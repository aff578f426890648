//! Mails as webhooks and as rows of an outbox.

use idp_bridge_connector_sql::{MailConfig, SqlConfig};
use idp_bridge_core::{CallKind, Email, ErrorKind, Outcome, Verdict};
use idp_bridge_test_http::{Received, Server, answer, unused_address};
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::support::{Database, ada, ample, provider, try_provider};

/// A key for the tests alone.
const KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";

fn with_mail(database: &Database, mail: MailConfig) -> SqlConfig {
    let mut config = database.config();
    config.mail = Some(mail);
    config
}

fn with_mailer(database: &Database, url: &str) -> SqlConfig {
    let mut mail = MailConfig::new(KEY);
    mail.url = Some(url.to_owned());
    with_mail(database, mail)
}

fn with_outbox(database: &Database, statement: &str) -> SqlConfig {
    let mut mail = MailConfig::new(KEY);
    mail.outbox = Some(statement.to_owned());
    with_mail(database, mail)
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
    let (database, mailer) = (Database::new(""), Server::start(|_, _| answer(204, &[], "")).await);
    let provider = provider(with_mailer(&database, &mailer.base()));
    let email = Email::new("ADA@acme.example").unwrap();
    provider.send_verification_email(&ample(), &ada()).await.unwrap();
    provider.send_password_reset_email(&ample(), &email).await.unwrap();
    let bodies: Vec<Value> = mailer.received().iter().map(verify).collect();
    assert_eq!(bodies.len(), 2);
    for (body, kind) in bodies.iter().zip(["mail.verification", "mail.password_reset"]) {
        assert_eq!(body["type"], kind);
        assert_eq!(
            (&body["tenant"], &body["id"], &body["email"]),
            (&"acme".into(), &"u-1".into(), &"ada@acme.example".into())
        );
        assert!(body["token"].as_str().unwrap().starts_with("mail_") && body["expires"].is_string(), "{body}");
    }
    database.execute("update users set email_verified = true");
    provider.send_verification_email(&ample(), &ada()).await.unwrap();
    assert_eq!(mailer.received().len(), 2);
}

#[tokio::test]
async fn refusals_of_the_mailer_are_errors() {
    for (status, kind, outcome) in [
        (503, ErrorKind::Unavailable, Outcome::Unknown),
        (401, ErrorKind::InvalidResponse, Outcome::NotApplied),
        (302, ErrorKind::InvalidResponse, Outcome::Unknown),
    ] {
        let (database, mailer) = (Database::new(""), Server::start(move |_, _| answer(status, &[], "")).await);
        let provider = provider(with_mailer(&database, &mailer.base()));
        let scope = ample();
        let error = provider.send_verification_email(&scope, &ada()).await.unwrap_err();
        assert_eq!((error.kind(), scope.recorder().outcome()), (kind, outcome), "{status}: {error:?}");
        assert!(error.message().contains("the mailer") && !format!("{error:?}").contains("ada@"), "{error:?}");
    }
    let database = Database::new("");
    let provider = provider(with_mailer(&database, &format!("http://{}", unused_address())));
    let scope = ample();
    let error = provider.send_verification_email(&scope, &ada()).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Unavailable, Outcome::NotApplied));
}

#[tokio::test]
async fn doctor_checks_the_signature_and_sends_no_mail() {
    let (database, mailer) =
        (Database::new(""), Server::start(|number, _| answer(if number == 0 { 204 } else { 401 }, &[], "")).await);
    let provider = provider(with_mailer(&database, &mailer.base()));
    for verdict in [Verdict::Ok, Verdict::Failed] {
        let scope = ample();
        let findings = provider.diagnose(&scope).await;
        let finding = findings.iter().find(|finding| finding.check.contains("mailer")).unwrap();
        assert_eq!((finding.verdict, scope.recorder().has_written()), (verdict, false), "{finding:?}");
        assert_eq!(finding.calls, [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail]);
    }
    assert!(mailer.received().iter().map(verify).all(|body| body["type"] == "mail.check"));
}

#[tokio::test]
async fn outbox_gets_one_row_for_each_mail() {
    let insert = "insert into outbox (kind, user_id, email, token) values (:kind, :id, :email, :token)";
    let database = Database::new("create table outbox (kind text, user_id text, email text, token text);");
    let provider = provider(with_outbox(&database, insert));
    let scope = ample();
    let error = provider.send_verification_email(&scope, &ada()).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::PermissionDenied, Outcome::NotApplied));
    let findings = provider.diagnose(&ample()).await;
    assert!(findings.iter().any(|finding| finding.check.contains("`outbox`") && finding.verdict == Verdict::Failed));
    database.execute("grant insert on outbox to bridge");
    provider.send_verification_email(&ample(), &ada()).await.unwrap();
    provider.send_password_reset_email(&ample(), &Email::new("ada@acme.example").unwrap()).await.unwrap();
    let rows = database.execute("select kind, user_id, email, token like 'mail\\_%' from outbox order by kind");
    assert_eq!(rows, "password_reset|u-1|ada@acme.example|t\nverification|u-1|ada@acme.example|t");
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let database = Database::new("");
    let both = {
        let mut config = with_mailer(&database, "http://localhost:1");
        config.mail.as_mut().unwrap().outbox = Some("insert into outbox values (:token)".to_owned());
        config
    };
    let neither = with_mail(&database, MailConfig::new(KEY));
    let weak = {
        let mut config = with_mailer(&database, "http://localhost:1");
        config.mail.as_mut().unwrap().signing_key = idp_bridge_core::Secret::new("hunter2");
        config
    };
    for (config, part) in [
        (both, "either `url` or `outbox`"),
        (neither, "either `url` or `outbox`"),
        (weak, "`mail.signing_key` is no key"),
        (with_mailer(&database, "http://mailer.acme.example"), "http"),
        (with_outbox(&database, "insert into outbox values (:customer, :token)"), "`:customer`"),
        (with_outbox(&database, "insert into outbox values (:email)"), "lacks the parameter `:token`"),
    ] {
        let error = try_provider(config).err().unwrap();
        assert!(error.to_string().contains(part) && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
