//! Limits on connections and requests (section 5).

use std::time::{Duration, Instant};

use idp_bridge_connector_memory::sample_users;
use idp_bridge_server::ServerLimits;
use serde_json::json;

use crate::bridge::{Bridge, memory, tenant};
use crate::http::{Connection, Request, within};

const KIB: usize = 1024;

/// Returns short limits for tests.
async fn impatient(change: impl FnOnce(&mut ServerLimits)) -> Bridge {
    let mut limits = ServerLimits::default();
    change(&mut limits);
    Bridge::with_limits([tenant("acme", memory(sample_users()))], limits).await
}

fn post() -> Request {
    Request::new("POST", "/v1/tenants/acme/webhook").header("content-type", "application/json")
}

fn health() -> Request {
    Request::new("GET", "/healthz")
}

#[tokio::test]
async fn partial_head_is_closed_without_response() {
    let bridge = impatient(|limits| limits.head = Duration::from_millis(150)).await;
    for head in ["", "POST", "POST /v1/tenants/acme/webhook HTTP/1.1\r\nhost: bridge\r\nwebhook-id: "] {
        let begun = Instant::now();
        let mut connection = Connection::open(bridge.address).await;
        connection.write(head).await;
        connection.closed().await;
        assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn idle_connection_closes_after_idle_timeout() {
    let bridge = impatient(|limits| {
        limits.head = Duration::from_millis(300);
        limits.idle = Duration::from_millis(1_000);
    })
    .await;
    let mut connection = Connection::open(bridge.address).await;
    assert_eq!(connection.send(&health()).await.status, 200);
    let idle_since = Instant::now();
    // The connection still works after it was idle for longer than the head timeout.
    let quiet = tokio::time::timeout(Duration::from_millis(500), connection.answer()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert_eq!(connection.send(&health()).await.status, 200);
    connection.closed().await;
    assert!(idle_since.elapsed() >= Duration::from_millis(1_500), "{:?}", idle_since.elapsed());
}

#[tokio::test]
async fn slow_body_is_a_timeout() {
    let bridge = impatient(|limits| limits.body = Duration::from_millis(150)).await;
    for start in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        let mut connection = Connection::open(bridge.address).await;
        connection.write(format!("{}{start}", post().head())).await;
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.verdict(), (408, "request_timeout".into()));
        assert_eq!(answer.header("connection"), Some("close"));
        connection.closed().await;
    }
}

#[tokio::test]
async fn body_is_limited_to_16_kib() {
    let bridge = Bridge::with_samples().await;
    let body = |size: usize| {
        let mut body = json!({"type": "ping", "tenant": "acme", "x": ""}).to_string();
        let missing = size - body.len();
        body.insert_str(body.find(r#""x":""#).unwrap() + 5, &"x".repeat(missing));
        crate::bridge::signed_bytes("msg_1", body.as_bytes())
    };
    assert_eq!(bridge.send(&body(16 * KIB)).await.status, 200);
    assert_eq!(bridge.send(&body(16 * KIB + 1)).await.verdict(), (413, "too_large".into()));
}

#[tokio::test]
async fn declared_large_body_is_refused_early() {
    let bridge = Bridge::with_samples().await;
    for length in ["17408", "1000000000000"] {
        let mut connection = Connection::open(bridge.address).await;
        connection.write(format!("{}content-length: {length}\r\n\r\n", post().head())).await;
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.verdict(), (413, "too_large".into()), "{length}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    // The server does not send `100 Continue` either.
    let mut connection = Connection::open(bridge.address).await;
    connection.write(format!("{}expect: 100-continue\r\ncontent-length: 17408\r\n\r\n", post().head())).await;
    assert_eq!(connection.answer().await.unwrap().status, 413);
}

#[tokio::test]
async fn growing_body_is_refused_readably() {
    let bridge = Bridge::with_samples().await;
    for (chunks, then) in [(17, "0\r\n\r\n"), (200, "")] {
        let mut connection = Connection::open(bridge.address).await;
        connection.write(format!("{}transfer-encoding: chunked\r\n\r\n", post().head())).await;
        let chunk = format!("400\r\n{}\r\n", "x".repeat(KIB));
        connection.write(format!("{}{then}", chunk.repeat(chunks))).await;
        assert_eq!(connection.answer().await.unwrap().verdict(), (413, "too_large".into()), "{chunks}");
        connection.closed().await;
    }
}

#[tokio::test]
async fn large_body_sender_receives_the_refusal() {
    let bridge = Bridge::with_samples().await;
    let mut large = post().with("content-type", "text/plain");
    large.body = vec![b'x'; 200 * KIB];
    assert_eq!(bridge.send(&large).await.status, 415);
    assert_eq!(bridge.send(&Request { target: "/nowhere".into(), ..large.clone() }).await.status, 404);
    assert_eq!(bridge.send(&Request { method: "PUT".into(), ..large }).await.status, 405);
}

#[tokio::test]
async fn heads_are_limited_in_fields_and_size() {
    let bridge = Bridge::with_samples().await;
    let fields = |count: usize| (1..count).fold(health(), |request, field| request.header(&format!("x-{field}"), "x"));
    assert_eq!(bridge.send(&fields(64)).await.status, 200);
    for request in [fields(65), health().header("x-large", "x".repeat(16 * KIB))] {
        let answer = bridge.send(&request).await;
        assert_eq!((answer.status, answer.body.as_str()), (431, ""));
    }
    assert_eq!(bridge.send(&health().header("x-large", "x".repeat(15 * KIB))).await.status, 200);
}

#[tokio::test]
async fn a_path_has_2_kib_at_most() {
    let bridge = Bridge::with_samples().await;
    let path = |length: usize| Request::new("GET", format!("/healthz?{}", "x".repeat(length - "/healthz?".len())));
    assert_eq!(bridge.send(&path(2 * KIB)).await.status, 200);
    assert_eq!(bridge.send(&path(2 * KIB + 1)).await.verdict(), (414, "uri_too_long".into()));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let bridge = impatient(|limits| limits.connections = 2).await;
    let mut first = Connection::open(bridge.address).await;
    let mut second = Connection::open(bridge.address).await;
    assert_eq!(first.send(&health()).await.status, 200);
    assert_eq!(second.send(&health()).await.status, 200);
    let mut third = bridge.begin(&health()).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), third.answer()).await.is_err(), "it had to wait");
    drop(first);
    assert_eq!(third.answer().await.unwrap().status, 200);
    assert_eq!(second.send(&health()).await.status, 200);
}

#[tokio::test]
async fn probes_have_a_listener_of_their_own() {
    let probes = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = probes.local_addr().unwrap();
    let mut full = crate::bridge::limits();
    full.connections = 1;
    let acme = tenant("acme", memory(sample_users()));
    let mut bridge = Bridge::with_server([acme], full, |server| server.with_probes(probes)).await;
    let mut only = Connection::open(bridge.address).await;
    assert_eq!(only.send(&health()).await.status, 200);
    let probe = async |path: &str| Connection::open(address).await.send(&Request::new("GET", path)).await;
    assert_eq!((probe("/healthz").await.status, probe("/readyz").await.status), (200, 200));
    for other in ["/docs", "/openapi.json", "/v1/tenants/acme/users/u-1", "/"] {
        assert_eq!(probe(other).await.verdict(), (404, "route_not_found".into()), "{other}");
    }
    bridge.stop();
    only.closed().await;
    within(bridge.ended()).await;
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within(refused).await;
}

#[tokio::test]
async fn caller_that_does_not_read_is_disconnected() {
    let bridge = impatient(|limits| {
        limits.write = Duration::from_millis(200);
        limits.connections = 1;
    })
    .await;
    let mut deaf = Connection::open(bridge.address).await;
    let requests = Request::new("GET", "/openapi.json").to_bytes().repeat(64);
    // The caller requests far more than the buffers of both sides hold, and reads nothing.
    let asking = async {
        loop {
            if tokio::time::timeout(Duration::from_secs(1), deaf.try_write(&requests)).await != Ok(true) {
                return;
            }
        }
    };
    within(asking).await;
    // The only connection slot is free, although the caller has not closed.
    assert_eq!(bridge.send(&health()).await.status, 200);
    drop(deaf);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let bridge = Bridge::with_samples().await;
    let mut connection = Connection::open(bridge.address).await;
    let requests = [health().to_bytes(), Request::new("GET", "/nowhere").to_bytes(), health().to_bytes()].concat();
    connection.write(requests).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(connection.answer().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 404, 200]);
}
