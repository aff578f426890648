//! Tests of the bridge under many bad requests, and of its size.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::fixture::{Configured, signer};
use crate::support::bridge::Bridge;
use crate::support::http::{Request, exchange};

/// Raises the open file limit, since each connection is an open file on both sides.
pub(crate) fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn half_open_connections_do_not_block() {
    raise_open_file_limit();
    let bridge = Configured::with_tenant_keys("").serve();
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
    let bridge = Configured::with_tenant_keys("").serve();
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
    let bridge = Configured::with_tenant_keys("").serve();
    assert_eq!(Request::get("/healthz").send(bridge.address()).status, 200);
    let (took, resident) = (begun.elapsed(), bridge.resident_kb());
    println!("from start to first answer {took:?}, idle {resident} kB resident");
    assert!(took.as_secs() < 5 && resident < 100_000, "{took:?}, {resident} kB");
}
