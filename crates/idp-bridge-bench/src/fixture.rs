//! What all parties of the measurement share: the tenant, its key, its user and the configuration of idp-bridge.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The tenant of all calls.
pub(crate) const TENANT: &str = "acme";
/// The realm of the fake Keycloak.
pub(crate) const REALM: &str = "acme";
/// The tenant's webhook key.
pub(crate) const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// The access token that the fake Keycloak issues, as long as a real one.
pub(crate) const TOKEN_LENGTH: usize = 1200;

/// The path of the users in the Admin REST API.
pub(crate) const USERS: &str = "/admin/realms/acme/users/";

/// Returns the access token of the fake Keycloak.
pub(crate) fn token() -> String {
    "t".repeat(TOKEN_LENGTH)
}

/// Returns the id of a user. Each call reads another one, since idp-bridge shares equal reads.
pub(crate) fn user(number: usize) -> String {
    format!("43180368-bb2a-4a4a-b8b7-{number:012x}")
}

/// Writes the configuration of idp-bridge as one file: the tenant of the calls, and others beside it.
pub(crate) fn write_configuration(folder: &Path, listen: SocketAddr, stub: SocketAddr, tenants: usize) -> Result<()> {
    let mut text = server_tables(listen);
    for number in 0..tenants {
        let (tenant, keys) = tenant(number);
        let table = format!("tenants.{tenant}");
        write!(text, "\n[{table}]\n{keys}{}", tables(&format!("{table}."), stub))?;
    }
    write(&folder.join("idp-bridge.toml"), &text)
}

/// Writes the configuration of idp-bridge with a file for each tenant.
pub(crate) fn write_files(folder: &Path, listen: SocketAddr, stub: SocketAddr, tenants: usize) -> Result<()> {
    write(&folder.join("idp-bridge.toml"), &server_tables(listen))?;
    for number in 0..tenants {
        let (tenant, keys) = tenant(number);
        write(&folder.join(format!("{tenant}.toml")), &format!("{keys}{}", tables("", stub)))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
}

fn server_tables(listen: SocketAddr) -> String {
    format!(
        "[server]\nlisten = \"{listen}\"\nshutdown_delay = \"0s\"\n\n[server.limits]\nconnections_per_peer = 10000\n\n[outbound]\nprivate_networks = \"allow\"\n"
    )
}

/// Returns the id and the keys of a tenant. Tenants cannot share a webhook key.
fn tenant(number: usize) -> (String, String) {
    let (tenant, key) = match number {
        0 => (TENANT.to_owned(), KEY.to_owned()),
        _ => (format!("tenant-{number}"), format!("whsec_{}", STANDARD.encode(format!("{number:032}")))),
    };
    (tenant, format!("webhook_keys = [\"{key}\"]\n"))
}

/// Returns the tables in a tenant's table.
fn tables(prefix: &str, stub: SocketAddr) -> String {
    format!("\n[{prefix}limits]\nin_flight = 1024\n\n[{prefix}connector]\nallow_http = true\n{}", connector(stub))
}

/// Returns the keys of the connector.
fn connector(stub: SocketAddr) -> String {
    format!(
        "type = \"keycloak\"\nurl = \"http://{stub}\"\nrealm = \"{REALM}\"\nclient_id = \"idp-bridge\"\nclient_secret = \"bench\"\n"
    )
}

/// Replaces the connector in a configuration by `http`, with a definition that describes Keycloak.
pub(crate) fn use_definition(file: &Path, stub: SocketAddr, definition: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let keys = format!(
        "type = \"http\"\ndefinition_file = \"{}\"\nsecrets.client_secret = \"bench\"\nsettings.url = \"http://{stub}\"\nsettings.realm = \"{REALM}\"\nsettings.client_id = \"idp-bridge\"\n",
        definition.canonicalize()?.display()
    );
    write(file, &text.replace(&connector(stub), &keys))
}
