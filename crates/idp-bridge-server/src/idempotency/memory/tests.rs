//! The time and the number of kept writes. The tests of `store` have the behavior of every store.

use std::time::Duration;

use idp_bridge_core::TenantId;

use super::*;

fn key(id: usize) -> Key {
    Key::for_webhook(&TenantId::new("acme").unwrap(), &id.to_string())
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
async fn success_is_kept_for_a_day() {
    let store = MemoryStore::default();
    claim(&store, 1).await.finish(Ok("{}".into())).await.unwrap();
    tokio::time::advance(KEPT - Duration::from_secs(1)).await;
    assert_eq!(body(begin(&store, 1).await).await, "{}");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(begin(&store, 1).await, Begin::Run(_)));
}

#[tokio::test(start_paused = true)]
async fn flood_of_one_tenant_evicts_no_other() {
    let store = MemoryStore::with_max(100);
    let run = async |tenant: &str, id: usize| {
        let key = Key::for_webhook(&TenantId::new(tenant).unwrap(), &id.to_string());
        match store.begin(key, [0; 32], deadline()).await.unwrap() {
            Begin::Run(claim) => claim.finish(Ok("{}".into())).await.unwrap(),
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
        let key = Key::for_webhook(&TenantId::new("quiet").unwrap(), &id.to_string());
        assert!(matches!(store.begin(key, [0; 32], deadline()).await.unwrap(), Begin::Ended(_)), "{id}");
    }
    assert_eq!((store.evicted.load(Relaxed), lock(&store.state).entries.len()), (940, 100));
    tokio::time::advance(KEPT).await;
    run("third", 0).await;
    assert_eq!(
        (store.evicted.load(Relaxed), lock(&store.state).entries.len()),
        (940, 1),
        "expired writes are removed first"
    );
}

#[tokio::test(start_paused = true)]
async fn oldest_finished_write_is_evicted() {
    let store = MemoryStore::with_max(3);
    let running = claim(&store, 0).await;
    for id in 1..=3 {
        claim(&store, id).await.finish(Ok("{}".into())).await.unwrap();
    }
    assert_eq!((store.evicted.load(Relaxed), lock(&store.state).entries.len()), (1, 3));
    assert!(matches!(store.begin(key(0), [1; 32], deadline()).await.unwrap(), Begin::Reused), "it still runs");
    assert!(matches!(begin(&store, 3).await, Begin::Ended(_)), "the newest is kept");
    assert!(matches!(begin(&store, 1).await, Begin::Run(_)), "the oldest is not");
    running.finish(Ok("{}".into())).await.unwrap();
}
