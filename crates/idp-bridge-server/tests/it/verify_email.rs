//! The page that links in mails open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use idp_bridge_core::{CallKind, ConnectorContext, ErrorKind, MailKind, Secret, TenantId};
use idp_bridge_mailer::Signer;

use crate::bridge::{Bridge, limits, memory, tenant};
use crate::clock::{BEGIN, TestClock};
use crate::http::{Answer, Request};
use crate::lines::Log;
use crate::scripted::{ProviderCall, Returned, Scripted, record, upstream};

/// A key for the tests alone.
const KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";
const PATH: &str = "/v1/tenants/acme/verify-email";

/// The tokens of `acme`, with their clock.
struct Mails {
    clock: Arc<TestClock>,
    signer: Arc<Signer>,
}

impl Mails {
    fn new(id: &str) -> Self {
        let clock = Arc::new(TestClock::default());
        let mut context = ConnectorContext::new(TenantId::new(id).unwrap());
        context.clock = Arc::clone(&clock) as Arc<_>;
        Self { signer: Arc::new(Signer::new(&Secret::new(KEY), &context).unwrap()), clock }
    }

    fn token(&self, kind: MailKind) -> String {
        self.signer.issue(kind, &record("u-1", "c-1", "<ada>@acme.example")).unwrap().0.token
    }

    fn verification(&self) -> String {
        self.token(MailKind::Verification)
    }

    /// Starts a bridge for `acme` with a provider, and for `quiet`, which sends no mails.
    async fn bridge(&self, provider: &Scripted) -> Bridge {
        let provider = provider.clone().with_mail_tokens(Arc::clone(&self.signer) as Arc<_>);
        Bridge::start([tenant("acme", provider), tenant("quiet", memory(Vec::new()))]).await
    }
}

/// Returns a provider that marks each address.
fn marking() -> Scripted {
    Scripted::at_once(|call| {
        assert_eq!(call, ProviderCall::Mark);
        Ok(Returned::Done)
    })
}

fn open(token: &str) -> Request {
    Request::new("GET", format!("{PATH}?token={token}"))
}

fn press(token: &str) -> Request {
    let form = Request::new("POST", PATH).with("content-type", "application/x-www-form-urlencoded");
    form.body(format!("token={token}"))
}

/// Checks that a response is a page without scripts and outside assets, and returns its status and title.
fn page(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self'") && !policy.contains("script-src"), "{policy}");
    for word in ["<script", "<img", "<link", "http://", "https://", "src="] {
        assert!(!answer.body.contains(word), "{word}: {}", answer.body);
    }
    let title = answer.body.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    (answer.status, title.to_owned())
}

const STALE: &str = "This link is not valid";
const DONE: &str = "Your email address is confirmed";

#[tokio::test]
async fn link_shows_a_button_and_changes_nothing() {
    let (mails, provider) = (Mails::new("acme"), marking());
    let bridge = mails.bridge(&provider).await;
    let token = mails.verification();
    for query in [format!("token={token}"), format!("utm_source=mail&token={token}&fbclid=1")] {
        let answer = bridge.send(&Request::new("GET", format!("{PATH}?{query}"))).await;
        assert_eq!(page(&answer), (200, "Confirm your email address".to_owned()));
        assert!(answer.body.contains(&format!(r#"<input type="hidden" name="token" value="{token}">"#)));
        assert!(answer.body.contains("&lt;ada&gt;@acme.example") && answer.body.contains(r#"action="verify-email""#));
    }
    let mut connection = bridge.begin(&Request::new("HEAD", format!("{PATH}?token={token}"))).await;
    assert_eq!(connection.answer_to_head().await.unwrap().status, 200);
    assert_eq!(provider.calls(), 0);
}

#[tokio::test]
async fn button_verifies_once() {
    let (mails, provider) = (Mails::new("acme"), marking());
    let bridge = mails.bridge(&provider).await;
    let token = mails.verification();
    for _ in 0..3 {
        assert_eq!(page(&bridge.send(&press(&token)).await), (200, DONE.to_owned()));
    }
    assert_eq!(provider.calls(), 1, "a link works once");
    assert_eq!(page(&bridge.send(&press(&mails.verification())).await), (200, DONE.to_owned()));
    assert_eq!(provider.calls(), 2, "each mail has a link of its own");
}

#[tokio::test]
async fn invalid_links_reach_no_provider() {
    let (mails, provider) = (Mails::new("acme"), marking());
    let bridge = mails.bridge(&provider).await;
    let good = mails.verification();
    let other = Mails::new("hooli").verification();
    for token in ["", "x", &good[1..], &format!("{good}x"), &mails.token(MailKind::PasswordReset), &other] {
        for request in [open(token), press(token)] {
            assert_eq!(page(&bridge.send(&request).await), (400, STALE.to_owned()), "{token}");
        }
    }
    for (path, body) in [
        (PATH, String::new()),
        (PATH, format!("token={good}&token={good}")),
        (PATH, format!("token={good}&id=u-2")),
        ("/v1/tenants/quiet/verify-email", format!("token={good}")),
        ("/v1/tenants/unknown/verify-email", format!("token={good}")),
    ] {
        let mut request = press(&good).body(body.clone());
        path.clone_into(&mut request.target);
        assert_eq!(page(&bridge.send(&request).await), (400, STALE.to_owned()), "{path} {body}");
    }
    let json = bridge.send(&press(&good).with("content-type", "application/json")).await;
    assert_eq!(page(&json).0, 415);
    mails.clock.set(BEGIN + 24 * 3600);
    for request in [open(&good), press(&good)] {
        assert_eq!(page(&bridge.send(&request).await), (400, STALE.to_owned()));
    }
    assert_eq!(provider.calls(), 0);
}

#[tokio::test]
async fn changed_user_makes_the_link_stale() {
    for (kind, status) in [(ErrorKind::Conflict, 409), (ErrorKind::NotFound, 404), (ErrorKind::State, 409)] {
        let mails = Mails::new("acme");
        let bridge = mails.bridge(&Scripted::failing(kind)).await;
        let answer = bridge.send(&press(&mails.verification())).await;
        assert_eq!(page(&answer), (status, STALE.to_owned()));
        assert!(!answer.body.contains("<form"), "{}", answer.body);
    }
}

#[tokio::test]
async fn outage_lets_the_user_try_again() {
    let mails = Mails::new("acme");
    let count = Arc::new(AtomicUsize::new(0));
    let provider = Scripted::at_once(move |_| match count.fetch_add(1, SeqCst) {
        0 => Err(upstream(ErrorKind::Unavailable)),
        _ => Ok(Returned::Done),
    });
    let bridge = mails.bridge(&provider).await;
    let token = mails.verification();
    let answer = bridge.send(&press(&token)).await;
    assert_eq!(page(&answer), (503, "Your email address could not be confirmed".to_owned()));
    assert!(answer.header("retry-after").is_some() && answer.body.contains(&token), "{}", answer.body);
    assert_eq!(page(&bridge.send(&press(&token)).await), (200, DONE.to_owned()));
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn disabled_marks_are_forbidden() {
    let (mails, provider) = (Mails::new("acme"), marking());
    let mut acme = tenant("acme", provider.clone().with_mail_tokens(Arc::clone(&mails.signer) as Arc<_>));
    acme.switched_off.insert(CallKind::MarkEmailVerified);
    let bridge = Bridge::with_limits([acme], limits()).await;
    assert_eq!(page(&bridge.send(&press(&mails.verification())).await).0, 403);
    assert_eq!(provider.calls(), 0);
}

#[tokio::test]
async fn lines_have_neither_token_nor_address() {
    let log = Log::default();
    let _guard = log.begin();
    let mails = Mails::new("acme");
    let bridge = mails.bridge(&marking()).await;
    let token = mails.verification();
    for request in [open(&token), press(&token), press("x")] {
        bridge.send(&request).await;
    }
    let lines = log.lines();
    let fields: Vec<_> =
        lines.iter().map(|line| (line["call"].as_str().unwrap(), line["code"].as_str().unwrap())).collect();
    assert_eq!(fields, [("open_link", "ok"), ("users.mark_email_verified", "ok"), ("open_link", "invalid_request")]);
    assert!(lines.iter().all(|line| line["surface"] == "verify_email"));
    assert!(!log.text().contains(&token) && !log.text().contains("@acme"), "{}", log.text());
}
