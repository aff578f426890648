//! A bridge that serves all tenants, and records which identity providers a call reaches.

use serde_json::Value;
use tokio::runtime::Runtime;

use super::home::Home;
use crate::support::bridge::Bridge;
use crate::support::http::Reply;
use crate::support::sign::Signer;

/// The tenants and the bridge that serves them.
pub(crate) struct Served {
    pub(crate) homes: Vec<Home>,
    bridge: Bridge,
    _runtime: Runtime,
}

impl Served {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let homes = runtime.block_on(Home::start_all()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("idp-bridge.toml");
        std::fs::write(&config, homes.iter().map(Home::table).collect::<String>()).unwrap();
        Self { homes, bridge: Bridge::serve(&config), _runtime: runtime }
    }

    /// Makes a call for the tenant `to` with the key of the tenant `by`.
    ///
    /// Returns the response, and the tenants of the identity providers that received data.
    pub(crate) fn call(&self, by: &Home, to: &Home, kind: &str, data: &Value) -> (Reply, Vec<&'static str>) {
        let before: Vec<_> = self.homes.iter().map(|home| home.tap.sent()).collect();
        let reply = Signer::new(&by.key, to.tenant).call(kind, data.clone()).send(self.bridge.address());
        let reached = self.homes.iter().zip(before).filter(|(home, before)| home.tap.sent() != *before);
        (reply, reached.map(|(home, _)| home.tenant).collect())
    }
}
