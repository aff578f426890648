//! The configuration that the lab writes for the bridge, ready to serve.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::realm;
use super::settings::{Bridge, Realm};
use crate::files;

/// Writes the configuration and the key that calls are signed with.
pub(crate) fn write(lab: &Path, keycloak_url: &str, realm: &Realm, port: u16) -> Result<Bridge> {
    let bridge = Bridge {
        config: lab.join("idp-bridge.toml"),
        listen: format!("127.0.0.1:{port}"),
        tenant: realm::NAME.to_owned(),
        webhook_key_file: lab.join("webhook.key"),
    };
    let key = format!("whsec_{}", STANDARD.encode(random()?));
    files::write_private(&bridge.webhook_key_file, &(key + "\n"))?;
    files::write_private(&bridge.config, &configuration(&bridge, keycloak_url, realm)?)?;
    Ok(bridge)
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

fn configuration(bridge: &Bridge, keycloak_url: &str, realm: &Realm) -> Result<String> {
    // A JSON string is also a TOML string, for all that can stand in these.
    let text = |value: &str| serde_json::to_string(value);
    let key_file = text(&bridge.webhook_key_file.to_string_lossy())?;
    Ok(format!(
        r#"# Written by `cargo xtask lab keycloak`, anew at every start.
[server]
listen = {listen}

[tenants.{tenant}]
webhook_keys_file = [{key_file}]

[tenants.{tenant}.connector]
type = "keycloak"
url = {url}
realm = {name}
client_id = {client_id}
client_secret = {client_secret}
customer_attribute = {customer_attribute}
login_events = true
"#,
        listen = text(&bridge.listen)?,
        tenant = bridge.tenant,
        url = text(keycloak_url)?,
        name = text(&realm.name)?,
        client_id = text(&realm.client_id)?,
        client_secret = text(&realm.client_secret)?,
        customer_attribute = text(&realm.customer_attribute)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_configuration_is_toml_and_names_the_key_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let representation = realm::representation("a \"quoted\" secret", 8125).unwrap();
        let realm = realm::settings(&representation, "a \"quoted\" secret");
        let bridge = write(folder.path(), "http://127.0.0.1:8180", &realm, 8080).unwrap();
        let written: toml::Table = std::fs::read_to_string(&bridge.config).unwrap().parse().unwrap();
        let tenant = &written["tenants"]["acme"];
        assert_eq!(written["server"]["listen"].as_str(), Some("127.0.0.1:8080"));
        assert_eq!(tenant["connector"]["client_secret"].as_str(), Some("a \"quoted\" secret"));
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
