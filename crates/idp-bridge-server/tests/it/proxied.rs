//! Connections through a proxy that sends the PROXY protocol.

use std::time::Duration;

use idp_bridge_connector_memory::sample_users;
use idp_bridge_server::ServerLimits;

use crate::bridge::{Bridge, limits, memory, tenant};
use crate::http::{Connection, Request, within};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

async fn bridge(network: &str, limits: ServerLimits) -> Bridge {
    let networks = vec![network.parse().unwrap()];
    let tenants = [tenant("acme", memory(sample_users()))];
    Bridge::with_server(tenants, limits, |server| server.with_proxies(networks)).await
}

/// Builds the header of a client with this last part of its address.
fn header(client: u8) -> Vec<u8> {
    [SIGNATURE, &[0x21, 0x11, 0, 12, 192, 0, 2, client, 10, 0, 0, 1, 0x1f, 0x90, 0, 80]].concat()
}

fn health() -> Request {
    Request::new("GET", "/healthz")
}

async fn connect(bridge: &Bridge, first: &[u8]) -> Connection {
    let mut connection = Connection::open(bridge.address).await;
    connection.write(first).await;
    connection
}

#[tokio::test]
async fn limits_count_clients_of_the_proxy() {
    let mut few = limits();
    few.connections_per_peer = 1;
    let bridge = bridge("127.0.0.0/8", few).await;
    let mut first = connect(&bridge, &header(1)).await;
    assert_eq!(first.send(&health()).await.status, 200);
    connect(&bridge, &header(1)).await.closed().await;
    assert_eq!(connect(&bridge, &header(2)).await.send(&health()).await.status, 200);
    // The proxy's own health check has no client.
    let local = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
    for _ in 0..2 {
        assert_eq!(connect(&bridge, &local).await.send(&health()).await.status, 200);
    }
    drop(first);
    let is_served = async || {
        let mut connection = connect(&bridge, &header(1)).await;
        connection.write(health().to_bytes()).await;
        connection.answer().await.is_some()
    };
    within(async { while !is_served().await {} }).await;
}

#[tokio::test]
async fn missing_or_invalid_header_closes_the_connection() {
    let bridge = bridge("127.0.0.1/32", limits()).await;
    for first in [
        health().to_bytes(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\nGET /healthz HTTP/1.1\r\n\r\n".to_vec(),
        [SIGNATURE, &[0x31, 0x11, 0, 12], &[0; 12]].concat(),
        [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(),
    ] {
        connect(&bridge, &first).await.closed().await;
    }
}

#[tokio::test]
async fn slow_header_closes_the_connection() {
    let mut short = limits();
    short.head = Duration::from_millis(100);
    let bridge = bridge("127.0.0.1/32", short).await;
    connect(&bridge, SIGNATURE).await.closed().await;
    connect(&bridge, &[]).await.closed().await;
}

#[tokio::test]
async fn header_from_other_networks_is_no_request() {
    let bridge = bridge("192.0.2.0/24", limits()).await;
    let mut connection = connect(&bridge, &header(1)).await;
    let status = connection.answer().await.map(|answer| answer.status);
    assert!(matches!(status, None | Some(400)), "{status:?}");
    assert_eq!(connect(&bridge, &[]).await.send(&health()).await.status, 200);
}
