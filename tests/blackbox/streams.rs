//! Tests of a blocked, closed or full standard output and log: callers are not affected, and the bridge stops in time.

use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, Lines};
use crate::support::http::Request;
use crate::support::program::{command, finish};

/// Number of calls whose log lines do not fit a pipe.
const CALLS: usize = 1_000;
/// The time for which the reader of the log stalls, the interval between calls, and the duration of a slow one.
const STALL: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(50);
/// Number of calls whose log lines do not fit the queue either.
const MORE_CALLS: usize = 5_000;

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[track_caller]
fn assert_served(bridge: &Bridge) {
    let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!((reply.status, &reply.json()["user"]["id"]), (200, &json!("u-1")));
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
}

#[track_caller]
fn assert_stops(mut bridge: Bridge) {
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
}

#[test]
fn unread_log_does_not_block_calls() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    for _ in 0..CALLS {
        assert_served(&bridge);
    }
    assert_stops(bridge);
    drop(pipe);
}

#[test]
fn lost_lines_are_reported_after_recovery() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    for _ in 0..MORE_CALLS {
        let refused = Request::new("POST", "/v1/tenants/acme/webhook").body("{}").send(bridge.address());
        assert!(refused.status >= 400, "{refused:?}");
    }
    let log = Lines::read(pipe);
    let line = log.wait_for("lines of the log were lost").unwrap();
    assert!(line.contains("\"level\":\"WARN\"") && line.contains("\"lines\":"), "{line}");
    assert_served(&bridge);
    assert_stops(bridge);
}

#[test]
fn closed_log_does_not_block_calls() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    drop(pipe);
    assert_served(&bridge);
    let deleted = signer().call("users.delete", json!({"id": "u-2"})).send(bridge.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    assert_stops(bridge);
}

#[test]
fn full_disk_does_not_block_calls() {
    let configured = Configured::with_tenant_keys("");
    let bridge = Bridge::serve_with_log(&configured.config(), full());
    assert_served(&bridge);
    let deleted = signer().call("users.delete", json!({"id": "u-2"})).send(bridge.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    assert_stops(bridge);
}

#[test]
fn broken_output_does_not_block_calls() {
    let configured = Configured::with_tenant_keys("");
    for output in [full(), closed_pipe()] {
        let bridge = Bridge::serve_with_output(&configured.config(), output);
        assert_served(&bridge);
        assert_stops(bridge);
    }
}

#[test]
fn stalled_log_slows_no_call() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    let begun = Instant::now();
    let mut slow = Vec::new();
    let mut number = 0;
    while begun.elapsed() < STALL || number < CALLS {
        let started = Instant::now();
        let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
        assert_eq!(reply.status, 200, "{reply:?}");
        if started.elapsed() > SLOW {
            slow.push((number, started.elapsed()));
        }
        number += 1;
        // Until the time of the next call at the rate.
        std::thread::park_timeout((INTERVAL * number as u32).saturating_sub(begun.elapsed()));
    }
    // The machine may pause a call, but a log that blocks would pause every call.
    assert!(slow.len() * 1_000 <= number * 5, "{} of {number} calls were slow: {slow:?}", slow.len());
    assert_stops(bridge);
    drop(pipe);
}

/// Returns a pipe without a reader.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn misspelt_log_level_is_rejected() {
    let configured = Configured::with_tenant_keys("");
    for command_line in ["check", "serve"] {
        let ran = finish(command(configured.folder()).arg(command_line).env("IDP_BRIDGE_LOG", "warning")).with_code(2);
        assert!(ran.stderr.contains("`IDP_BRIDGE_LOG`") && ran.stderr.contains("did you mean `warn`?"), "{ran:?}");
    }
    let configured = Configured::new("[server]\nlog.filter = \"inf\"\n");
    for command_line in ["check", "serve"] {
        let ran = finish(command(configured.folder()).arg(command_line)).with_code(2);
        assert!(ran.stderr.contains("server.log.filter") && ran.stderr.contains("did you mean `info`?"), "{ran:?}");
    }
}
