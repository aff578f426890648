//! Standard output and the log in trouble: nothing of it reaches a caller, and the bridge still stops when it should.

use std::fs::OpenOptions;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, Lines};
use crate::support::http::Request;
use crate::support::program::{command, finish};

/// Calls that a pipe without a reader cannot hold the log lines of.
const CALLS: usize = 1_000;
/// Calls that the queue cannot hold the log lines of, either.
const MORE_CALLS: usize = 5_000;

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[track_caller]
fn is_served(bridge: &Bridge) {
    let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &json!("u-1")));
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
}

#[track_caller]
fn stops(mut bridge: Bridge) {
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.ended().code(), Some(0));
}

#[test]
fn an_unread_log_stops_no_call() {
    let configured = Configured::with("");
    let (bridge, pipe) = Bridge::unread_log(&configured.config());
    for _ in 0..CALLS {
        is_served(&bridge);
    }
    stops(bridge);
    drop(pipe);
}

#[test]
fn lost_lines_are_reported_when_the_log_is_read_again() {
    let configured = Configured::with("");
    let (bridge, pipe) = Bridge::unread_log(&configured.config());
    for _ in 0..MORE_CALLS {
        let refused = Request::new("POST", "/v1/tenants/acme/webhook").body("{}").send(bridge.address());
        assert!(refused.status >= 400, "{refused:?}");
    }
    let log = Lines::of(pipe);
    let line = log.wait_for("lines of the log were lost").unwrap();
    assert!(line.contains("\"level\":\"WARN\"") && line.contains("\"lines\":"), "{line}");
    is_served(&bridge);
    stops(bridge);
}

#[test]
fn a_closed_log_stops_no_call() {
    let configured = Configured::with("");
    let (bridge, pipe) = Bridge::unread_log(&configured.config());
    drop(pipe);
    is_served(&bridge);
    let deleted = signer().call("users.delete", json!({"id": "u-2"})).send(bridge.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    stops(bridge);
}

#[test]
fn a_full_disk_stops_no_call() {
    let configured = Configured::with("");
    let bridge = Bridge::with_log(&configured.config(), full());
    is_served(&bridge);
    let deleted = signer().call("users.delete", json!({"id": "u-2"})).send(bridge.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    stops(bridge);
}

#[test]
fn a_broken_standard_output_stops_no_call() {
    let configured = Configured::with("");
    for output in [full(), closed_pipe()] {
        let bridge = Bridge::with_output(&configured.config(), output);
        is_served(&bridge);
        stops(bridge);
    }
}

/// A pipe without a reader.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_misspelt_level_is_refused() {
    let configured = Configured::with("");
    for command_line in ["check", "serve"] {
        let ran = finish(command(configured.folder()).arg(command_line).env("IDP_BRIDGE_LOG", "warning")).with_code(2);
        assert!(ran.stderr.contains("`IDP_BRIDGE_LOG`") && ran.stderr.contains("did you mean `warn`?"), "{ran:?}");
    }
    let configured = Configured::of("[server]\nlog.filter = \"inf\"\n");
    for command_line in ["check", "serve"] {
        let ran = finish(command(configured.folder()).arg(command_line)).with_code(2);
        assert!(ran.stderr.contains("server.log.filter") && ran.stderr.contains("did you mean `info`?"), "{ran:?}");
    }
}
