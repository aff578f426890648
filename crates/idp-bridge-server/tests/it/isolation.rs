//! The limits on a tenant's calls, and the sharing of equal reads (section 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use idp_bridge_core::{Deleted, ErrorKind};
use idp_bridge_server::{Tenant, TenantLimits};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::bridge::{Bridge, envelope, limits, signed, tenant};
use crate::http::{Request, within};
use crate::scripted::{ProviderCall, Returned, Scripted, record, upstream};

fn with_limits(provider: Scripted, limits: TenantLimits) -> Tenant {
    let mut acme = tenant("acme", provider);
    acme.limits = limits;
    acme
}

fn small() -> TenantLimits {
    TenantLimits { in_flight: 1, queue: 1, queue_time: Duration::from_secs(3), ..TenantLimits::default() }
}

fn get(id: &str) -> Request {
    signed(&envelope("users.get_by_id", json!({"id": id})))
}

fn delete(id: &str) -> Request {
    signed(&envelope("users.delete", json!({"id": id})))
}

#[tokio::test]
async fn calls_beyond_the_seats_are_refused() {
    let (provider, begun, gate) = Scripted::gated();
    let acme = with_limits(provider.clone(), TenantLimits { in_flight: 2, queue: 0, ..small() });
    let bridge = Bridge::start([acme]).await;
    let mut running = [bridge.begin(&get("u-1")).await, bridge.begin(&delete("u-2")).await];
    within(begun.acquire_many(2)).await.unwrap().forget();
    for request in [get("u-1"), get("u-3"), delete("u-3")] {
        let refused = bridge.send(&request).await;
        assert_eq!(refused.verdict(), (503, "overloaded".into()));
        assert_eq!((refused.header("retry-after"), &refused.json()["outcome"]), (Some("1"), &json!("not_applied")));
    }
    assert_eq!(provider.calls(), 2);
    assert_eq!(bridge.send(&Request::new("GET", "/healthz")).await.status, 200);
    gate.add_permits(2);
    for caller in &mut running {
        assert_eq!(caller.answer().await.unwrap().status, 200);
    }
    gate.add_permits(1);
    assert_eq!(bridge.send(&get("u-3")).await.status, 200, "the seats are free");
}

#[tokio::test]
async fn queue_is_left_in_time() {
    let (provider, begun, gate) = Scripted::gated();
    let hasty = TenantLimits { queue_time: Duration::from_millis(50), ..small() };
    let bridge = Bridge::start([with_limits(provider, hasty)]).await;
    let mut running = bridge.begin(&get("u-1")).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.send(&delete("u-2")).await.verdict(), (503, "overloaded".into()));
    let repeated = delete("u-2");
    assert_eq!(bridge.send(&repeated).await.status, 503);
    gate.add_permits(2);
    assert_eq!(running.answer().await.unwrap().status, 200);
    assert_eq!(bridge.send(&repeated).await.status, 200, "a refused write can be repeated");
}

#[tokio::test]
async fn process_refuses_calls_before_memory_grows() {
    let (provider, begun, gate) = Scripted::gated();
    let mut few = limits();
    few.calls = 1;
    let bridge = Bridge::with_limits([tenant("acme", provider)], few).await;
    let mut running = bridge.begin(&delete("u-1")).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.send(&get("u-2")).await.verdict(), (503, "overloaded".into()));
    gate.add_permits(1);
    assert_eq!(running.answer().await.unwrap().status, 200);
}

/// Waits until the bridge has handled what was sent before. Client and server share a thread.
async fn settle(bridge: &Bridge) {
    for _ in 0..20 {
        assert_eq!(bridge.call("ping", json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn equal_reads_share_a_request() {
    let (provider, begun, gate) = Scripted::gated();
    let bridge = Bridge::with_provider(provider.clone()).await;
    let mut callers = Vec::new();
    for _ in 0..20 {
        callers.push(bridge.begin(&get("u-1")).await);
    }
    let mut other = bridge.begin(&get("u-2")).await;
    within(begun.acquire_many(2)).await.unwrap().forget();
    settle(&bridge).await;
    gate.add_permits(2);
    for mut caller in callers {
        let answer = caller.answer().await.unwrap();
        assert_eq!((answer.status, &answer.json()["user"]["id"]), (200, &json!("u-1")));
    }
    assert_eq!(other.answer().await.unwrap().json()["user"]["id"], "u-2");
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn short_deadline_ends_no_other_read() {
    let (provider, begun, gate) = Scripted::gated();
    let bridge = Bridge::with_provider(provider.clone()).await;
    let mut first = bridge.begin(&get("u-1").header("x-request-timeout-ms", "200")).await;
    within(begun.acquire()).await.unwrap().forget();
    let mut second = bridge.begin(&get("u-1")).await;
    assert_eq!(first.answer().await.unwrap().status, 504);
    // The second caller has time left, and starts another request.
    within(begun.acquire()).await.unwrap().forget();
    gate.add_permits(2);
    assert_eq!(second.answer().await.unwrap().status, 200);
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn read_after_a_write_is_not_shared() {
    let (begun, gate, exists) =
        (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(true)));
    let (begins, waits, user) = (Arc::clone(&begun), Arc::clone(&gate), Arc::clone(&exists));
    let provider = Scripted::new(move |call, _| {
        let (begun, gate, exists) = (Arc::clone(&begins), Arc::clone(&waits), Arc::clone(&user));
        async move {
            if call == ProviderCall::Delete {
                exists.store(false, SeqCst);
                return Ok(Returned::Deleted(Deleted::Existed));
            }
            let existed = exists.load(SeqCst);
            begun.add_permits(1);
            if existed {
                gate.acquire().await.unwrap().forget();
                return Ok(Returned::User(record("u-1", "c", "a@b")));
            }
            Err(upstream(ErrorKind::NotFound))
        }
    });
    let bridge = Bridge::with_provider(provider).await;
    let mut before = bridge.begin(&get("u-1")).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.send(&delete("u-1")).await.status, 200);
    assert_eq!(bridge.send(&get("u-1")).await.verdict(), (404, "user_not_found".into()));
    gate.add_permits(1);
    assert_eq!(before.answer().await.unwrap().status, 200);
}
