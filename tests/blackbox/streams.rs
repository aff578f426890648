//! Tests of a blocked, closed or full standard output and log: callers are not affected, and the bridge stops in time.
//!
//! `under_load/broken_log.rs` measures the calls.

use std::fs::OpenOptions;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, Lines};
use crate::support::http::Request;
use crate::support::program::{command, finish};

/// Number of calls whose log lines fit neither a pipe nor the queue.
const CALLS: usize = 5_000;

/// Returns a file on a full disk.
pub(crate) fn full() -> Stdio {
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
fn lost_lines_are_reported_after_recovery() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    for _ in 0..CALLS {
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
fn broken_output_does_not_block_calls() {
    let configured = Configured::with_tenant_keys("");
    for output in [full(), closed_pipe()] {
        let bridge = Bridge::serve_with_output(&configured.config(), output);
        assert_served(&bridge);
        assert_stops(bridge);
    }
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
