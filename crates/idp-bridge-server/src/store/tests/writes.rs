//! The behavior of every idempotency store.

use std::time::Duration;

use bytes::Bytes;
use idp_bridge_protocol::Code;

use super::*;
use crate::error::Refusal;
use crate::idempotency::Failed;

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(20);

pub(super) fn key(id: &str) -> Key {
    Key::for_webhook(&tenant("acme"), id)
}

pub(super) async fn begin(store: &Store, id: &str, time: Duration) -> Begin {
    store.begin_write(key(id), [0; 32], Instant::now() + time).await.unwrap()
}

pub(super) async fn claim(store: &Store, id: &str, time: Duration) -> Box<dyn Claim> {
    match begin(store, id, time).await {
        Begin::Run(claim) => claim,
        other => panic!("{other:?}"),
    }
}

pub(super) fn body(begin: Begin) -> Bytes {
    match begin {
        Begin::Ended(Ok(body)) => body,
        other => panic!("{other:?}"),
    }
}

/// Runs a write on a claim while another write with an equal key waits. Returns the response to that one.
async fn while_waiting(store: &Store, end: impl AsyncFnOnce()) -> Begin {
    let waiting = begin(store, "1", LONG);
    tokio::pin!(waiting);
    // The look-up of the waiting write happens before the end of the running one.
    assert!(tokio::time::timeout(SHORT, &mut waiting).await.is_err());
    let ((), waited) = tokio::join!(end(), waiting);
    waited
}

#[tokio::test]
async fn success_is_replayed() {
    for mut fixture in Fixture::all() {
        claim(&fixture.store, "1", LONG).await.finish(Ok("{}".into())).await.unwrap();
        assert_eq!(body(begin(&fixture.store, "1", SHORT).await), "{}");
        fixture.restart();
        assert_eq!(body(begin(&fixture.store, "1", SHORT).await), "{}", "{:?}", fixture.place);
        let reused = fixture.store.begin_write(key("1"), [1; 32], Instant::now() + SHORT).await.unwrap();
        assert!(matches!(reused, Begin::Reused), "{reused:?}");
        assert!(matches!(begin(&fixture.store, "2", SHORT).await, Begin::Run(_)));
    }
}

#[tokio::test]
async fn concurrent_equal_writes_run_once() {
    for fixture in Fixture::all() {
        let store = Arc::new(fixture.store);
        let writes: Vec<_> = (0..20)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    match begin(&store, "1", LONG).await {
                        Begin::Run(claim) => {
                            tokio::task::yield_now().await;
                            claim.finish(Ok("{}".into())).await.unwrap();
                            1
                        }
                        other => {
                            assert_eq!(body(other), "{}");
                            0
                        }
                    }
                })
            })
            .collect();
        let mut runs = 0;
        for write in writes {
            runs += write.await.unwrap();
        }
        assert_eq!(runs, 1, "{:?}", fixture.place);
    }
}

#[tokio::test]
async fn failure_reaches_waiting_write_and_is_removed() {
    for fixture in Fixture::all() {
        let store = &fixture.store;
        let first = claim(store, "1", LONG).await;
        let refusal = Refusal::invalid("email", "why").with_outcome(idp_bridge_core::Outcome::Unknown);
        let waited = while_waiting(store, async || first.finish(Err(Failed(refusal))).await.unwrap()).await;
        let Begin::Ended(Err(Failed(got))) = waited else { panic!("{waited:?} in {:?}", fixture.place) };
        assert_eq!((got.code(), got.detail()), (Code::InvalidRequest, Some("why")));
        assert_eq!(got.outcome(), idp_bridge_core::Outcome::Unknown);
        assert!(matches!(begin(store, "1", SHORT).await, Begin::Run(_)), "{:?}", fixture.place);
    }
}

#[tokio::test]
async fn equal_write_waits_until_its_deadline() {
    for fixture in Fixture::all() {
        let first = claim(&fixture.store, "1", LONG).await;
        let begun = Instant::now();
        assert!(matches!(begin(&fixture.store, "1", SHORT).await, Begin::StillRunning));
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < 10 * SHORT, "{:?}", begun.elapsed());
        first.finish(Ok("{}".into())).await.unwrap();
        assert_eq!(body(begin(&fixture.store, "1", SHORT).await), "{}");
    }
}

#[tokio::test]
async fn running_write_refuses_another_fingerprint() {
    for fixture in Fixture::all() {
        let _running = claim(&fixture.store, "1", LONG).await;
        let other = fixture.store.begin_write(key("1"), [1; 32], Instant::now() + SHORT).await.unwrap();
        assert!(matches!(other, Begin::Reused), "{other:?} in {:?}", fixture.place);
    }
}

#[tokio::test]
async fn dropped_claim_lets_waiting_write_run() {
    for fixture in Fixture::all() {
        let first = claim(&fixture.store, "1", LONG).await;
        let waited = while_waiting(&fixture.store, async || drop(first)).await;
        assert!(matches!(waited, Begin::Run(_)), "{waited:?} in {:?}", fixture.place);
    }
}

#[tokio::test]
async fn claim_of_a_crashed_bridge_lasts() {
    for mut fixture in Fixture::persistent() {
        // A crash drops nothing.
        std::mem::forget(claim(&fixture.store, "1", LONG).await);
        if let Place::File(folder) = &fixture.place {
            // The forgotten claim keeps its file open.
            let crashed = tempfile::tempdir().unwrap();
            std::fs::copy(folder.path().join("revocations.redb"), crashed.path().join("revocations.redb")).unwrap();
            fixture.place = Place::File(crashed);
        }
        fixture.restart();
        assert!(matches!(begin(&fixture.store, "1", SHORT).await, Begin::StillRunning), "{:?}", fixture.place);
    }
}
