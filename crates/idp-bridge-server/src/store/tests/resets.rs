//! The behavior of every limiter of resets.

use std::time::Duration;

use super::*;
use crate::reset_limit::{MAX_RESETS, WINDOW};

async fn count(fixture: &Fixture, email: &str) -> Option<Duration> {
    fixture.store.resets.count(&tenant("acme"), &Email::new(email).unwrap(), fixture.clock.now()).await.unwrap()
}

#[tokio::test]
async fn sixth_reset_in_an_hour_waits() {
    for fixture in Fixture::all() {
        for second in 0..MAX_RESETS {
            fixture.clock.set(1_000 + i64::try_from(second).unwrap());
            assert_eq!(count(&fixture, "ada@acme.example").await, None, "{:?}", fixture.place);
        }
        for _ in 0..10 {
            fixture.clock.set(1_060);
            let wait = count(&fixture, "ADA@acme.example").await;
            assert_eq!(wait, Some(WINDOW - Duration::from_secs(60)), "{:?}", fixture.place);
        }
        assert_eq!(count(&fixture, "eve@acme.example").await, None);
        fixture.clock.set(1_000 + 3_600);
        assert_eq!(count(&fixture, "ada@acme.example").await, None);
        assert!(count(&fixture, "ada@acme.example").await.is_some(), "only the first one was an hour old");
    }
}

#[tokio::test]
async fn replicas_count_together_without_addresses() {
    let mut fixture = Fixture::new(Place::Redis(idp_bridge_test_redis::RedisServer::start()));
    for _ in 0..MAX_RESETS {
        assert_eq!(count(&fixture, "ada@acme.example").await, None);
        fixture.restart();
    }
    assert!(count(&fixture, "ada@acme.example").await.is_some());
    let Place::Redis(server) = &fixture.place else { panic!("another place") };
    let keys = server.command(&["KEYS", "*"]);
    assert!(keys.contains("idp-bridge:resets:") && !keys.contains("ada"), "{keys}");
}
