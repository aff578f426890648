//! Tests of the pages for operators and of the salt of user hashes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Reply, Request};
use crate::support::program;

const PROBES: &str = "shutdown_delay = \"0s\"\nmetrics_listen = \"127.0.0.1:0\"";

fn put_level(probes: &str, body: Value) -> Reply {
    Request::new("PUT", "/log-level").json(&body).send(probes)
}

fn get_user(bridge: &Bridge) {
    let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn log_level_changes_for_a_time() {
    let bridge = Configured::with_server_keys(PROBES).serve_at_info();
    let probes = bridge.probes_address();
    let shown = Request::get("/log-level").send(&probes);
    assert_eq!((shown.status, shown.json()), (200, json!({"filter": "info", "configured": "info"})));
    let changed = put_level(&probes, json!({"filter": "debug", "for": "2s"}));
    assert_eq!((changed.status, &changed.json()["filter"]), (200, &json!("debug")), "{changed:?}");
    assert!(changed.json()["until"].is_string());
    // A connection that breaks off is logged at `debug`.
    until(|| {
        let mut stream = std::net::TcpStream::connect(bridge.address()).unwrap();
        std::io::Write::write_all(&mut stream, b"nonsense\r\n\r\n").unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 512]);
        bridge.log().iter().any(|line| line.contains("\"DEBUG\"")).then_some(())
    })
    .expect("lines at debug");
    bridge.wait_for_log("the configured log filter is applied again");
    assert_eq!(Request::get("/log-level").send(&probes).json()["filter"], "info");
    let log = bridge.log();
    let end = log.iter().position(|line| line.contains("applied again")).unwrap();
    assert!(log[end..].iter().all(|line| !line.contains("\"DEBUG\"")));
}

#[test]
fn invalid_log_level_changes_nothing() {
    let bridge = Configured::with_server_keys(PROBES).serve_at_info();
    let probes = bridge.probes_address();
    for body in [
        json!({"filter": "warning"}),
        json!({"filter": "debug", "for": "0s"}),
        json!({"filter": "debug", "for": "25h"}),
        json!({"filter": "debug", "fro": "1m"}),
        json!({}),
    ] {
        let refused = put_level(&probes, body.clone());
        assert_eq!(refused.problem(), (400, "invalid_request".into()), "{body}");
    }
    assert!(put_level(&probes, json!({"filter": "warning"})).json()["detail"].to_string().contains("`warn`"));
    let form = Request::new("PUT", "/log-level").body(r#"{"filter": "debug"}"#).send(&probes);
    assert_eq!((form.status, &form.json()["detail"]), (415, &json!("send `content-type: application/json`")));
    assert_eq!(Request::new("POST", "/log-level").send(&probes).status, 405);
    assert_eq!(Request::get("/log-level").send(bridge.address()).status, 404, "not on the main listener");
    assert_eq!(Request::get("/log-level").send(&probes).json(), json!({"filter": "info", "configured": "info"}));
    assert!(!bridge.log().iter().any(|line| line.contains("replaces the log filter")), "{:?}", bridge.log());
}

/// Runs `idp-bridge explain` against a bridge.
fn explain(probes: &str, arguments: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{probes}");
    program::command(folder.path()).args(["explain", "--url", &url]).args(arguments).output().unwrap()
}

#[test]
fn failed_call_is_explained() {
    let bridge = Configured::with_server_keys(PROBES).serve();
    let probes = bridge.probes_address();
    let reply = signer().call("users.get_by_id", json!({"id": "missing"})).send(bridge.address());
    let id = reply.header("x-request-id").unwrap();
    let explained = explain(&probes, &[id]);
    let text = String::from_utf8(explained.stdout).unwrap();
    assert_eq!(explained.status.code(), Some(0), "{text}");
    for part in ["users.get_by_id", "acme (memory)", "404 user_not_found", "verify", "dispatch", "cause     "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let as_json: Value = serde_json::from_slice(&explain(&probes, &[id, "--json"]).stdout).unwrap();
    assert_eq!((&as_json["request_id"], &as_json["code"]), (&json!(id), &json!("user_not_found")));
    assert!(!as_json.to_string().contains("missing"), "{as_json}");
    let steps = as_json["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap());
    assert_eq!(steps.collect::<Vec<_>>(), ["verify", "dispatch"]);
}

#[test]
fn explain_says_why_it_has_no_call() {
    let bridge = Configured::with_server_keys(PROBES).serve();
    let probes = bridge.probes_address();
    for (address, id, part) in [
        (probes.clone(), "0123456789abcdef", "recent_calls"),
        (bridge.address().to_owned(), "0123456789abcdef", "server.metrics_listen"),
        (idp_bridge_test_http::unused_address().to_string(), "0123456789abcdef", "server.metrics_listen"),
    ] {
        let explained = explain(&address, &[id]);
        let message = String::from_utf8(explained.stderr).unwrap();
        assert_eq!(explained.status.code(), Some(1), "{message}");
        assert!(message.contains("hint:") && message.contains(part), "{part}: {message}");
    }
    let wrong = explain(&probes, &["../metrics"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("x-request-id"));
}

/// Runs `idp-bridge explain` against a server that answers with this text and closes the connection.
fn explain_answer(answer: &'static str) -> std::process::Output {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap() > 0);
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
    });
    let explained = explain(&address, &["0123456789abcdef"]);
    server.join().unwrap();
    explained
}

#[test]
fn unreadable_response_is_a_negative_answer() {
    for (answer, part) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", "the bridge's response cannot be read"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "not that of a bridge of this version"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{", "not that of a bridge of this version"),
    ] {
        let explained = explain_answer(answer);
        let message = String::from_utf8(explained.stderr).unwrap();
        assert!(explained.status.code() == Some(1) && message.contains(part), "{part}: {message}");
    }
}

#[test]
fn last_calls_of_a_tenant_are_listed() {
    let bridge = Configured::with_server_keys(PROBES).serve();
    let probes = bridge.probes_address();
    get_user(&bridge);
    signer().call("users.get_by_id", json!({"id": "u-1"})).body("{}").send(bridge.address());
    let list = |query: &str| Request::get(&format!("/calls{query}")).send(&probes);
    let codes = |reply: Reply| -> Vec<String> {
        let calls = reply.json()["calls"].as_array().unwrap().clone();
        calls.iter().map(|call| call["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(list("?tenant=acme")), ["invalid_signature", "ok"]);
    assert_eq!(codes(list("")), ["invalid_signature", "ok"]);
    assert_eq!(codes(list("?tenant=other")), [""; 0]);
    assert_eq!(list("?user=u-1").problem(), (400, "invalid_request".into()));
    assert_eq!(Request::new("POST", "/calls").send(&probes).status, 405);
    assert_eq!(Request::get("/calls").send(bridge.address()).status, 404, "not on the main listener");
}

#[test]
fn user_hashes_survive_restart_with_state_dir() {
    let configured = Configured::with_server_keys("shutdown_delay = \"0s\"\nstate_dir = \".\"");
    let hash = || {
        let mut bridge = configured.serve();
        get_user(&bridge);
        let line = bridge.wait_for_log("users.get_by_id");
        bridge.signal(Signal::TERM);
        assert_eq!(bridge.wait_for_exit().code(), Some(0));
        serde_json::from_str::<Value>(&line).unwrap()["user.hash"].as_str().unwrap().to_owned()
    };
    let first = hash();
    assert_eq!((first.len(), &first), (16, &hash()));
    std::fs::remove_file(configured.folder().join("user-salt")).unwrap();
    assert_ne!(first, hash());
}
