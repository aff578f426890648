//! Outages of the Redis server: a crash, a pause, and a failover.

use std::time::Duration;

use idp_bridge_test_http::{Relay, Target};
use idp_bridge_test_redis::{RedisServer, Sentinel};

use super::writes::{begin, body, claim, key};
use super::{Fixture, Place, Still, address, entry, session, settings, tenant};
use crate::idempotency::Begin;
use crate::store::{RedisSettings, RedisTopology, Store};
use idp_bridge_core::{Error, ErrorKind, Result, Secret, SystemRandom};
use std::time::Instant;

const LONG: Duration = Duration::from_secs(20);
/// The time after an outage in which operations succeed again.
const BACK: Duration = Duration::from_secs(1);

async fn revoke(store: &Store, id: &str) -> Result<()> {
    store.revoke(&tenant("acme"), &[entry(session(id), None, 1_000)], Instant::now() + LONG).await
}

async fn is_revoked(store: &Store, id: &str) -> Result<bool> {
    store.is_revoked(&tenant("acme"), &[session(id)], None, Instant::now() + LONG).await
}

fn shared() -> (Store, RedisServer) {
    let fixture = Fixture::new(Place::Redis(RedisServer::start()));
    let Place::Redis(server) = fixture.place else { panic!("another place") };
    (fixture.store, server)
}

/// Repeats an operation until it succeeds, and returns the time that it took.
async fn until_back<T>(operation: impl AsyncFn() -> Result<T>) -> Duration {
    let begun = Instant::now();
    while let Err(error) = operation().await {
        assert!(begun.elapsed() < LONG, "{error:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

fn assert_is_outage(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn crash_of_the_server_loses_nothing() {
    let (store, mut server) = shared();
    revoke(&store, "a").await.unwrap();
    claim(&store, "1", LONG).await.finish(Ok("{}".into())).await.unwrap();
    server.kill();
    assert_is_outage(&is_revoked(&store, "a").await.unwrap_err());
    assert_is_outage(&store.begin_write(key("2"), [0; 32], Instant::now() + LONG).await.unwrap_err());
    assert_is_outage(&revoke(&store, "b").await.unwrap_err());
    server.restart();
    let back = until_back(async || is_revoked(&store, "a").await).await;
    assert!(back < BACK, "{back:?}");
    assert!(is_revoked(&store, "a").await.unwrap() && !is_revoked(&store, "b").await.unwrap());
    assert_eq!(body(begin(&store, "1", LONG).await), "{}");
}

#[tokio::test]
async fn restart_between_two_operations_is_not_noticed() {
    let (store, mut server) = shared();
    revoke(&store, "a").await.unwrap();
    server.kill();
    server.restart();
    assert!(is_revoked(&store, "a").await.unwrap());
}

#[tokio::test]
async fn pause_of_the_server_ends_before_the_deadline() {
    let (store, server) = shared();
    revoke(&store, "a").await.unwrap();
    server.pause();
    let deadline = Instant::now() + Duration::from_secs(1);
    let (acme, ada) = (tenant("acme"), "ada@acme.example".parse().unwrap());
    let errors = tokio::join!(
        async { store.begin_write(key("1"), [0; 32], deadline).await.unwrap_err() },
        async { store.revoke(&acme, &[entry(session("b"), None, 1_000)], deadline).await.unwrap_err() },
        async { store.is_revoked(&acme, &[session("a")], None, deadline).await.unwrap_err() },
        async { store.count_reset(&acme, &ada, deadline).await.unwrap_err() },
    );
    assert!(Instant::now() < deadline, "a call can be refused in time");
    <[Error; 4]>::from(errors).iter().for_each(assert_is_outage);
    let begun = Instant::now();
    assert_is_outage(&is_revoked(&store, "a").await.unwrap_err());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    server.resume();
    let back = until_back(async || is_revoked(&store, "a").await).await;
    assert!(back < BACK, "{back:?}");
}

#[tokio::test]
async fn silent_connection_is_replaced_despite_short_deadlines() {
    let (server, relay) = (RedisServer::start(), Relay::start());
    relay.set_target(Target::At(format!("127.0.0.1:{}", server.port())));
    let port = relay.address().rsplit(':').next().unwrap().parse().unwrap();
    let store = Store::in_redis(&RedisSettings::new(address(port)), Still::at(100), &SystemRandom).unwrap();
    revoke(&store, "a").await.unwrap();
    relay.freeze();
    let (acme, keys) = (tenant("acme"), [session("a")]);
    let check = || store.is_revoked(&acme, &keys, None, Instant::now() + Duration::from_millis(300));
    assert_is_outage(&check().await.unwrap_err());
    assert!(check().await.unwrap());
}

#[tokio::test]
async fn claim_without_a_response_is_released() {
    let (store, server) = shared();
    // The server has the script from here on.
    drop(claim(&store, "0", LONG).await);
    server.pause();
    let deadline = Instant::now() + Duration::from_millis(200);
    assert_is_outage(&store.begin_write(key("1"), [0; 32], deadline).await.unwrap_err());
    server.resume();
    // The server now handles the command that was answered too late.
    let begun = Instant::now();
    assert!(matches!(begin(&store, "1", LONG).await, Begin::Run(_)));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn success_is_recorded_after_an_outage() {
    let (store, mut server) = shared();
    let running = claim(&store, "1", Duration::from_millis(500)).await;
    server.kill();
    assert_is_outage(&running.finish(Ok("{}".into())).await.unwrap_err());
    server.restart();
    until_back(async || is_revoked(&store, "a").await).await;
    assert_eq!(body(begin(&store, "1", LONG).await), "{}");
}

#[tokio::test]
async fn sentinel_names_the_new_master() {
    let mut master = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {}", master.port())]);
    let sentinel = Sentinel::start(&master);
    let settings = RedisSettings {
        topology: RedisTopology::Sentinel { master: Sentinel::MASTER.into(), password: None },
        ..RedisSettings::new(address(sentinel.port()))
    };
    let store = Store::in_redis(&settings, Still::at(100), &SystemRandom).unwrap();
    revoke(&store, "a").await.unwrap();
    claim(&store, "1", LONG).await.finish(Ok("{}".into())).await.unwrap();
    master.wait_for_replica();
    master.kill();
    assert_is_outage(&revoke(&store, "b").await.unwrap_err());
    sentinel.wait_for_failover(&master);
    let back = until_back(async || revoke(&store, "b").await).await;
    println!("after the failover the store was back in {back:?}");
    assert!(is_revoked(&store, "a").await.unwrap());
    assert_eq!(body(begin(&store, "1", LONG).await), "{}");
    assert!(replica.command(&["INFO", "replication"]).contains("role:master"));
}

#[tokio::test]
async fn sentinels_and_servers_have_passwords() {
    let login = ["--requirepass", "hunter2", "--masterauth", "hunter2"];
    let mut master = RedisServer::start_with(&login);
    let replica_of = format!("127.0.0.1 {}", master.port());
    let _replica = RedisServer::start_with(&[&login[..], &["--replicaof", &replica_of]].concat());
    let sentinel = Sentinel::start_with_passwords(&master, "hunter3", "hunter2");
    let open = |password: &str, own: Option<&str>| {
        let own = own.map(Secret::new);
        let settings = RedisSettings {
            topology: RedisTopology::Sentinel { master: Sentinel::MASTER.into(), password: own },
            password: Some(Secret::new(password)),
            ..RedisSettings::new(address(sentinel.port()))
        };
        Store::in_redis(&settings, Still::at(100), &SystemRandom).unwrap()
    };
    let store = open("hunter2", Some("hunter3"));
    revoke(&store, "a").await.unwrap();
    for (password, own) in [("hunter2", None), ("hunter2", Some("hunter2")), ("hunter3", Some("hunter3"))] {
        let error = revoke(&open(password, own), "a").await.unwrap_err();
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
    master.kill();
    sentinel.wait_for_failover(&master);
    until_back(async || revoke(&store, "b").await).await;
}

#[tokio::test]
async fn cluster_keeps_all_kinds_of_keys() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    server.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let settings = RedisSettings { topology: RedisTopology::Cluster, ..settings(&server) };
    let store = Store::in_redis(&settings, Still::at(100), &SystemRandom).unwrap();
    until_back(async || revoke(&store, "a").await).await;
    let keys = [session("b"), session("a")];
    assert!(store.is_revoked(&tenant("acme"), &keys, None, Instant::now() + LONG).await.unwrap());
    claim(&store, "1", LONG).await.finish(Ok("{}".into())).await.unwrap();
    assert_eq!(body(begin(&store, "1", LONG).await), "{}");
    store.count_reset(&tenant("acme"), &"ada@acme.example".parse().unwrap(), Instant::now() + LONG).await.unwrap();
}
