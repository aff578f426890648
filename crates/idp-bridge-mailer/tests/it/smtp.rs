//! Mails to a mail server.

use std::time::Duration;

use idp_bridge_core::{
    AttemptResult, CallScope, ConnectorContext, Error, ErrorKind, MailKind, MailTokens as _, OutboundPolicy, Outcome,
    PrivateNetworks, Secret, Support, TenantId, Verdict,
};
use idp_bridge_mailer::{CALLS, Mailer, MailerConfig, SmtpConfig, SmtpTls};
use idp_bridge_test_http::{Certificates, unused_address};
use idp_bridge_test_smtp::{Security, SmtpServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{KEY, ample, user};

/// Returns settings for a server without TLS.
fn plain(port: u16) -> SmtpConfig {
    let mut config = SmtpConfig::new("localhost", "Acme <no-reply@acme.example>");
    (config.port, config.tls) = (Some(port), SmtpTls::None);
    config.reset_url = Some("https://app.acme.example/reset?lang=de".to_owned());
    config
}

/// Returns settings with the login of the test's servers.
fn with_login(port: u16, tls: SmtpTls) -> SmtpConfig {
    let mut config = plain(port);
    (config.tls, config.user) = (tls, Some(SmtpServer::USER.to_owned()));
    config.password = Some(Secret::new(SmtpServer::PASSWORD));
    config
}

fn context(authority: Option<&str>) -> ConnectorContext {
    let ca_pem = authority.map(|pem| pem.as_bytes().to_vec());
    ConnectorContext {
        outbound: OutboundPolicy { ca_pem, ..OutboundPolicy::default() },
        public_url: Some("https://bridge.example/".to_owned()),
        ..ConnectorContext::new(TenantId::new("acme").unwrap())
    }
}

fn try_mailer(config: SmtpConfig, context: &ConnectorContext) -> Result<Mailer, Error> {
    Mailer::new(&MailerConfig::new(Secret::new(KEY)).with_smtp(config), context)
}

fn mailer(config: SmtpConfig) -> Mailer {
    try_mailer(config, &context(None)).unwrap()
}

/// Sends a mail to an address, and returns the kind of the failure and the outcome.
async fn send(mailer: &Mailer, email: &str) -> Result<(), (ErrorKind, Outcome)> {
    let scope = ample();
    let sent = mailer.send(&scope, MailKind::Verification, &user(email)).await;
    assert!(scope.recorder().has_written());
    sent.map_err(|error| {
        assert!(!format!("{error:?}").contains("acme.example"), "an error should have no address: {error:?}");
        (error.kind(), scope.recorder().outcome())
    })
}

/// Returns the token of the first link that begins so.
fn token<'a>(text: &'a str, start: &str) -> &'a str {
    text.split_once(start).unwrap_or_else(|| panic!("no link: {text}")).1.split_whitespace().next().unwrap()
}

#[tokio::test]
async fn mails_have_links_with_valid_tokens() {
    let server = SmtpServer::start(Security::Plain);
    let mailer = mailer(plain(server.port()));
    for (index, kind, start) in [
        (0, MailKind::Verification, "https://bridge.example/v1/tenants/acme/verify-email?token="),
        (1, MailKind::PasswordReset, "https://app.acme.example/reset?lang=de&token="),
    ] {
        mailer.send(&ample(), kind, &user("ada@acme.example")).await.unwrap();
        let mail = &server.mails()[index];
        assert!(mail.starts_with("X-MailFrom: no-reply@acme.example\r\nX-RcptTo: ada@acme.example\r\n"), "{mail}");
        assert!(mail.contains("From: Acme <no-reply@acme.example>\r\n"), "{mail}");
        let text = server.text(index);
        let verified = mailer.signer().verify(kind, token(&text, start)).unwrap();
        assert_eq!((verified.user.as_str(), verified.email.as_str()), ("u-1", "ada@acme.example"));
        assert!(text.contains("ada@acme.example") && server.html(index).contains("<b>ada@acme.example</b>"));
    }
}

#[tokio::test]
async fn tls_and_login_are_used() {
    let issued = Certificates::issue("localhost");
    let (certificate, key) = (issued.certificate.as_str(), issued.key.as_str());
    for (security, tls) in [
        (Security::StartTls(certificate, key), SmtpTls::Starttls),
        (Security::Implicit(certificate, key), SmtpTls::Implicit),
    ] {
        let server = SmtpServer::start(security);
        let trusting = context(Some(&issued.authority));
        let good = try_mailer(with_login(server.port(), tls), &trusting).unwrap();
        assert_eq!(send(&good, "ada@acme.example").await, Ok(()), "{tls:?}");
        let finding = good.diagnose(&ample(), CALLS).await;
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
        let mut wrong = with_login(server.port(), tls);
        wrong.password = Some(Secret::new("hunter2"));
        let wrong = try_mailer(wrong, &trusting).unwrap();
        let refused = Err((ErrorKind::Unauthenticated, Outcome::NotApplied));
        assert_eq!(send(&wrong, "ada@acme.example").await, refused, "{tls:?}");
        let finding = wrong.diagnose(&ample(), CALLS).await;
        assert!(finding.verdict == Verdict::Failed && !format!("{finding:?}").contains("hunter2"), "{finding:?}");
        let mut nameless = with_login(server.port(), tls);
        (nameless.user, nameless.password) = (None, None);
        let nameless = try_mailer(nameless, &trusting).unwrap();
        assert_eq!(send(&nameless, "ada@acme.example").await, refused, "{tls:?}");
        let distrusting = try_mailer(with_login(server.port(), tls), &context(None)).unwrap();
        let error = send(&distrusting, "ada@acme.example").await.unwrap_err();
        assert_eq!(error, (ErrorKind::Misconfigured, Outcome::NotApplied), "{tls:?}");
        let mut other_name = with_login(server.port(), tls);
        other_name.host = "127.0.0.1".to_owned();
        let error = send(&try_mailer(other_name, &trusting).unwrap(), "ada@acme.example").await.unwrap_err();
        assert_eq!(error, (ErrorKind::Misconfigured, Outcome::NotApplied), "{tls:?}");
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn missing_tls_is_refused() {
    let server = SmtpServer::start(Security::Plain);
    let mut config = with_login(server.port(), SmtpTls::Starttls);
    let error = send(&mailer(config.clone()), "ada@acme.example").await.unwrap_err();
    assert_eq!(error, (ErrorKind::Misconfigured, Outcome::NotApplied));
    config.tls = SmtpTls::Implicit;
    assert!(send(&mailer(config), "ada@acme.example").await.is_err());
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn refusals_have_their_kinds_and_outcomes() {
    use ErrorKind::{PermissionDenied, State, Unavailable};
    for (recipient, kind, outcome) in [
        ("undeliverable", State, Outcome::NotApplied),
        ("relay", PermissionDenied, Outcome::NotApplied),
        ("later", Unavailable, Outcome::NotApplied),
        ("refused-content", State, Outcome::NotApplied),
        ("later-content", Unavailable, Outcome::NotApplied),
        ("crash-at-rcpt", Unavailable, Outcome::NotApplied),
        // The server may have kept the mail before it ended.
        ("crash-at-end", Unavailable, Outcome::Unknown),
    ] {
        let server = SmtpServer::start(Security::Plain);
        let mailer = mailer(plain(server.port()));
        let error = send(&mailer, &format!("{recipient}@acme.example")).await.unwrap_err();
        assert_eq!(error, (kind, outcome), "{recipient}");
        assert!(server.mails().is_empty());
    }
    let error = send(&mailer(plain(unused_address().port())), "ada@acme.example").await.unwrap_err();
    assert_eq!(error, (ErrorKind::Unavailable, Outcome::NotApplied));
}

#[tokio::test]
async fn hostile_addresses_send_no_mail() {
    let server = SmtpServer::start(Security::Plain);
    let mailer = mailer(plain(server.port()));
    for email in ["ada>@acme.example", "\"ada> SIZE=1\"@acme.example", "ada,eve@acme.example", "ada eve@acme.example"] {
        let error = mailer.send(&ample(), MailKind::Verification, &user(email)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "{email}");
    }
    assert_eq!(send(&mailer, "ädä@bücher.example").await, Ok(()));
    assert!(server.mails().len() == 1 && server.text(0).contains("ädä@bücher.example"));
}

#[tokio::test]
async fn silent_server_ends_at_the_deadline() {
    let server = SmtpServer::start(Security::Plain);
    let context = context(None);
    let mailer = try_mailer(plain(server.port()), &context).unwrap();
    server.pause();
    let scope = CallScope::new("test", Duration::from_millis(300));
    let user = user("ada@acme.example");
    let sent = mailer.send(&scope, MailKind::Verification, &user);
    let error = tokio::time::timeout(Duration::from_secs(2), sent).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
    let error = mailer.send(&scope, MailKind::Verification, &user).await.unwrap_err();
    assert_eq!((error.kind(), scope.recorder().outcome()), (ErrorKind::Timeout, Outcome::NotApplied));
    let counters = context.outbound.counters;
    assert_eq!((counters.requests(), counters.attempts(AttemptResult::Abandoned)), (1, 1), "none after the deadline");
}

/// Starts a server that answers each connection with the first text, and each line that it receives with the next one.
async fn scripted(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut received = [0; 4096];
            for answer in answers {
                stream.write_all(answer.as_bytes()).await.unwrap();
                if stream.read(&mut received).await.unwrap_or(0) == 0 {
                    break;
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn answers_before_the_handshake_are_refused() {
    let port =
        scripted(&["220 mail\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n"]).await;
    let error = send(&mailer(with_login(port, SmtpTls::Starttls)), "ada@acme.example").await.unwrap_err();
    assert_eq!(error, (ErrorKind::InvalidResponse, Outcome::NotApplied));
}

#[tokio::test]
async fn answers_that_are_no_replies_are_refused() {
    static ENDLESS: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "220".repeat(100_000));
    static LONG: std::sync::LazyLock<[&'static str; 1]> = std::sync::LazyLock::new(|| [ENDLESS.as_str()]);
    for answers in [&["HTTP/1.1 400 Bad Request\r\n"][..], &["220 mail\r\n", "250-a\r\n999 b\r\n"], &*LONG] {
        let error = send(&mailer(plain(scripted(answers).await)), "ada@acme.example").await.unwrap_err();
        assert_eq!(error, (ErrorKind::InvalidResponse, Outcome::NotApplied));
    }
}

#[test]
fn wrong_settings_are_named() {
    let denied = ConnectorContext {
        outbound: OutboundPolicy { private_networks: PrivateNetworks::Deny, ..OutboundPolicy::default() },
        ..context(None)
    };
    assert!(try_mailer(plain(25), &denied).is_ok(), "addresses are checked when they are used");
    let both = MailerConfig::new(Secret::new(KEY)).with_url("http://localhost:1").with_smtp(plain(25));
    for config in [both, MailerConfig::new(Secret::new(KEY))] {
        let error = Mailer::new(&config, &context(None)).err().unwrap();
        assert!(error.to_string().contains("either `url` or `smtp`"), "{error}");
    }
    let mut remote = plain(25);
    remote.host = "smtp.acme.example".to_owned();
    let mut page = plain(25);
    page.reset_url = Some("http://app.acme.example".to_owned());
    let mut sender = plain(25);
    sender.from = "Acme".to_owned();
    let mut template = plain(25);
    template.verification.text_file = Some("/no/such/file".into());
    for (config, part) in
        [(remote, "`mail.smtp.tls`"), (page, "`reset_url`"), (sender, "`mail.smtp.from`"), (template, "/no/such/file")]
    {
        let error = try_mailer(config, &context(None)).err().unwrap();
        assert!(error.to_string().contains(part) && error.context("setting") == Some("mail"), "{error}");
    }
}

#[test]
fn mails_without_page_are_unsupported() {
    let own = mailer(plain(25));
    assert!(own.support(MailKind::Verification, true).is_possible());
    assert!(!own.support(MailKind::Verification, false).is_possible(), "the bridge's page marks addresses");
    let mut config = plain(25);
    config.reset_url = None;
    config.verification_url = Some("https://app.acme.example/verify".to_owned());
    let other = mailer(config.clone());
    assert!(other.support(MailKind::Verification, false).is_possible());
    assert!(matches!(other.support(MailKind::PasswordReset, true), Support::Unsupported { .. }));
    config.verification_url = None;
    let homeless = try_mailer(config, &ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap();
    assert!(!homeless.support(MailKind::Verification, true).is_possible());
}
