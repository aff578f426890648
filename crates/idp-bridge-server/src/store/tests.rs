//! The behavior of all stores: in memory, in a file, and in a real Redis server.

mod leases;
mod outages;
mod redis;
mod resets;
mod revocations;
mod writes;

use std::sync::{Arc, Mutex};

use idp_bridge_core::{SessionId, SystemRandom};
use idp_bridge_test_redis::RedisServer;
use tempfile::TempDir;

use super::*;

/// A clock that a test sets.
#[derive(Debug)]
pub(super) struct Still(Mutex<Timestamp>);

impl Still {
    pub(super) fn at(second: i64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time(second))))
    }

    pub(super) fn set(&self, second: i64) {
        *self.0.lock().unwrap() = time(second);
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(super) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(super) fn session(id: &str) -> RevokedKey {
    RevokedKey::Session(SessionId::new(id).unwrap())
}

pub(super) fn entry(key: RevokedKey, not_before: Option<i64>, until: i64) -> Revocation {
    Revocation { key, not_before: not_before.map(time), until: time(until) }
}

/// The place of a store.
#[derive(Debug)]
enum Place {
    Memory,
    File(TempDir),
    Redis(RedisServer),
}

/// A store and its place.
struct Fixture {
    clock: Arc<Still>,
    store: Store,
    place: Place,
}

impl Fixture {
    /// Returns a fixture for each kind of store, at second 100.
    fn all() -> [Self; 3] {
        let places = [Place::Memory, Place::File(tempfile::tempdir().unwrap()), Place::Redis(RedisServer::start())];
        places.map(Self::new)
    }

    /// Returns a fixture for each store that survives a restart, at second 100.
    fn persistent() -> [Self; 2] {
        [Place::File(tempfile::tempdir().unwrap()), Place::Redis(RedisServer::start())].map(Self::new)
    }

    fn new(place: Place) -> Self {
        let clock = Still::at(100);
        Self { store: open(&place, &clock), clock, place }
    }

    /// Opens a persistent store again.
    fn restart(&mut self) {
        if !matches!(self.place, Place::Memory) {
            // The file has one user at a time.
            self.store = Store::in_memory(self.clock.clone(), &SystemRandom).unwrap();
            self.store = open(&self.place, &self.clock);
        }
    }
}

fn open(place: &Place, clock: &Arc<Still>) -> Store {
    match place {
        Place::Memory => Store::in_memory(clock.clone(), &SystemRandom).unwrap(),
        Place::File(folder) => Store::open_file(folder.path(), clock.clone(), &SystemRandom).unwrap(),
        Place::Redis(server) => Store::in_redis(&settings(server), clock.clone(), &SystemRandom).unwrap(),
    }
}

fn settings(server: &RedisServer) -> RedisSettings {
    RedisSettings::new(address(server.port()))
}

fn address(port: u16) -> super::RedisServer {
    super::RedisServer { host: "127.0.0.1".into(), port }
}
