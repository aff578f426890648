//! Tests of the pages for operators and of the salt of user hashes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, until};
use crate::support::http::{Reply, Request};

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
    let bridge = Configured::with_server_keys(PROBES).serve();
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
    let bridge = Configured::with_server_keys(PROBES).serve();
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
    assert_eq!(Request::new("POST", "/log-level").send(&probes).status, 405);
    assert_eq!(Request::get("/log-level").send(bridge.address()).status, 404, "not on the main listener");
    assert_eq!(Request::get("/log-level").send(&probes).json(), json!({"filter": "info", "configured": "info"}));
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
