//! The shutdown (section 5).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::bridge::{Bridge, envelope, signed, tenant};
use crate::http::{Connection, Request, within};
use crate::scripted::Scripted;

fn delete() -> Request {
    signed(&envelope("users.delete", json!({"id": "u"})))
}

#[tokio::test]
async fn drain_finishes_running_calls() {
    let (provider, begun, gate) = Scripted::gated();
    let mut bridge = Bridge::with_provider(provider).await;
    let mut idle = Connection::open(bridge.address).await;
    assert_eq!(idle.send(&Request::new("GET", "/readyz")).await.status, 200);
    let mut half_open = Connection::open(bridge.address).await;
    half_open.write("POST /v1").await;
    let mut caller = bridge.begin(&delete()).await;
    within(begun.acquire()).await.unwrap().forget();

    bridge.stop();
    idle.closed().await;
    half_open.closed().await;
    let ready = bridge.send(&Request::new("GET", "/readyz")).await;
    assert_eq!(ready.verdict(), (503, "shutting_down".into()));
    assert!(ready.header("retry-after").is_some());
    assert_eq!(bridge.send(&delete()).await.verdict(), (503, "shutting_down".into()));
    assert_eq!(bridge.send(&Request::new("GET", "/healthz")).await.status, 200);

    gate.add_permits(1);
    assert_eq!(caller.answer().await.unwrap().json(), json!({"existed": true}));
    caller.closed().await;
    let address = bridge.address;
    bridge.ended().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[tokio::test]
async fn calls_are_served_until_the_delay_ends() {
    let (provider, begun, gate) = Scripted::gated();
    let mut delayed = crate::bridge::limits();
    delayed.shutdown_delay = Duration::from_millis(500);
    let mut bridge = Bridge::with_limits([tenant("acme", provider)], delayed).await;
    let mut kept = Connection::open(bridge.address).await;
    assert_eq!(kept.send(&Request::new("GET", "/readyz")).await.status, 200);
    let stopped = Instant::now();
    bridge.stop();
    let not_ready = async { while bridge.send(&Request::new("GET", "/readyz")).await.status != 503 {} };
    within(not_ready).await;
    gate.add_permits(1);
    let answer = bridge.send(&delete()).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(stopped.elapsed() < Duration::from_millis(500), "the machine is too slow for this test");
    within(begun.acquire()).await.unwrap().forget();
    // A connection that was idle is still served, and closes with its next response.
    assert_eq!(kept.send(&Request::new("GET", "/healthz")).await.header("connection"), Some("close"));
    kept.closed().await;
    bridge.ended().await;
    assert!(stopped.elapsed() >= Duration::from_millis(500), "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn drain_waits_for_an_abandoned_write() {
    let (provider, begun, gate) = Scripted::gated();
    let mut bridge = Bridge::with_provider(provider.clone()).await;
    let caller = bridge.begin(&delete()).await;
    within(begun.acquire()).await.unwrap().forget();
    drop(caller);
    bridge.stop();
    // While the write runs, the bridge reports that it is not ready.
    assert_eq!(bridge.send(&Request::new("GET", "/readyz")).await.status, 503);
    gate.add_permits(1);
    bridge.ended().await;
    assert_eq!(gate.available_permits(), 0, "the write has ended");
}

#[tokio::test]
async fn hanging_call_delays_drain_until_deadline() {
    let mut acme = tenant("acme", Scripted::new(|_, _| std::future::pending()));
    acme.deadline = Duration::from_millis(300);
    let mut bridge = Bridge::start([acme]).await;
    let mut caller = bridge.begin(&delete()).await;
    let begun = Instant::now();
    bridge.stop();
    let answer = caller.answer().await;
    bridge.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // The order of shutdown and call is not determined. The caller gets a response or a closed connection in both cases.
    assert!(answer.is_none_or(|answer| [503, 504].contains(&answer.status)));
}

#[tokio::test]
async fn idle_server_stops_at_once() {
    let mut bridge = Bridge::with_samples().await;
    let begun = Instant::now();
    bridge.stop();
    bridge.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}
