//! What every lab tells the tests and the people who use it; `xtask/README.md` describes each field for those who read it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::files;

/// A user of the fresh realm or pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SampleUser {
    /// The id at the identity provider.
    pub(crate) id: String,
    /// The name to log in with.
    pub(crate) username: String,
    /// The address.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: String,
    /// The customer id, absent for the user who has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<String>,
    /// Whether the address is verified.
    pub(crate) email_verified: bool,
    /// Whether the user may log in.
    pub(crate) enabled: bool,
}

/// The configuration written for the bridge.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bridge {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// Where that file makes the bridge listen.
    pub(crate) listen: String,
    /// The tenant in it.
    pub(crate) tenant: String,
    /// A file with the tenant's webhook key, to sign calls with.
    pub(crate) webhook_key_file: PathBuf,
}

impl SampleUser {
    /// The user in a line for people.
    pub(crate) fn line(&self) -> String {
        let customer = self.customer.as_deref().unwrap_or("no customer");
        let state = match (self.enabled, self.email_verified) {
            (false, _) => ", blocked",
            (true, false) => ", not verified",
            (true, true) => "",
        };
        format!("    {:<28} {customer}{state}, password {}\n", self.email, self.password)
    }
}

/// Writes the settings of a lab, readable by their owner alone, since they hold secrets.
pub(crate) fn write(settings: &impl Serialize, path: &Path) -> Result<()> {
    let json = serde_json::to_string_pretty(settings)?;
    files::write_private(path, &(json + "\n"))
}
