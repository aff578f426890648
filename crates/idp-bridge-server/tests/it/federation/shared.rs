//! A bridge with federation and any store, for the tests of shared stores.

use idp_bridge_server::store::Store;

use super::idp::Idp;
use super::{acme, rules};
use crate::bridge::{Bridge, limits};

pub(crate) use super::{logout, userinfo};

/// Starts a bridge with this store. Its userinfo caches tokens for some seconds. The token is `a.d.a`.
pub(crate) async fn federated(cache_seconds: u32, store: Store) -> Bridge {
    let idp = Idp::with(|federation| federation.cache_seconds = cache_seconds);
    idp.ada("a.d.a");
    Bridge::with_server([acme(idp, rules())], limits(), |server| server.with_store(store)).await
}
