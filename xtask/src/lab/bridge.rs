//! The configuration that a lab writes for the bridge, ready to serve.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::settings::Bridge;
use crate::files;

/// The names of the files that are written.
#[derive(Debug)]
pub(crate) struct Files {
    /// The configuration.
    pub(crate) config: &'static str,
    /// The key that calls are signed with.
    pub(crate) key: &'static str,
}

/// Writes the configuration of one tenant, with this table of its connector, and the key that calls are signed with.
pub(crate) fn write(lab: &Path, files: &Files, port: u16, tenant: &str, connector: &str) -> Result<Bridge> {
    let bridge = Bridge {
        config: lab.join(files.config),
        listen: format!("127.0.0.1:{port}"),
        tenant: tenant.to_owned(),
        webhook_key_file: lab.join(files.key),
    };
    // What a former run of the bridge revoked says nothing about the users that the lab has now.
    let state = lab.join(format!("state-{tenant}"));
    files::remove(&state)?;
    files::create_folder(&state)?;
    let key = format!("whsec_{}", STANDARD.encode(random()?));
    files::write_private(&bridge.webhook_key_file, &(key + "\n"))?;
    let configuration = format!(
        r#"# Written by `cargo xtask lab`, anew at every start.
[server]
listen = {listen}
public_url = {public_url}
state_dir = {state}

[tenants.{tenant}]
webhook_keys_file = [{key_file}]

[tenants.{tenant}.connector]
{connector}"#,
        listen = text(&bridge.listen)?,
        public_url = text(&format!("http://{}", bridge.listen))?,
        state = text(&state.to_string_lossy())?,
        key_file = text(&bridge.webhook_key_file.to_string_lossy())?,
    );
    files::write_private(&bridge.config, &configuration)?;
    Ok(bridge)
}

/// A value as TOML writes it: a JSON string is also a TOML string, for all that can stand in these.
pub(crate) fn text(value: &str) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// A secret that no other start of the lab has.
pub(crate) fn new_secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_configuration_is_toml_and_names_the_key_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { config: "idp-bridge.toml", key: "webhook.key" };
        let bridge = write(folder.path(), &files, 8080, "acme", "type = \"memory\"\n").unwrap();
        let written: toml::Table = std::fs::read_to_string(&bridge.config).unwrap().parse().unwrap();
        let tenant = &written["tenants"]["acme"];
        assert!(std::path::Path::new(written["server"]["state_dir"].as_str().unwrap()).is_dir());
        assert_eq!(written["server"]["listen"].as_str(), Some("127.0.0.1:8080"));
        assert_eq!(tenant["connector"]["type"].as_str(), Some("memory"));
        let key_file = tenant["webhook_keys_file"][0].as_str().unwrap();
        let key = std::fs::read_to_string(key_file).unwrap();
        let secret = STANDARD.decode(key.trim().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(secret.len(), 32);
    }

    #[test]
    fn no_two_secrets_are_alike() {
        assert_ne!(new_secret().unwrap(), new_secret().unwrap());
    }
}
