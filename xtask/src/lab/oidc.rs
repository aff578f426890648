//! A real OpenID Provider of somebody else's: node-oidc-provider, with applications and users.

mod settings;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use ureq::Agent;

use self::settings::{Client, Provider, Settings};
use super::bridge::{self, Files};
use super::place::{Kind, Place};
use super::server::{Launched, Server};
use super::settings::SampleUser;
use super::{Introduction, Lab, ports};
use crate::interrupt::Interrupt;
use crate::prerequisites::Node;
use crate::workspace::Workspace;
use crate::{files, npm, status};

static KIND: Kind = Kind { name: "oidc", servers: &[SERVER] };
const SERVER: &str = "oidc-provider";
const TENANT: &str = "umbrella";
const START_LIMIT: Duration = Duration::from_secs(60);

/// What it is made of, beside what npm installs.
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("oidc/package.json")),
    ("package-lock.json", include_str!("oidc/package-lock.json")),
    (".npmrc", include_str!("oidc/npmrc")),
    ("provider.mjs", include_str!("oidc/provider.mjs")),
];

/// Where everything listens, on 127.0.0.1.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Ports {
    /// Port of the OpenID Provider [default: the first free one from 8280 on]
    #[arg(long)]
    port: Option<u16>,
    /// Port that the bridge is configured to listen on [default: the first free one from 8082 on]
    #[arg(long)]
    bridge_port: Option<u16>,
}

/// Where its files lie.
pub(crate) fn place(workspace: &Workspace) -> Place {
    Place::new(workspace, &KIND)
}

/// Starts everything, from whatever an earlier run left.
pub(crate) fn start(workspace: &Workspace, ports: &Ports, node: &Node, interrupt: &Interrupt) -> Result<Lab> {
    let place = place(workspace);
    let lock = place.take(interrupt)?;
    let home = place.folder().join(SERVER);
    install(&home, node, &place.folder().join("log/oidc-provider-npm.log"), interrupt)?;

    let started = Instant::now();
    let port = ports::choose(ports.port, 8280)?;
    let provider = provider(port, place.server(SERVER))?;
    status::step("Starting", format!("node-oidc-provider {} at {}", version()?, provider.issuer));
    let users = sample_users()?;
    let running = run(&home, &provider, &users, port, (node, interrupt))?;
    let bridge_port = ports::choose(ports.bridge_port, 8082)?;
    let files = Files { config: "oidc.toml", key: "oidc.key" };
    let settings = Settings {
        bridge: bridge::write(place.folder(), &files, bridge_port, TENANT, &connector(&provider)?)?,
        provider,
        users,
    };
    let introduction = introduce(&settings)?;
    Lab::ready(place, lock, started, vec![running], (settings, introduction))
}

/// Writes what differs from what is there, so that npm installs again only if the lock file is another one.
fn install(home: &Path, node: &Node, log: &Path, interrupt: &Interrupt) -> Result<()> {
    files::create_folder(home)?;
    for (name, text) in FILES {
        let path = home.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        files::write(&path, text)?;
    }
    npm::install(home, node, log, interrupt)
}

fn provider(port: u16, process: Server) -> Result<Provider> {
    let client = |id: &str| -> Result<Client> { Ok(Client { id: id.to_owned(), secret: bridge::new_secret()? }) };
    Ok(Provider {
        issuer: format!("http://127.0.0.1:{port}"),
        control_key: bridge::new_secret()?,
        app: client("umbrella-app")?,
        public_app_id: "umbrella-phone".to_owned(),
        stranger: client("stranger")?,
        bridge: client("idp-bridge")?,
        redirect_uri: "https://app.umbrella.example/callback".to_owned(),
        post_logout_redirect_uri: "https://app.umbrella.example/goodbye".to_owned(),
        process,
    })
}

/// The users of the file, with ids.
fn sample_users() -> Result<Vec<SampleUser>> {
    let mut users: Vec<serde_json::Value> = serde_json::from_str(include_str!("oidc/users.json"))?;
    for user in &mut users {
        let name = user.get("username").and_then(serde_json::Value::as_str).context("a sample user has no name")?;
        let id = json!(format!("umbrella-{name}"));
        user.as_object_mut().context("a sample user is no object")?.insert("id".to_owned(), id);
    }
    users.into_iter().map(|user| Ok(serde_json::from_value(user)?)).collect()
}

fn run(
    home: &Path,
    provider: &Provider,
    users: &[SampleUser],
    port: u16,
    (node, interrupt): (&Node, &Interrupt),
) -> Result<Launched> {
    let settings = home.join("settings.json");
    let written = json!({
        "port": port,
        "control_key": provider.control_key,
        "redirect_uri": provider.redirect_uri,
        "post_logout_redirect_uri": provider.post_logout_redirect_uri,
        "clients": {
            "app": provider.app,
            "public_app": {"id": provider.public_app_id},
            "stranger": provider.stranger,
            "bridge": provider.bridge,
        },
        "users": users,
    });
    files::write_private(&settings, &written.to_string())?;
    let word = |path: &Path| path.to_string_lossy().into_owned();
    let (program, script, settings) = (word(&node.node), word(&home.join("provider.mjs")), word(&settings));
    provider.process.write_script(&[], &[&program, &script, &settings])?;
    let launched = provider.process.launch(interrupt)?;
    launched.wait_until(START_LIMIT, || is_ready(&provider.issuer)).context("cannot start the OpenID Provider")?;
    Ok(launched)
}

fn is_ready(issuer: &str) -> bool {
    let agent: Agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).proxy(None).build().into();
    agent.get(format!("{issuer}/lab/ready")).call().is_ok()
}

/// The version that the lock file names, and that the connector was tried on.
fn version() -> Result<String> {
    let lock: serde_json::Value = serde_json::from_str(include_str!("oidc/package-lock.json"))?;
    let version = lock.pointer("/packages/node_modules~1oidc-provider/version").and_then(serde_json::Value::as_str);
    version.map(str::to_owned).context("the lock file does not name the provider's version")
}

/// The connector's table of the configuration, and that of federation.
fn connector(provider: &Provider) -> Result<String> {
    let text = bridge::text;
    Ok(format!(
        r#"type = "oidc"
issuer = {issuer}
client_id = {bridge}
client_secret = {bridge_secret}
session_claim = "sid"
scopes = ["openid", "email", "customer"]

[tenants.{TENANT}.federation]
clients = [{{ id = {app}, secret = {app_secret} }}, {{ id = {public_app} }}]
post_logout_redirect_uris = [{redirect_uri}]
"#,
        issuer = text(&provider.issuer)?,
        bridge = text(&provider.bridge.id)?,
        bridge_secret = text(&provider.bridge.secret)?,
        app = text(&provider.app.id)?,
        app_secret = text(&provider.app.secret)?,
        public_app = text(&provider.public_app_id)?,
        redirect_uri = text(&provider.post_logout_redirect_uri)?,
    ))
}

fn introduce(Settings { provider, users, bridge }: &Settings) -> Result<Introduction> {
    let parts = format!(
        "  issuer     {issuer}
  clients    {app} (secret `{secret}`), {public_app} (public)
",
        issuer = provider.issuer,
        app = provider.app.id,
        secret = provider.app.secret,
        public_app = provider.public_app_id,
    );
    let title = format!("node-oidc-provider {}", version()?);
    Ok(Introduction { title, parts, users: users.clone(), bridge: bridge.clone(), has_calls: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connectors_table_is_toml_with_federation_behind_it() {
        let process = Server::new(Path::new("/lab"), SERVER);
        let provider = provider(8280, process).unwrap();
        let text = format!("[tenants.{TENANT}.connector]\n{}", connector(&provider).unwrap());
        let written: toml::Table = text.parse().unwrap();
        let tenant = &written["tenants"][TENANT];
        assert_eq!(tenant["connector"]["client_secret"].as_str(), Some(provider.bridge.secret.as_str()));
        assert_eq!(tenant["federation"]["clients"][1]["id"].as_str(), Some("umbrella-phone"));
    }

    #[test]
    fn the_lock_file_names_one_version_and_no_place() {
        assert!(version().unwrap().starts_with("9."));
        assert!(!include_str!("oidc/package-lock.json").contains("\"resolved\""));
    }

    #[test]
    fn the_sample_users_are_of_every_state_that_the_bridge_tells_apart() {
        let users = sample_users().unwrap();
        assert!(users.iter().any(|user| user.customer.is_none()));
        assert!(users.iter().any(|user| !user.enabled) && users.iter().any(|user| !user.email_verified));
    }
}
