//! The files that a lab writes: its settings for tests, which `xtask/README.md` describes, and the bridge's configuration.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::place::Place;
use crate::files;

/// A user of the new realm or pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SampleUser {
    /// The id at the identity provider. The files of sample users have none.
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password: String,
    /// The customer id. One user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<String>,
    pub(crate) email_verified: bool,
    /// Whether the user may log in.
    pub(crate) enabled: bool,
}

impl SampleUser {
    /// Formats the user as a line.
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

/// The bridge's configuration, as the settings describe it.
#[derive(Debug, Serialize)]
pub(crate) struct Bridge {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// The address in it.
    pub(crate) listen: String,
    /// The tenant in it.
    pub(crate) tenant: &'static str,
    /// The file with the key to sign calls with.
    pub(crate) webhook_key_file: PathBuf,
}

/// Returns the settings of a lab with those of the bridge.
pub(crate) fn to_json(lab: &Value, bridge: &Bridge) -> Result<String> {
    #[derive(Serialize)]
    struct Settings<'a> {
        #[serde(flatten)]
        lab: &'a Value,
        bridge: &'a Bridge,
    }
    Ok(serde_json::to_string_pretty(&Settings { lab, bridge })? + "\n")
}

/// Writes a configuration of the bridge with one tenant, and a new webhook key.
pub(crate) fn configure_bridge(place: &Place, port: u16, connector: &Value, federation: &Value) -> Result<Bridge> {
    let tenant = place.lab.tenant;
    let bridge = Bridge {
        config: place.file("toml"),
        listen: format!("127.0.0.1:{port}"),
        tenant,
        webhook_key_file: place.file("key"),
    };
    // Empty, since the lab's users are new.
    let state = place.folder.join(format!("state-{tenant}"));
    files::remove(&state)?;
    files::create_folder(&state)?;
    let key = format!("whsec_{}\n", STANDARD.encode(random()?));
    files::write_with_mode(&bridge.webhook_key_file, &key, files::PRIVATE)?;
    let key_files = [&bridge.webhook_key_file];
    let mut settings = Map::new();
    settings.insert("webhook_keys_file".to_owned(), json!(key_files));
    settings.insert("connector".to_owned(), connector.clone());
    if !federation.is_null() {
        settings.insert("federation".to_owned(), federation.clone());
    }
    let configuration = json!({
        "server": {"listen": bridge.listen, "public_url": format!("http://{}", bridge.listen), "state_dir": state},
        "tenants": {tenant: settings},
    });
    let text = toml::to_string(&configuration).context("the configuration cannot be written as TOML")?;
    let text = format!("# Written by `cargo xtask lab` at every start.\n{text}");
    files::write_with_mode(&bridge.config, &text, files::PRIVATE)?;
    Ok(bridge)
}

/// Returns a new secret.
pub(crate) fn new_secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system has no random bytes")?;
    Ok(bytes)
}
