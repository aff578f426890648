//! A configured bridge with sample users and a shared key.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::bridge::Bridge;
use crate::support::sign::Signer;

pub(crate) const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const TENANT: &str = "acme";

/// A folder with a configuration.
#[derive(Debug)]
pub(crate) struct Configured {
    folder: TempDir,
}

impl Configured {
    /// The tenant `acme` with the sample users, and more keys in its table.
    pub(crate) fn with(more: &str) -> Self {
        let users = include_str!("../../crates/idp-bridge-connector-memory/src/sample_users.json");
        let text = format!(
            "[tenants.{TENANT}]\nwebhook_keys_file = [\"webhook\"]\n{more}\n\
             [tenants.{TENANT}.connector]\ntype = \"memory\"\nusers_file = \"users.json\"\n"
        );
        let configured = Self::of(&text);
        configured.write("users.json", users);
        configured
    }

    /// This configuration, beside a file `webhook` with the key.
    pub(crate) fn of(text: &str) -> Self {
        let configured = Self { folder: tempfile::tempdir().unwrap() };
        configured.write("webhook", KEY);
        configured.write("idp-bridge.toml", text);
        configured
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("idp-bridge.toml")
    }

    pub(crate) fn serve(&self) -> Bridge {
        Bridge::of(&self.config())
    }
}

pub(crate) fn signer() -> Signer {
    Signer::new(KEY, TENANT)
}
