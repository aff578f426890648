//! Concurrent logouts and userinfo, and callers that disconnect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::sync::Semaphore;

use super::idp::Idp;
use super::{bridge, logout, refused, rules, userinfo};
use crate::http::{Connection, Request, until, within};

/// Returns an identity provider where calls of this name report their start, and wait for a permit.
pub(super) fn gated(call: &'static str) -> (Idp, Arc<Semaphore>, Arc<Semaphore>) {
    let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let before = {
        let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
        move |asked| {
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            async move {
                if asked == call {
                    begun.add_permits(1);
                    gate.acquire().await.unwrap().forget();
                }
            }
        }
    };
    (Idp::new().run_before(before), begun, gate)
}

#[tokio::test]
async fn token_is_rejected_once_logout_begins() {
    let (idp, begun, gate) = gated("log_out");
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let mut caller = bridge.begin(&logout("a.d.a")).await;
    within(begun.acquire()).await.unwrap().forget();
    assert!(refused(&bridge.send(&userinfo("a.d.a")).await));
    gate.add_permits(1);
    assert_eq!(caller.answer().await.unwrap().status, 204);
}

#[tokio::test]
async fn logout_during_validation_rejects_token() {
    let (idp, begun, gate) = gated("validate");
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let mut caller = bridge.begin(&userinfo("a.d.a")).await;
    within(begun.acquire()).await.unwrap().forget();
    assert_eq!(bridge.send(&logout("a.d.a")).await.status, 204);
    gate.add_permits(1);
    assert!(refused(&caller.answer().await.unwrap()), "the identity provider said yes, the list says no");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn userinfo_after_logout_always_fails() {
    let idp = Idp::with(|federation| federation.cache_seconds = 60);
    idp.ada("a.d.a");
    let bridge = bridge(&idp, rules()).await;
    let (ended, before, after) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut callers = Vec::new();
    for _ in 0..16 {
        let (address, ended, before, after) =
            (bridge.address, Arc::clone(&ended), Arc::clone(&before), Arc::clone(&after));
        callers.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            while after.load(SeqCst) < 500 {
                let was_ended = ended.load(SeqCst);
                let answer = connection.send(&userinfo("a.d.a")).await;
                if was_ended {
                    assert!(refused(&answer), "{answer:?}");
                    after.fetch_add(1, SeqCst);
                } else if answer.status == 200 {
                    before.fetch_add(1, SeqCst);
                }
            }
        }));
    }
    until(|| before.load(SeqCst) >= 100).await;
    let answer = bridge.send(&logout("a.d.a")).await;
    ended.store(true, SeqCst);
    assert_eq!(answer.status, 204);
    for caller in callers {
        within(caller).await.unwrap();
    }
}

#[tokio::test]
async fn drain_waits_for_abandoned_logout() {
    let (idp, begun, gate) = gated("log_out");
    idp.ada("a.d.a");
    let mut bridge = bridge(&idp, rules()).await;
    let caller = bridge.begin(&logout("a.d.a")).await;
    within(begun.acquire()).await.unwrap().forget();
    drop(caller);
    bridge.stop();
    // While the logout runs, the bridge refuses new requests.
    for request in [userinfo("a.d.a"), logout("a.d.a"), Request::new("GET", "/readyz")] {
        assert_eq!(bridge.send(&request).await.status, 503, "{request:?}");
    }
    gate.add_permits(1);
    bridge.ended().await;
    assert_eq!(gate.available_permits(), 0, "the logout has ended");
}
