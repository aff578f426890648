//! The common data of all parties of the measurement: the tenant, its key, its user and the configuration of idp-bridge.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
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
/// The path of the realm's OpenID endpoints.
pub(crate) const OPENID: &str = "/realms/acme/protocol/openid-connect/";
/// The token of the caller of the REST surface.
pub(crate) const REST_TOKEN: &str = "bench-0123456789abcdef0123456789abcdef";
/// The issuer and the client of users' access tokens.
pub(crate) const ISSUER: &str = "https://login.acme.example/realms/acme";
pub(crate) const CLIENT: &str = "shop";

/// The fake Keycloak, as gateways reach it.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The file with the certificate of its authority (PEM), if it speaks TLS.
    pub(crate) authority: Option<PathBuf>,
}

impl Upstream {
    /// Creates one that speaks clear text.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, authority: None }
    }

    /// Returns the base URL, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// Returns the access token of the fake Keycloak.
pub(crate) fn token() -> String {
    "t".repeat(TOKEN_LENGTH)
}

/// Returns the id of a user. Each call reads another one, since idp-bridge shares equal reads.
pub(crate) fn user(number: usize) -> String {
    format!("43180368-bb2a-4a4a-b8b7-{number:012x}")
}

/// Writes the configuration of idp-bridge as one file: the tenant of the calls, and others beside it.
pub(crate) fn write_configuration(folder: &Path, listen: SocketAddr, stub: &Upstream, tenants: usize) -> Result<()> {
    let mut text = server_tables(listen);
    for number in 0..tenants {
        let (tenant, keys) = tenant(number);
        let table = format!("tenants.{tenant}");
        write!(text, "\n[{table}]\n{keys}{}", tables(&format!("{table}."), stub))?;
    }
    write(&folder.join("idp-bridge.toml"), &text)
}

/// Writes the configuration of idp-bridge with a file for each tenant.
pub(crate) fn write_files(folder: &Path, listen: SocketAddr, stub: &Upstream, tenants: usize) -> Result<()> {
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

/// Returns the id and the keys of a tenant. Tenants cannot share a webhook key. The first one has REST, too.
fn tenant(number: usize) -> (String, String) {
    let (tenant, key) = match number {
        0 => (TENANT.to_owned(), KEY.to_owned()),
        _ => (format!("tenant-{number}"), format!("whsec_{}", STANDARD.encode(format!("{number:032}")))),
    };
    let rest = match number {
        0 => format!(
            "rest.tokens = [{{ name = \"bench\", sha256 = \"{}\", scopes = [\"users.read\"] }}]\n",
            rest_digest()
        ),
        _ => String::new(),
    };
    (tenant, format!("webhook_keys = [\"{key}\"]\n{rest}"))
}

fn rest_digest() -> String {
    digest(&SHA256, REST_TOKEN.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the tables in a tenant's table.
fn tables(prefix: &str, stub: &Upstream) -> String {
    format!("\n[{prefix}limits]\nin_flight = 1024\n\n[{prefix}connector]\nallow_http = true\n{}", connector(stub))
}

/// Returns the keys of the connector.
fn connector(stub: &Upstream) -> String {
    let authority = stub.authority.as_ref().map(|file| format!("ca_file = \"{}\"\n", file.display()));
    format!(
        "{}type = \"keycloak\"\nurl = \"{}\"\nrealm = \"{REALM}\"\nclient_id = \"idp-bridge\"\nclient_secret = \"bench\"\n",
        authority.unwrap_or_default(),
        stub.url()
    )
}

/// Adds userinfo to a configuration in one file, with this setting for the cache.
pub(crate) fn add_federation(file: &Path, cache: &str) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let state = file.with_file_name("state");
    std::fs::create_dir_all(&state)?;
    let text = text.replacen("[server]\n", &format!("[server]\nstate_dir = \"{}\"\n", state.display()), 1);
    let issuer = format!("issuer = \"{ISSUER}\"\n");
    let federation = format!(
        "\n[tenants.{TENANT}.federation]\nclients = [{{ id = \"{CLIENT}\" }}]\ncache = \"{cache}\"\nanonymous_per_second = 1000000\n"
    );
    write(file, &format!("{text}{issuer}{federation}"))
}

/// Replaces the connector in a configuration by `http`, with a definition that describes Keycloak.
pub(crate) fn use_definition(file: &Path, stub: &Upstream, definition: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let keys = format!(
        "type = \"http\"\ndefinition_file = \"{}\"\nsecrets.client_secret = \"bench\"\nsettings.url = \"{}\"\nsettings.realm = \"{REALM}\"\nsettings.client_id = \"idp-bridge\"\n",
        definition.canonicalize()?.display(),
        stub.url()
    );
    write(file, &text.replace(&connector(stub), &keys))
}
