//! Tests of signals and of the drain.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::{Bridge, PATIENCE, until};
use crate::support::http::{Reply, Request, connect, exchange};
use crate::support::program;

/// Starts a bridge before an identity provider that accepts connections and never answers.
fn serve_with_silent_provider(deadline: &str) -> (Bridge, TcpListener, Configured) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let configured = Configured::new(&format!(
        "[server]\nshutdown_delay = \"0s\"\n[tenants.acme]\nwebhook_keys_file = [\"webhook\"]\ndeadline = \"{deadline}\"\n[tenants.acme.connector]\ntype = \"keycloak\"\n\
         url = \"http://{}\"\nrealm = \"r\"\nclient_id = \"c\"\nclient_secret = \"s\"\n",
        silent.local_addr().unwrap()
    ));
    (configured.serve(), silent, configured)
}

/// Sends a call and returns when it has reached the identity provider.
fn call_in_flight(bridge: &Bridge, silent: &TcpListener) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let (address, bytes) =
        (bridge.address().to_owned(), signer().call("users.get_by_id", json!({"id": "u-1"})).to_last_bytes());
    std::thread::spawn(move || sender.send(exchange(&address, &bytes)));
    let (stream, _) = silent.accept().unwrap();
    // The connection stays open for the rest of the test.
    std::mem::forget(stream);
    receiver
}

#[test]
fn calls_in_flight_are_finished() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut bridge, silent, _configured) = serve_with_silent_provider("1s");
        let answer = call_in_flight(&bridge, &silent);
        let mut idle = connect(bridge.address());
        bridge.signal(signal);
        bridge.wait_for_log("stopping");
        let not_ready = until(|| {
            let reply = Request::get("/readyz").send(bridge.address());
            (reply.status == 503).then_some(reply)
        });
        assert_eq!(not_ready.unwrap().problem(), (503, "shutting_down".into()));
        assert_eq!(Reply::parse(&answer.recv().unwrap()).problem(), (504, "deadline_exceeded".into()));
        assert_eq!(bridge.wait_for_exit().code(), Some(0));
        assert_eq!(std::io::Read::read(&mut idle, &mut [0]).unwrap_or(0), 0, "an idle connection is closed");
    }
}

#[test]
fn calls_are_served_during_the_shutdown_delay() {
    let mut bridge = Configured::with_server_keys("shutdown_delay = \"1s\"\nmetrics_listen = \"127.0.0.1:0\"").serve();
    let probes = bridge.probes_address();
    assert_eq!(Request::get("/readyz").send(&probes).status, 200);
    let begun = Instant::now();
    bridge.signal(Signal::TERM);
    bridge.wait_for_log("no longer ready");
    for address in [bridge.address(), &probes] {
        assert_eq!(Request::get("/readyz").send(address).problem(), (503, "shutting_down".into()));
        assert_eq!(Request::get("/healthz").send(address).status, 200);
    }
    let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
    assert!(begun.elapsed().as_millis() >= 1000, "{:?}", begun.elapsed());
}

#[test]
fn second_signal_ends_the_delay() {
    let mut bridge = Configured::with_server_keys("shutdown_delay = \"60s\"").serve();
    bridge.signal(Signal::TERM);
    bridge.wait_for_log("no longer ready");
    bridge.signal(Signal::INT);
    assert_eq!(bridge.wait_for_exit().code(), Some(1));
}

#[test]
fn second_signal_ends_the_bridge() {
    let (mut bridge, silent, _configured) = serve_with_silent_provider("30s");
    let _answer = call_in_flight(&bridge, &silent);
    bridge.signal(Signal::TERM);
    bridge.wait_for_log("stopping");
    let second = Instant::now();
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(1));
    assert!(second.elapsed().as_secs() < 5);
}

#[test]
fn hangup_of_demo_is_ignored() {
    let mut bridge = Bridge::serve_demo();
    bridge.signal(Signal::HUP);
    assert!(bridge.wait_for_log("SIGHUP").contains("ignored"));
    assert_eq!(Request::get("/readyz").send(bridge.address()).status, 200);
    bridge.signal(Signal::TERM);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
}

/// Serves a configuration as a service of systemd, and returns the socket with its notifications.
fn serve_for_systemd(configured: &Configured) -> (Bridge, UnixDatagram) {
    let path = configured.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = program::command(configured.folder());
    command.env("NOTIFY_SOCKET", &path).args(["serve", "--listen", "127.0.0.1:0"]);
    (Bridge::start(&mut command), socket)
}

/// Returns the lines of the next notification.
fn next_notification(socket: &UnixDatagram) -> Vec<String> {
    let mut bytes = [0; 512];
    let length = socket.recv(&mut bytes).unwrap();
    std::str::from_utf8(&bytes[..length]).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn systemd_is_notified_of_each_state() {
    let configured = Configured::with_server_keys("shutdown_delay = \"0s\"");
    let (mut bridge, socket) = serve_for_systemd(&configured);
    assert_eq!(next_notification(&socket), ["READY=1"]);
    assert_eq!(Request::get("/readyz").send(bridge.address()).status, 200);
    bridge.signal(Signal::HUP);
    let reloading = next_notification(&socket);
    assert_eq!(reloading[0], "RELOADING=1");
    let time = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().unwrap() > 0, "{reloading:?}");
    assert_eq!(next_notification(&socket), ["READY=1"]);
    bridge.signal(Signal::TERM);
    assert_eq!(next_notification(&socket), ["STOPPING=1"]);
    assert_eq!(bridge.wait_for_exit().code(), Some(0));
}

#[test]
fn invalid_reload_ends_for_systemd() {
    let configured = Configured::with_server_keys("shutdown_delay = \"0s\"");
    let (bridge, socket) = serve_for_systemd(&configured);
    assert_eq!(next_notification(&socket), ["READY=1"]);
    configured.write("idp-bridge.toml", "[server]\nlisten = 1\n");
    bridge.signal(Signal::HUP);
    let mut seen = vec![next_notification(&socket)];
    while seen.last().unwrap().first().map(String::as_str) != Some("RELOADING=1") {
        seen.push(next_notification(&socket));
    }
    assert_eq!(next_notification(&socket), ["READY=1"], "{seen:?}");
    assert!(bridge.wait_for_log("the configuration is invalid").contains("keep their settings"));
}
