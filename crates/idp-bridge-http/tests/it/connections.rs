//! Tests of HTTP/2, and of the limit of connections.

use std::time::Duration;

use hyper::Version;
use idp_bridge_core::{CallScope, ErrorKind, OutboundPolicy, Outcome, UpstreamLimits};
use idp_bridge_http::{Client, Request, Url};
use idp_bridge_test_http::{Authority, Relay, Target, until};
use tokio::task::JoinSet;

use crate::gated_server::GatedServer;
use crate::server::{Server, answer, scope};
use crate::tls::{server_config, trusting};

const BOTH: [&str; 2] = ["h2", "http/1.1"];

/// Starts a server, and returns a policy that trusts it.
async fn start(protocols: &[&str]) -> (GatedServer, OutboundPolicy) {
    let authority = Authority::new();
    let server = GatedServer::start(server_config(&authority, "localhost", None), protocols).await;
    (server, trusting(&authority.pem))
}

/// Starts a relay to a server, and returns it with its URL.
fn relay_to(server: &GatedServer) -> (Relay, Url) {
    let relay = Relay::start();
    relay.set_target(Target::At(server.address().to_string()));
    let port = relay.address().rsplit(':').next().unwrap();
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    (relay, url)
}

fn with_connections(policy: OutboundPolicy, connections: usize) -> OutboundPolicy {
    OutboundPolicy { limits: UpstreamLimits { connections, ..UpstreamLimits::default() }, ..policy }
}

#[tokio::test]
async fn http2_requests_share_a_connection() {
    let (server, policy) = start(&BOTH).await;
    server.open(100);
    let client = Client::new(&policy).unwrap();
    client.send(&scope(), Request::get(server.url())).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (client, url) = (client.clone(), server.url());
        calls.spawn(async move { client.send(&scope(), Request::put(url).bytes("x".into())).await.unwrap().status });
    }
    assert!(calls.join_all().await.iter().all(|status| status.as_u16() == 200));
    assert_eq!(server.versions(), [Version::HTTP_2; 21]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn server_without_http2_gets_http11() {
    let (server, policy) = start(&["http/1.1"]).await;
    server.open(1);
    let response = Client::new(&policy).unwrap().send(&scope(), Request::get(server.url())).await.unwrap();
    assert_eq!((response.text(), server.versions()), (Some("ok"), vec![Version::HTTP_11]));
}

#[tokio::test]
async fn stuck_http2_read_is_sent_on_another_connection() {
    let (server, policy) = start(&BOTH).await;
    let (relay, url) = relay_to(&server);
    server.open(100);
    let client = Client::new(&policy).unwrap();
    client.send(&scope(), Request::get(url.clone())).await.unwrap();
    relay.freeze();
    let stuck = CallScope::new("r-1", Duration::from_secs(2));
    let response = client.send(&stuck, Request::get(url.clone())).await.unwrap();
    assert_eq!((response.status.as_u16(), stuck.recorder().attempts(), relay.accepted()), (200, 2, 2));
    assert_eq!(server.versions(), [Version::HTTP_2, Version::HTTP_11]);
}

#[tokio::test]
async fn dead_http2_connection_is_closed() {
    let (server, policy) = start(&BOTH).await;
    let (relay, url) = relay_to(&server);
    server.open(100);
    let client = Client::new(&policy).unwrap();
    client.send(&scope(), Request::get(url.clone())).await.unwrap();
    relay.freeze();
    // A short deadline ends before the connection is known to be dead. Without the ping, the connection would stay in the pool.
    let write = CallScope::new("r-1", Duration::from_millis(1500));
    let error = client.send(&write, Request::delete(url.clone())).await.unwrap_err();
    assert_eq!((error.kind(), write.recorder().outcome()), (ErrorKind::Timeout, Outcome::Unknown));
    until(|| relay.ended() > 0).await;
    client.send(&scope(), Request::delete(url.clone())).await.unwrap();
    assert_eq!(relay.accepted(), 2);
}

#[tokio::test]
async fn request_beyond_the_limit_waits() {
    let (server, policy) = start(&["http/1.1"]).await;
    let client = Client::new(&with_connections(policy, 3)).unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..3 {
        let (client, url) = (client.clone(), server.url());
        calls.spawn(async move { client.send(&scope(), Request::delete(url)).await.unwrap().status });
    }
    server.wait_for_requests(3).await;
    let hasty = CallScope::new("r-1", Duration::from_millis(200));
    let error = client.send(&hasty, Request::delete(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), hasty.recorder().attempts()), (ErrorKind::Timeout, 0));
    assert_eq!((hasty.recorder().outcome(), server.connections()), (Outcome::NotApplied, 3));
    server.open(4);
    client.send(&scope(), Request::delete(server.url())).await.unwrap();
    assert_eq!(calls.join_all().await.len(), 3);
    assert_eq!(server.connections(), 3, "a free connection is used again");
}

#[tokio::test]
async fn second_request_needs_a_free_place() {
    let (server, policy) = start(&["http/1.1"]).await;
    let client = Client::new(&with_connections(policy, 1)).unwrap();
    let stuck = CallScope::new("r-1", Duration::from_millis(400));
    let error = client.send(&stuck, Request::get(server.url())).await.unwrap_err();
    assert_eq!((error.kind(), stuck.recorder().attempts()), (ErrorKind::Timeout, 1));
}

#[tokio::test]
async fn limit_of_zero_is_one() {
    let server = Server::start(|_, _| answer(200, &[], "")).await;
    let client = Client::new(&with_connections(OutboundPolicy::default(), 0)).unwrap();
    assert_eq!(client.send(&scope(), Request::get(server.url())).await.unwrap().status.as_u16(), 200);
}
