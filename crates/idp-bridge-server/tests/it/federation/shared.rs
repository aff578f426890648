//! A bridge with federation and any store, for the tests of shared stores.

use std::time::Duration;

use idp_bridge_server::store::Store;

use super::idp::Idp;
use super::{acme, rules};
use crate::bridge::{Bridge, limits};

pub(crate) use super::{logout, userinfo};

/// Starts a bridge with this store and deadline. Its userinfo caches tokens for a minute. The token is `a.d.a`.
pub(crate) async fn federated(deadline: Duration, store: Store) -> Bridge {
    let idp = Idp::with(|federation| federation.cache_seconds = 60);
    idp.ada("a.d.a");
    let mut acme = acme(idp, rules());
    acme.deadline = deadline;
    Bridge::with_server([acme], limits(), |server| server.with_store(store)).await
}
