//! Tests of the export of traces, with a collector of the tests' own.

use std::time::Instant;

use idp_bridge_test_http::{Server, answer};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rustix::process::Signal;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::fixture::{Configured, signer};
use crate::receiver::{Receiver, attribute, hex};
use crate::support::bridge::{Bridge, until};
use crate::support::http::Request;
use crate::tls::Pair;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

const DEFINITION: &str = include_str!("../../crates/idp-bridge-connector-http/tests/it/sample.toml");

/// A bridge to an identity provider of the test, which answers each second request only.
struct Stage {
    bridge: Bridge,
    upstream: Server,
    _configured: Configured,
    _runtime: Runtime,
}

impl Stage {
    fn start(more: &str) -> Self {
        Self::start_with_authority(more, "")
    }

    /// Starts a bridge with a certificate authority in the file `ca.pem`.
    fn start_with_authority(more: &str, authority: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let user = json!({"id": "u-seeded", "email": "ada@acme.example", "customer": "c-seeded"}).to_string();
        let upstream = runtime.block_on(Server::start(move |number, _| match number % 2 {
            0 => answer(503, &[], ""),
            _ => answer(200, &["content-type: application/json"], &user),
        }));
        let configured = Configured::new(&format!(
            "[server]\nshutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"\n{more}\n\
             [tenants.acme]\nwebhook_keys_file = [\"webhook\"]\n[tenants.acme.connector]\ntype = \"http\"\n\
             definition_file = \"sample.toml\"\nsettings.url = \"{0}\"\nsettings.public = \"{0}\"\nsecrets.key = \"key-seeded\"\n",
            upstream.base()
        ));
        configured.write("sample.toml", DEFINITION);
        configured.write("ca.pem", authority);
        let bridge = configured.serve();
        Self { bridge, upstream, _configured: configured, _runtime: runtime }
    }

    fn get_user(&self, traceparent: Option<String>) {
        let mut call = signer().call("users.get_by_id", json!({"id": "u-seeded"}));
        if let Some(traceparent) = traceparent {
            call = call.header("traceparent", traceparent);
        }
        let reply = call.send(self.bridge.address());
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Returns the `traceparent` of each request to the identity provider.
    fn sent_traceparents(&self) -> Vec<Option<String>> {
        let find = |head: &str| head.lines().find_map(|line| line.strip_prefix("traceparent: ").map(str::to_owned));
        self.upstream.received().iter().map(|request| find(&request.head)).collect()
    }

    fn metric(&self, series: &str) -> Option<f64> {
        let metrics = Request::get("/metrics").send(&self.bridge.probes_address()).body;
        metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }
}

/// Checks the spans of a call that was answered at the second attempt.
fn check_spans(spans: &[Span], stage: &Stage) {
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let [request] = named("POST /v1/tenants/{tenant}/webhook")[..] else { panic!("{spans:#?}") };
    let ([verify], [dispatch]) = (&named("verify")[..], &named("dispatch")[..]) else { panic!("{spans:#?}") };
    let [first, second] = named("GET")[..] else { panic!("{spans:#?}") };
    assert_eq!((hex(&request.parent_span_id).as_str(), request.kind()), (CALLER, SpanKind::Server));
    let parents = [verify, dispatch, first, second].map(|span| span.parent_span_id.clone());
    let (request_id, dispatch_id) = (request.span_id.clone(), dispatch.span_id.clone());
    assert_eq!(parents, [request_id.clone(), request_id, dispatch_id.clone(), dispatch_id]);
    for (span, key, value) in [
        (request, "http.request.method", "POST"),
        (request, "http.response.status_code", "200"),
        (request, "idp_bridge.tenant", "acme"),
        (request, "idp_bridge.call", "users.get_by_id"),
        (first, "http.response.status_code", "503"),
        (first, "error.type", "503"),
        (first, "server.address", "localhost"),
        (second, "http.response.status_code", "200"),
        (second, "http.request.resend_count", "1"),
        (second, "idp_bridge.breaker", "closed"),
    ] {
        assert_eq!(attribute(span, key).as_deref(), Some(value), "{key} of {}", span.name);
    }
    assert_eq!([first, second].map(Span::kind), [SpanKind::Client; 2]);
    for span in spans {
        let is_within = request.start_time_unix_nano <= span.start_time_unix_nano
            && span.end_time_unix_nano <= request.end_time_unix_nano + 1_000_000;
        assert!(is_within && span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
    }
    let sent = [first, second].map(|span| Some(format!("00-{TRACE}-{}-01", hex(&span.span_id))));
    assert_eq!(stage.sent_traceparents(), sent, "each attempt sends its own span");
}

fn check_export(receiver: &Receiver, protocol: &str, authority: Option<&str>) {
    let ca_file = if authority.is_some() { "\nca_file = \"ca.pem\"" } else { "" };
    let table = format!(
        "[traces]\nendpoint = \"{}\"\nprotocol = \"{protocol}\"\nsample_ratio = 0.0\nheaders = \"x-key: header-of-ours\"{ca_file}",
        receiver.url()
    );
    let stage = Stage::start_with_authority(&table, authority.unwrap_or_default());
    stage.get_user(Some(format!("00-{TRACE}-{CALLER}-01")));
    check_spans(&receiver.wait_for_trace(TRACE), &stage);
    let texts = receiver.texts();
    assert!(texts.iter().all(|text| text.contains("header-of-ours")), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("service.name") && text.contains("idp-bridge")), "{texts:?}");
    for seeded in ["seeded", "ada@", "whsec"] {
        assert!(!texts.iter().any(|text| text.contains(seeded)), "{seeded}: {texts:?}");
    }
    let line = stage.bridge.wait_for_log("users.get_by_id");
    assert!(line.contains(&format!("\"trace.id\":\"{TRACE}\"")), "{line}");
    let exported = || stage.metric("idp_bridge_trace_spans_total{result=\"exported\"}").filter(|spans| *spans > 0.0);
    assert_eq!(until(exported), Some(5.0));
}

#[test]
fn spans_are_exported_over_http() {
    check_export(&Receiver::over_http(200), "http", None);
}

#[test]
fn spans_are_exported_over_grpc() {
    check_export(&Receiver::over_grpc(None), "grpc", None);
}

#[test]
fn spans_are_exported_over_tls() {
    let pair = Pair::issue();
    check_export(&Receiver::over_https(&pair), "http", Some(&pair.certificate));
    check_export(&Receiver::over_grpc(Some(&pair)), "grpc", Some(&pair.certificate));
}

#[test]
fn collector_with_other_certificate_gets_no_span() {
    let (pair, other) = (Pair::issue(), Pair::issue());
    for (receiver, protocol) in [(Receiver::over_https(&pair), "http"), (Receiver::over_grpc(Some(&pair)), "grpc")] {
        let url = receiver.url();
        let table = format!("[traces]\nendpoint = \"{url}\"\nprotocol = \"{protocol}\"\nca_file = \"ca.pem\"");
        let stage = Stage::start_with_authority(&table, &other.certificate);
        stage.get_user(None);
        let failed = || stage.metric("idp_bridge_trace_spans_total{result=\"failed\"}").filter(|spans| *spans > 0.0);
        assert_eq!(until(failed), Some(5.0), "{protocol}");
        assert!(receiver.spans().is_empty(), "{protocol}");
    }
}

#[test]
fn unsampled_traces_are_passed_on_only() {
    let receiver = Receiver::over_http(200);
    let stage = Stage::start(&format!("[traces]\nendpoint = \"{}\"\nsample_ratio = 0.0", receiver.url()));
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    stage.get_user(Some(unsampled.clone()));
    stage.get_user(None);
    assert_eq!(stage.sent_traceparents(), [Some(unsampled.clone()), Some(unsampled), None, None]);
    let mut bridge = stage.bridge;
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
    assert!(receiver.spans().is_empty(), "{:?}", receiver.spans());
}

#[test]
fn traceparent_is_passed_on_without_traces() {
    let stage = Stage::start("");
    let caller = format!("00-{TRACE}-{CALLER}-01");
    stage.get_user(Some(caller.clone()));
    assert_eq!(stage.sent_traceparents(), [Some(caller.clone()), Some(caller)]);
    assert_eq!(stage.metric("idp_bridge_trace_spans_total{result=\"exported\"}"), None);
}

#[test]
fn last_spans_are_sent_when_the_bridge_stops() {
    let receiver = Receiver::over_grpc(None);
    let stage = Stage::start(&format!("[traces]\nendpoint = \"{}\"\nprotocol = \"grpc\"", receiver.url()));
    stage.get_user(None);
    let mut bridge = stage.bridge;
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
    assert_eq!(receiver.spans().len(), 5, "{:?}", receiver.spans());
}

#[test]
fn absent_collector_fails_no_call() {
    for (endpoint, protocol) in [
        (Receiver::over_http(400).url().to_owned(), "http"),
        (format!("http://{}", idp_bridge_test_http::unused_address()), "grpc"),
    ] {
        let stage = Stage::start(&format!("[traces]\nendpoint = \"{endpoint}\"\nprotocol = \"{protocol}\""));
        stage.get_user(None);
        let failed = || stage.metric("idp_bridge_trace_spans_total{result=\"failed\"}").filter(|spans| *spans > 0.0);
        assert_eq!(until(failed), Some(5.0), "{protocol}");
        stage.bridge.wait_for_log("spans are lost");
        stage.get_user(None);
        let mut bridge = stage.bridge;
        let stopped = Instant::now();
        bridge.signal(Signal::TERM);
        assert_eq!(bridge.wait_for_exit().code(), Some(0));
        assert!(stopped.elapsed().as_secs() < 5, "{protocol}: {:?}", stopped.elapsed());
        assert_eq!(bridge.log().iter().filter(|line| line.contains("spans are lost")).count(), 1, "logged once");
    }
}

#[test]
fn wrong_headers_are_refused_without_showing_them() {
    let configured = Configured::with_server_keys("[traces]\nendpoint = \"http://127.0.0.1:1\"\nheaders = \"hunter2\"");
    let output = crate::support::program::command(configured.folder()).args(["check"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("line 1 is not a header") && !message.contains("hunter2"), "{message}");
    assert_eq!(output.status.code(), Some(2));
}
