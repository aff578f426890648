//! Tests of requests during an outage of the identity provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::time::Duration;

use idp_bridge_core::{CallScope, ErrorKind, OutboundPolicy, Outcome, UpstreamLimits};
use idp_bridge_http::{Client, Request, Url};

use crate::server::{Reply, Server, answer, scope};

/// Returns a client with short times for tests.
fn client(limits: UpstreamLimits) -> Client {
    Client::new(&OutboundPolicy { limits, ..OutboundPolicy::default() }).unwrap()
}

fn without_breaker() -> UpstreamLimits {
    UpstreamLimits { breaker_failures: 0, ..UpstreamLimits::default() }
}

/// Opens after three failures, and sends a probe once in a minute.
fn hasty() -> UpstreamLimits {
    let breaker_pause = Duration::from_secs(60);
    UpstreamLimits { breaker_failures: 3, breaker_after: Duration::ZERO, breaker_pause, ..UpstreamLimits::default() }
}

#[tokio::test]
async fn outage_is_not_multiplied_by_retries() {
    let server = Server::start(|_, _| answer(503, &[], "")).await;
    let client = client(without_breaker());
    for _ in 0..200 {
        let _ = client.send(&scope(), Request::get(server.url())).await;
    }
    let retries = server.received().len() - 200;
    assert_eq!(retries, 29, "10 % and the reserve");
}

#[tokio::test]
async fn stuck_read_is_sent_twice_within_the_budget() {
    let server = Server::start(|_, _| Reply::Hang(Vec::new())).await;
    let client = client(UpstreamLimits { retry_reserve: 2, ..without_breaker() });
    for _ in 0..5 {
        let error = client.send(&CallScope::new("r-1", Duration::from_millis(300)), Request::get(server.url())).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert_eq!(server.received().len(), 5 + 2);
}

#[tokio::test]
async fn host_that_is_down_gets_no_request() {
    let server = Server::start(|_, _| answer(503, &[], "")).await;
    let client = client(hasty());
    let first = client.send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!((first.status.as_u16(), server.received().len()), (503, 3));
    for request in [Request::get(server.url()), Request::delete(server.url())] {
        let scope = scope();
        let error = client.send(&scope, request).await.unwrap_err();
        assert_eq!((error.kind(), error.context("circuit")), (ErrorKind::Unavailable, Some("open")));
        assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(30)), "{error:?}");
        assert_eq!((scope.recorder().attempts(), scope.recorder().outcome()), (0, Outcome::NotApplied));
    }
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn refused_connection_opens_the_breaker() {
    let url = {
        let server = Server::start(|_, _| answer(200, &[], "")).await;
        server.url()
    };
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = url.as_str().replace(&format!(":{}", url.port().unwrap()), &format!(":{}", unused.port()));
    let client = client(hasty());
    let send = async || client.send(&scope(), Request::get(Url::parse(&url).unwrap())).await.unwrap_err();
    assert_eq!(send().await.context("circuit"), None);
    let error = send().await;
    assert_eq!(error.context("circuit"), Some("open"));
    assert!(error.message().contains("no program listens"), "the cause is still named: {error:?}");
}

#[tokio::test]
async fn client_errors_never_open_the_breaker() {
    for status in [400, 401, 403, 404, 408, 409, 429, 501] {
        let server = Server::start(move |_, _| answer(status, &["retry-after: 0"], "")).await;
        let client = client(UpstreamLimits { retry_reserve: 0, retry_percent: 0, ..hasty() });
        for _ in 0..10 {
            assert_eq!(client.send(&scope(), Request::get(server.url())).await.unwrap().status.as_u16(), status);
        }
        assert_eq!(server.received().len(), 10);
    }
}

#[tokio::test]
async fn answer_to_a_probe_ends_the_outage() {
    let status = Arc::new(AtomicU16::new(503));
    let now = Arc::clone(&status);
    let server = Server::start(move |_, _| answer(now.load(SeqCst), &[], "")).await;
    let client = client(UpstreamLimits { breaker_pause: Duration::from_millis(100), ..hasty() });
    let _ = client.send(&scope(), Request::get(server.url())).await;
    assert!(client.send(&scope(), Request::get(server.url())).await.is_err(), "the breaker is open");
    status.store(404, SeqCst);
    let recovered = async {
        while client.send(&scope(), Request::get(server.url())).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), recovered).await.expect("a probe is sent");
    for _ in 0..20 {
        assert_eq!(client.send(&scope(), Request::get(server.url())).await.unwrap().status.as_u16(), 404);
    }
}
