//! Shared access to the lab's Keycloak, and bridges before it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

pub(crate) use crate::settings::Lab;
use crate::support::bridge::Bridge;
use crate::support::sign::Signer;

/// Read by tests that use Keycloak, written by the tests that stop it.
static KEYCLOAK: RwLock<()> = RwLock::new(());

/// Keeps Keycloak running while the guard is held.
pub(crate) fn running() -> RwLockReadGuard<'static, ()> {
    KEYCLOAK.read().unwrap_or_else(PoisonError::into_inner)
}

/// Reserves Keycloak for one test while the guard is held.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    KEYCLOAK.write().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    /// Returns the running lab, or panics.
    #[track_caller]
    pub(crate) fn get_running() -> Self {
        Self::find("keycloak").unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns a text setting, or panics.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.get_text(pointer).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns Keycloak's host and port.
    pub(crate) fn keycloak_address(&self) -> String {
        self.text("/keycloak/url").trim_start_matches("http://").to_owned()
    }

    /// Returns a sample user of the realm.
    pub(crate) fn user(&self, username: &str) -> Value {
        let users = self.get("/realm/users").unwrap().as_array().unwrap();
        users.iter().find(|user| user["username"] == username).unwrap().clone()
    }

    /// Returns the path of the configuration that the lab wrote.
    pub(crate) fn config(&self) -> PathBuf {
        self.text("/bridge/config").into()
    }

    /// Starts a bridge with that configuration, on a free port and with a separate revocation list.
    pub(crate) fn serve(&self) -> Bridge {
        static SERVED: AtomicU32 = AtomicU32::new(0);
        let name = format!("lab-{}-{}", std::process::id(), SERVED.fetch_add(1, Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut config: toml::Table = std::fs::read_to_string(self.config()).unwrap().parse().unwrap();
        config["server"]["state_dir"] = folder.to_str().unwrap().into();
        let path = folder.join("idp-bridge.toml");
        std::fs::write(&path, config.to_string()).unwrap();
        Bridge::serve(&path)
    }

    pub(crate) fn signer(&self) -> Signer {
        let key = std::fs::read_to_string(self.text("/bridge/webhook_key_file")).unwrap();
        Signer::new(&key, &self.text("/bridge/tenant"))
    }
}
