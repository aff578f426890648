//! Servers over one Redis server, and the number of commands that a call costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use idp_bridge_core::{Deleted, SystemRandom};
use idp_bridge_server::store::{RedisServer as Address, RedisSettings, Store};
use idp_bridge_test_redis::RedisServer;
use serde_json::json;

use crate::bridge::{Bridge, envelope, limits, signed, tenant};
use crate::clock::TestClock;
use crate::federation::shared::{federated, logout, userinfo};
use crate::http::Request;
use crate::scripted::{ProviderCall, Returned, Scripted, record};

const DEADLINE: Duration = Duration::from_secs(4);

fn in_redis(redis: &RedisServer) -> Store {
    with_prefix(redis, RedisSettings::DEFAULT_PREFIX)
}

fn with_prefix(redis: &RedisServer, prefix: &str) -> Store {
    let address = Address { host: "127.0.0.1".into(), port: redis.port() };
    let settings = RedisSettings { prefix: prefix.into(), ..RedisSettings::new(address) };
    Store::in_redis(&settings, Arc::new(TestClock::default()), &SystemRandom).unwrap()
}

/// Returns the number of commands that clients have sent.
fn commands(redis: &RedisServer) -> usize {
    let stats = redis.command(&["INFO", "commandstats"]);
    let calls = |name: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    calls("evalsha") + calls("mget")
}

/// Returns the number of commands for a request with this status. The scripts are loaded.
async fn count(redis: &RedisServer, bridge: &Bridge, request: &Request, status: u16) -> usize {
    let before = commands(redis);
    let answer = bridge.send(request).await;
    assert_eq!(answer.status, status, "{answer:?}");
    commands(redis) - before
}

#[tokio::test]
async fn commands_of_calls_are_few() {
    let redis = RedisServer::start();
    let provider = Scripted::at_once(|call| match call {
        ProviderCall::Id(_) => Ok(Returned::User(record("u", "c", "a@b"))),
        ProviderCall::Delete => Ok(Returned::Deleted(Deleted::Existed)),
        _ => Ok(Returned::Done),
    });
    let store = in_redis(&redis);
    let bridge = Bridge::with_server([tenant("acme", provider)], limits(), |server| server.with_store(store)).await;
    let call = |kind: &str, data| signed(&envelope(kind, data));
    let write = || call("users.send_verification_email", json!({"id": "u"}));
    let reset = || call("users.send_password_reset_email", json!({"email": "a@b"}));
    for request in [write(), reset()] {
        assert_eq!(bridge.send(&request).await.status, 200);
    }
    let repeated = write();
    assert_eq!(count(&redis, &bridge, &call("users.get_by_id", json!({"id": "u"})), 200).await, 0, "a read");
    assert_eq!(count(&redis, &bridge, &repeated, 200).await, 2, "a write");
    assert_eq!(count(&redis, &bridge, &repeated, 200).await, 1, "a repeated write");
    assert_eq!(count(&redis, &bridge, &reset(), 200).await, 3, "a password reset");
}

#[tokio::test]
async fn commands_of_federation_are_few() {
    let redis = RedisServer::start();
    // Another bridge loads the script.
    assert_eq!(federated(DEADLINE, with_prefix(&redis, "other:")).await.send(&logout("a.d.a")).await.status, 204);
    let bridge = federated(DEADLINE, in_redis(&redis)).await;
    assert_eq!(count(&redis, &bridge, &userinfo("a.d.a"), 200).await, 3, "a validation");
    assert_eq!(count(&redis, &bridge, &userinfo("a.d.a"), 200).await, 1, "a cached token");
    assert_eq!(count(&redis, &bridge, &logout("a.d.a"), 204).await, 3, "a logout");
    assert_eq!(count(&redis, &bridge, &logout("a.d.a"), 204).await, 1, "a repeated logout");
}

#[tokio::test]
async fn paused_server_refuses_in_time() {
    let (redis, deadline) = (RedisServer::start(), Duration::from_secs(1));
    let bridge = federated(deadline, in_redis(&redis)).await;
    assert_eq!(bridge.send(&userinfo("a.d.a")).await.status, 200);
    redis.pause();
    let write = |kind: &str, data| signed(&envelope(kind, data));
    for request in [
        write("users.delete", json!({"id": "u"})),
        write("users.send_password_reset_email", json!({"email": "a@b"})),
        userinfo("a.d.a"),
        logout("a.d.a"),
    ] {
        let sent = Instant::now();
        let answer = bridge.send(&request).await;
        assert!(sent.elapsed() < deadline, "{:?}", sent.elapsed());
        assert_eq!(answer.verdict(), (503, "overloaded".into()), "{request:?}");
        assert!(answer.header("retry-after").is_some() && answer.json()["outcome"] == "not_applied", "{answer:?}");
    }
}
