//! A configured bridge with sample users and a shared key.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::bridge::Bridge;
use crate::support::sign::Signer;

/// The shared key of the tenant.
pub(crate) const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// The key of the tokens in mails, another one than that of the calls.
pub(crate) const MAIL_KEY: &str = "whsec_Q29uZm9ybWFuY2Ugb2YgbWFpbHMgaW4gdGVzdHM=";
/// The id of the tenant.
pub(crate) const TENANT: &str = "acme";
/// The users of the demo and of most tests.
pub(crate) const SAMPLE_USERS: &str = include_str!("../../crates/idp-bridge-connector-memory/src/sample_users.json");

/// A folder with a configuration.
#[derive(Debug)]
pub(crate) struct Configured {
    folder: TempDir,
}

impl Configured {
    /// Creates a configuration with the tenant `acme`, the sample users and additional keys in the tenant's table.
    ///
    /// The bridge stops without a delay.
    pub(crate) fn with_tenant_keys(more: &str) -> Self {
        Self::with_keys(more, "shutdown_delay = \"0s\"")
    }

    /// Creates a configuration with the tenant `acme`, the sample users and these keys in the table of the server.
    pub(crate) fn with_server_keys(server: &str) -> Self {
        Self::with_keys("", server)
    }

    /// Creates a configuration with the tenant `acme`, the sample users and these keys in the tables of tenant and server.
    pub(crate) fn with_keys(tenant: &str, server: &str) -> Self {
        let text = format!(
            "[tenants.{TENANT}]\nwebhook_keys_file = [\"webhook\"]\n{tenant}\n\
             [tenants.{TENANT}.connector]\ntype = \"memory\"\nusers_file = \"users.json\"\n[server]\n{server}\n"
        );
        let configured = Self::new(&text);
        configured.write("users.json", SAMPLE_USERS);
        configured
    }

    /// Creates a folder with this configuration, and with the key in the file `webhook`.
    pub(crate) fn new(text: &str) -> Self {
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
        Bridge::serve(&self.config())
    }

    /// Serves with the log that is configured, or else one at `info`.
    pub(crate) fn serve_at_info(&self) -> Bridge {
        Bridge::serve_at(&self.config(), "127.0.0.1:0")
    }
}

/// Returns the signer of the tenant's calls.
pub(crate) fn signer() -> Signer {
    Signer::new(KEY, TENANT)
}
