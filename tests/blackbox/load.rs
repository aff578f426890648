//! Tests of the bridge with many connections and bad requests, and of its size.
//!
//! With `IDP_BRIDGE_LOAD=full` in the environment of the build they open 11,000 connections and send 1,000 badly signed calls
//! a second.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::Bridge;
use crate::support::http::{Request, exchange};
use crate::under_load::IS_FULL;

/// The number of connections that send nothing, and of those that send a part of a head.
const IDLE: usize = if IS_FULL { 10_000 } else { 1_000 };
const SLOW: usize = if IS_FULL { 1_000 } else { 100 };
/// The time between two badly signed calls.
const FLOOD_PAUSE: Duration = Duration::from_millis(if IS_FULL { 1 } else { 5 });
/// The number of good calls in a measurement.
const GOOD_CALLS: usize = if IS_FULL { 2_000 } else { 200 };

/// Raises the open file limit, since each connection is an open file on both sides.
pub(crate) fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn half_open_connections_do_not_block() {
    raise_open_file_limit();
    let bridge = Configured::with_tenant_keys("").serve_at_info();
    let mut half_open: Vec<TcpStream> = (0..1000).map(|_| TcpStream::connect(bridge.address()).unwrap()).collect();
    for (number, stream) in half_open.iter_mut().enumerate() {
        let part: &[u8] = match number % 4 {
            0 => b"",
            1 => b"POST /v1/ten",
            2 => b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: ",
            _ => b"POST /v1/tenants/acme/webhook HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        };
        stream.write_all(part).unwrap();
    }
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address()).status, 200);
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    println!(
        "with 1,000 half-open connections: {} kB resident, 20 calls in {:?}",
        bridge.resident_kb(),
        begun.elapsed()
    );
}

/// Repeats an action, and returns the durations, sorted.
fn measure(count: usize, mut action: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            action();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

#[test]
fn idle_connections_take_little_memory() {
    raise_open_file_limit();
    let limits = "limits.connections = 20000\nlimits.connections_per_peer = 15000\nshutdown_delay = \"0s\"";
    let bridge = Configured::with_server_keys(limits).serve_at_info();
    let mut connections = Vec::new();
    for number in 0..IDLE + SLOW {
        let mut stream = TcpStream::connect(bridge.address()).unwrap();
        if number >= IDLE {
            stream.write_all(b"POST /v1/tenants/acme/webhook HTTP/1.1\r\nhost: a\r\nx: ").unwrap();
        }
        connections.push(stream);
    }
    let health = measure(200, || assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200));
    let (p99, resident) = (p99(&health), bridge.resident_kb());
    println!("with {IDLE} idle and {SLOW} slow connections: {resident} kB resident, /healthz p99 {p99:?}");
    assert!(resident < 150 * 1024, "{resident} kB");
    assert!(p99 < Duration::from_millis(250), "{p99:?}");
    drop(connections);
}

#[test]
fn badly_signed_calls_do_not_slow_good_ones() {
    let bridge = Configured::with_tenant_keys("").serve_at_info();
    let call = |id: &str| signer().call("users.get_by_id", json!({"id": id}));
    let measure_good = || measure(GOOD_CALLS, || assert_eq!(call("u-1").send(bridge.address()).status, 200));
    measure_good();
    let before = measure_good();
    let (stop, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let during = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let signature = format!("v1,{}", "A".repeat(43) + "=");
                assert_eq!(call("u-1").with("webhook-signature", &signature).send(bridge.address()).status, 401);
                refused.fetch_add(1, SeqCst);
                std::thread::park_timeout(FLOOD_PAUSE);
            }
        });
        let during = measure_good();
        stop.store(true, SeqCst);
        during
    });
    let (quiet, flooded) = (p99(&before), p99(&during));
    println!("p99 of good calls: {quiet:?}, and {flooded:?} with {} badly signed ones", refused.load(SeqCst));
    assert!(refused.load(SeqCst) > 0);
    assert!(flooded < 10 * quiet + Duration::from_millis(250), "{quiet:?} became {flooded:?}");
}

/// Sends requests that are invalid in many ways.
fn send_bad_requests(bridge: &Bridge, round: usize) {
    let address = bridge.address();
    let id = format!("x{round}");
    let requests = [
        signer().call("users.get_by_id", json!({"id": id})).to_last_bytes(),
        signer().call("users.create", json!({})).to_last_bytes(),
        signer().sign("msg", 1, "{}").to_last_bytes(),
        signer().call("ping", json!({})).with("webhook-id", &id).to_last_bytes(),
        Request::get(&format!("/{}", id.repeat(500))).to_last_bytes(),
        Request::new("POST", "/v1/tenants/acme/webhook").body(vec![b'x'; 20_000]).to_last_bytes(),
        Request::new("POST", format!("/v1/tenants/{id}/webhook")).json(&json!({})).to_last_bytes(),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(30_000)).into_bytes(),
        b"\x00\x01\x02".to_vec(),
    ];
    for bytes in requests {
        if bytes.len() < 10 {
            // An incomplete head, then the end of the connection.
            drop(TcpStream::connect(address).unwrap().write_all(&bytes));
        } else {
            exchange(address, &bytes);
        }
    }
}

#[test]
fn memory_does_not_grow_with_bad_requests() {
    let bridge = Configured::with_tenant_keys("").serve_at_info();
    (0..150).for_each(|round| send_bad_requests(&bridge, round));
    let before = bridge.resident_kb();
    (150..750).for_each(|round| send_bad_requests(&bridge, round));
    let after = bridge.resident_kb();
    println!("after 1,350 bad requests {before} kB, after 6,750 {after} kB resident");
    assert!(after < before + 3000, "{before} kB became {after} kB");
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
}

#[test]
fn start_is_fast_and_memory_is_small() {
    let begun = Instant::now();
    let bridge = Configured::with_tenant_keys("").serve_at_info();
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
    let (took, resident) = (begun.elapsed(), bridge.resident_kb());
    println!("from start to first answer {took:?}, idle {resident} kB resident");
    assert!(took.as_secs() < 5 && resident < 100_000, "{took:?}, {resident} kB");
}
