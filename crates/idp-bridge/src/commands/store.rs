//! Opens and checks the store of a configuration.

use std::sync::Arc;

use idp_bridge_core::{Finding, SystemClock, SystemRandom};
use idp_bridge_server::store::{FileStore, RedisSettings, Store};

use crate::config::{Problem, StoreSettings};

/// Opens the store. A shared one is connected by its first operation.
pub(super) fn open(settings: &StoreSettings) -> Result<Store, Problem> {
    let clock = Arc::new(SystemClock);
    let opened = match settings {
        StoreSettings::Memory => return in_memory(),
        StoreSettings::File(folder) => Store::open_file(folder, clock, &SystemRandom),
        StoreSettings::Redis(settings) => Store::in_redis(settings, clock, &SystemRandom),
    };
    opened.map_err(|error| Problem::from_error(&error))
}

/// Creates a store in memory.
pub(super) fn in_memory() -> Result<Store, Problem> {
    Store::in_memory(Arc::new(SystemClock), &SystemRandom)
        .map_err(|error| Problem::new(format!("the system has no random bytes: {error}")))
}

/// Checks the store without changing it.
pub(super) async fn diagnose(settings: &StoreSettings) -> Vec<Finding> {
    match settings {
        StoreSettings::Memory => Vec::new(),
        StoreSettings::File(folder) => vec![FileStore::diagnose(folder)],
        StoreSettings::Redis(settings) => diagnose_redis(settings).await,
    }
}

async fn diagnose_redis(settings: &RedisSettings) -> Vec<Finding> {
    match idp_bridge_server::store::RedisStore::new(settings, Arc::new(SystemClock), &SystemRandom) {
        Ok(store) => store.diagnose().await,
        Err(error) => vec![Finding::failed_by("the shared store can be reached", &[], &error, String::new())],
    }
}
