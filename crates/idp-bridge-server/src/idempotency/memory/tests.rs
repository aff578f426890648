//! What the store promises, in time that stands still until it is moved.

use std::time::Duration;

use idp_bridge_core::TenantId;
use idp_bridge_protocol::Code;

use super::*;
use crate::error::Refusal;
use crate::idempotency::Failed;

fn key(id: usize) -> Key {
    Key::webhook(&TenantId::new("acme").unwrap(), &id.to_string())
}

fn deadline() -> Instant {
    (tokio::time::Instant::now() + Duration::from_secs(4)).into()
}

async fn begin(store: &MemoryStore, id: usize) -> Begin {
    store.begin(key(id), [0; 32], deadline()).await.unwrap()
}

async fn claim(store: &MemoryStore, id: usize) -> Box<dyn Claim> {
    match begin(store, id).await {
        Begin::Run(claim) => claim,
        other => panic!("{other:?}"),
    }
}

async fn body(begin: Begin) -> Bytes {
    match begin {
        Begin::Ended(Ok(body)) => body,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_is_kept_for_a_day_and_no_longer() {
    let store = MemoryStore::default();
    claim(&store, 1).await.finish(Ok("{}".into())).await;
    tokio::time::advance(KEPT - Duration::from_secs(1)).await;
    assert_eq!(body(begin(&store, 1).await).await, "{}");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(begin(&store, 1).await, Begin::Run(_)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_the_waiting_twin_and_then_forgotten() {
    let store = Arc::new(MemoryStore::default());
    let first = claim(&store, 1).await;
    let twin = tokio::spawn({
        let store = Arc::clone(&store);
        async move { begin(&store, 1).await }
    });
    tokio::task::yield_now().await;
    first.finish(Err(Failed(Refusal::new(Code::Internal)))).await;
    let Begin::Ended(Err(Failed(refusal))) = twin.await.unwrap() else { panic!("the twin was told something else") };
    assert_eq!(refusal.code(), Code::Internal);
    assert!(matches!(begin(&store, 1).await, Begin::Run(_)));
}

#[tokio::test(start_paused = true)]
async fn a_twin_waits_until_its_own_deadline() {
    let store = MemoryStore::default();
    let first = claim(&store, 1).await;
    let begun = tokio::time::Instant::now();
    assert!(matches!(begin(&store, 1).await, Begin::StillRunning));
    assert_eq!(begun.elapsed().as_secs(), 4);
    first.finish(Ok("{}".into())).await;
    assert_eq!(body(begin(&store, 1).await).await, "{}");
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_key_is_refused_at_once() {
    let store = MemoryStore::default();
    let running = claim(&store, 1).await;
    assert!(matches!(store.begin(key(1), [1; 32], deadline()).await.unwrap(), Begin::Reused));
    running.finish(Ok("{}".into())).await;
    assert!(matches!(store.begin(key(1), [1; 32], deadline()).await.unwrap(), Begin::Reused));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_claim_lets_the_waiting_twin_run() {
    let store = Arc::new(MemoryStore::default());
    let first = claim(&store, 1).await;
    let twin = tokio::spawn({
        let store = Arc::clone(&store);
        async move { begin(&store, 1).await }
    });
    tokio::task::yield_now().await;
    drop(first);
    let Begin::Run(second) = twin.await.unwrap() else { panic!("the twin did not run") };
    second.finish(Ok("{}".into())).await;
    assert_eq!(body(begin(&store, 1).await).await, "{}");
}

#[tokio::test(start_paused = true)]
async fn flood_of_one_tenant_evicts_no_other() {
    let store = MemoryStore::with_most(100);
    let run = async |tenant: &str, id: usize| {
        let key = Key::webhook(&TenantId::new(tenant).unwrap(), &id.to_string());
        match store.begin(key, [0; 32], deadline()).await.unwrap() {
            Begin::Run(claim) => claim.finish(Ok("{}".into())).await,
            other => panic!("{tenant} {id}: {other:?}"),
        }
    };
    for id in 0..40 {
        run("quiet", id).await;
    }
    for id in 0..1_000 {
        run("loud", id).await;
    }
    for id in 0..40 {
        let key = Key::webhook(&TenantId::new("quiet").unwrap(), &id.to_string());
        assert!(matches!(store.begin(key, [0; 32], deadline()).await.unwrap(), Begin::Ended(_)), "{id}");
    }
    assert_eq!((store.evicted(), lock(&store.state).entries.len()), (940, 100));
    tokio::time::advance(KEPT).await;
    run("third", 0).await;
    assert_eq!((store.evicted(), lock(&store.state).entries.len()), (940, 1), "what is old makes room first");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_finished_one_makes_room_and_what_runs_stays() {
    let store = MemoryStore::with_most(3);
    let running = claim(&store, 0).await;
    for id in 1..=3 {
        claim(&store, id).await.finish(Ok("{}".into())).await;
    }
    assert_eq!((store.evicted(), lock(&store.state).entries.len()), (1, 3));
    assert!(matches!(store.begin(key(0), [1; 32], deadline()).await.unwrap(), Begin::Reused), "it still runs");
    assert!(matches!(begin(&store, 3).await, Begin::Ended(_)), "the newest is kept");
    assert!(matches!(begin(&store, 1).await, Begin::Run(_)), "the oldest is not");
    running.finish(Ok("{}".into())).await;
}
