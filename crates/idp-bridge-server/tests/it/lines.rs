//! Log lines (section 10): one per call, without personal data and secrets.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use idp_bridge_connector_memory::sample_users;
use idp_bridge_core::{Error, ErrorKind};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

use crate::bridge::{Bridge, envelope, memory, platform_key, signed, tenant, verifying};
use crate::http::{Request, within};
use crate::scripted::Scripted;

/// The log as JSON lines.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects the log of this thread until the guard is dropped. The runtime of the tests has one thread.
    pub(crate) fn begin(&self) -> tracing::subscriber::DefaultGuard {
        // With a single subscriber, tracing caches the interest of the first thread that emits an event,
        // which may belong to another test. A second subscriber prevents this.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| {
            Dispatch::new(
                tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink).finish(),
            )
        });
        LazyLock::force(&SECOND);
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_default(subscriber.with_writer(self.clone()).finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Returns the lines of calls.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        lines.into_iter().filter(|line| line.get("surface").is_some()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn call_is_one_line_without_user() {
    let log = Log::default();
    let _guard = log.begin();
    let bridge = Bridge::with_samples().await;
    let answer = bridge.call("users.get_by_email", json!({"email": "ada@acme.example"})).await;
    bridge.call("users.get_by_id", json!({"id": "u-1"})).await;
    let [one, two] = log.lines().try_into().unwrap();
    assert_eq!(one["request.id"], answer.header("x-request-id").unwrap());
    for (field, value) in [
        ("level", json!("INFO")),
        ("tenant.id", json!("acme")),
        ("connector", json!("memory")),
        ("surface", json!("webhook")),
        ("call", json!("users.get_by_email")),
        ("code", json!("ok")),
        ("status", json!(200)),
        ("upstream.requests", json!(0)),
        ("upstream.attempts", json!(0)),
    ] {
        assert_eq!(one[field], value, "{field}");
    }
    assert!(one["duration_ms"].is_u64());
    assert_eq!(one["user.hash"].as_str().unwrap().len(), 16);
    assert_eq!(one["user.hash"], two["user.hash"]);
    for secret in ["ada@", "u-1", "cust-1", "v1a,"] {
        assert!(!log.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn line_identifies_caller_key_and_trace() {
    let log = Log::default();
    let _guard = log.begin();
    let bridge = Bridge::with_samples().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = signed(&envelope("users.get_by_id", json!({"id": "u-1"})));
    let webhook_id = call.headers.iter().find(|(name, _)| name == "webhook-id").unwrap().1.clone();
    bridge.send(&call.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))).await;
    let [line] = log.lines().try_into().unwrap();
    assert_eq!((&line["webhook.id"], &line["trace.id"]), (&json!(webhook_id), &json!(trace)));
    assert_eq!((&line["peer"], &line["key.id"]), (&json!("127.0.0.1"), &json!(verifying(&platform_key()).id())));
}

#[tokio::test]
async fn unsigned_call_has_no_webhook_id() {
    let log = Log::default();
    let _guard = log.begin();
    let bridge = Bridge::with_samples().await;
    let call = signed(&envelope("users.get_by_id", json!({"id": "u-1"}))).body("{}");
    assert_eq!(bridge.send(&call.header("traceparent", "00-nonsense")).await.status, 401);
    let [line] = log.lines().try_into().unwrap();
    for absent in ["webhook.id", "key.id", "trace.id"] {
        assert!(line.get(absent).is_none(), "{absent}: {line}");
    }
    assert_eq!(line["peer"], "127.0.0.1");
}

#[tokio::test]
async fn failure_line_contains_causes_and_requests() {
    let log = Log::default();
    let _guard = log.begin();
    let provider = Scripted::new(|_, scope| async move {
        scope.recorder().count_request();
        scope.recorder().count_attempt();
        scope.recorder().count_attempt();
        scope.recorder().begin_write();
        let cause = std::io::Error::other("connection refused");
        Err(Error::upstream(ErrorKind::Unavailable, "cannot reach it").with("step", "delete").with_source(cause))
    });
    let bridge = Bridge::with_provider(provider).await;
    bridge.call("users.delete", json!({"id": "u-secret"})).await;
    let [line] = log.lines().try_into().unwrap();
    assert_eq!((&line["level"], &line["code"]), (&json!("WARN"), &json!("upstream_unavailable")));
    assert_eq!((&line["status"], &line["outcome"]), (&json!(503), &json!("unknown")));
    assert_eq!((&line["upstream.requests"], &line["upstream.attempts"]), (&json!(1), &json!(2)));
    assert_eq!(line["error"], "cannot reach it (step: delete): connection refused");
    assert!(!log.text().contains("u-secret"));
}

#[tokio::test]
async fn concealed_password_reset_is_logged() {
    let log = Log::default();
    let _guard = log.begin();
    let bridge = Bridge::with_samples().await;
    let email = json!({"email": "unknown@acme.example"});
    assert_eq!(bridge.call("users.send_password_reset_email", email).await.status, 200);
    let [line] = log.lines().try_into().unwrap();
    assert_eq!((&line["status"], &line["code"]), (&json!(200), &json!("user_not_found")));
    assert_eq!((&line["concealed"], &line["error"]), (&json!(true), &json!("no such user")));
    assert!(!log.text().contains("unknown@"));
}

#[tokio::test]
async fn abandoned_call_is_logged() {
    let log = Log::default();
    let _guard = log.begin();
    let begun = Arc::new(Semaphore::new(0));
    let provider = Scripted::new({
        let begun = Arc::clone(&begun);
        move |_, _| {
            begun.add_permits(1);
            std::future::pending()
        }
    });
    let bridge = Bridge::with_provider(provider).await;
    let caller = bridge.begin(&signed(&envelope("users.get_by_id", json!({"id": "u"})))).await;
    within(begun.acquire()).await.unwrap().forget();
    drop(caller);
    let abandoned = async {
        while log.lines().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(abandoned).await;
    let [line] = log.lines().try_into().unwrap();
    assert_eq!((&line["code"], &line["call"]), (&json!("abandoned"), &json!("users.get_by_id")));
}

#[tokio::test]
async fn refused_callers_are_logged_without_their_text() {
    let log = Log::default();
    let _guard = log.begin();
    let mut acme = tenant("acme", memory(sample_users()));
    acme.tokens.clear();
    let bridge = Bridge::start([acme]).await;
    let secret = "Bearer secret-token";
    let request = Request::new("GET", "/v1/tenants/unknown/users/u-secret?q=secret").header("authorization", secret);
    bridge.send(&request).await;
    let webhook = Request::new("POST", "/v1/tenants/unknown/webhook").json(&json!({"secret": 1}));
    bridge.send(&webhook.header("webhook-id", "secret")).await;
    let lines = log.lines();
    let codes: Vec<_> = lines.iter().map(|line| (&line["tenant.id"], &line["code"], &line["status"])).collect();
    let unknown = json!("unknown");
    assert_eq!(
        codes,
        [(&unknown, &json!("invalid_token"), &json!(401)), (&unknown, &json!("invalid_signature"), &json!(401))]
    );
    assert!(!log.text().contains("secret"), "{}", log.text());
}
