//! What the tests share: the lab's Keycloak, and bridges in front of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

pub(crate) use crate::settings::Lab;
use crate::support::bridge::Bridge;
use crate::support::sign::Signer;

/// Tests share the Keycloak; the one that stops it needs it alone.
static KEYCLOAK: RwLock<()> = RwLock::new(());

/// A Keycloak that stays as long as this is held.
pub(crate) fn running() -> RwLockReadGuard<'static, ()> {
    KEYCLOAK.read().unwrap_or_else(PoisonError::into_inner)
}

/// A Keycloak that nobody else uses as long as this is held.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    KEYCLOAK.write().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    /// The lab that runs, which must be there.
    #[track_caller]
    pub(crate) fn get_running() -> Self {
        Self::find("keycloak").unwrap_or_else(|error| panic!("{error}"))
    }

    /// A setting that is a text, which must be there.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.get_text(pointer).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Host and port of Keycloak.
    pub(crate) fn keycloak_address(&self) -> String {
        self.text("/keycloak/url").trim_start_matches("http://").to_owned()
    }

    /// A sample user of the realm.
    pub(crate) fn user(&self, username: &str) -> Value {
        let users = self.get("/realm/users").unwrap().as_array().unwrap();
        users.iter().find(|user| user["username"] == username).unwrap().clone()
    }

    /// The configuration that the lab wrote.
    pub(crate) fn config(&self) -> PathBuf {
        self.text("/bridge/config").into()
    }

    /// A bridge with that configuration, on a port of its own, and with a memory of its own.
    pub(crate) fn serve(&self) -> Bridge {
        static SERVED: AtomicU32 = AtomicU32::new(0);
        let name = format!("lab-{}-{}", std::process::id(), SERVED.fetch_add(1, Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir(&folder).unwrap();
        let mut config: toml::Table = std::fs::read_to_string(self.config()).unwrap().parse().unwrap();
        config["server"]["state_dir"] = folder.to_str().unwrap().into();
        let path = folder.join("idp-bridge.toml");
        std::fs::write(&path, config.to_string()).unwrap();
        Bridge::of(&path)
    }

    pub(crate) fn signer(&self) -> Signer {
        let key = std::fs::read_to_string(self.text("/bridge/webhook_key_file")).unwrap();
        Signer::new(&key, &self.text("/bridge/tenant"))
    }
}
