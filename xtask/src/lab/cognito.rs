//! A stand-in for Amazon Cognito with a fresh user pool.

mod ministack;
mod settings;

use std::time::Instant;

use anyhow::Result;

use self::ministack::{Ministack, REGION, ROOT, VERSION};
use self::settings::{Pool, Settings};
use super::bridge::{self, Files};
use super::place::{Kind, Place};
use super::{Introduction, Lab, ports};
use crate::interrupt::Interrupt;
use crate::status;
use crate::workspace::Workspace;

static KIND: Kind = Kind { name: "cognito", servers: &[SERVER] };
const SERVER: &str = "ministack";
const TENANT: &str = "initech";

/// Where everything listens, on 127.0.0.1.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Ports {
    /// Port of ministack [default: the first free one from 4566 on]
    #[arg(long)]
    port: Option<u16>,
    /// Port that the bridge is configured to listen on [default: the first free one from 8081 on]
    #[arg(long)]
    bridge_port: Option<u16>,
}

/// Where its files lie.
pub(crate) fn place(workspace: &Workspace) -> Place {
    Place::new(workspace, &KIND)
}

/// Starts everything, from whatever an earlier run left.
pub(crate) fn start(
    workspace: &Workspace,
    ports: &Ports,
    python: &std::path::Path,
    interrupt: &Interrupt,
) -> Result<Lab> {
    let place = place(workspace);
    let lock = place.take(interrupt)?;
    let ministack = Ministack::install(place.folder(), python, interrupt)?;

    let started = Instant::now();
    let port = ports::choose(ports.port, 4566)?;
    let url = format!("http://127.0.0.1:{port}");
    status::step("Starting", format!("ministack {VERSION} at {url}"));
    let running = ministack.start(&place.server(SERVER), port, interrupt)?;
    let pool = ministack.provision(&url)?;
    let bridge_port = ports::choose(ports.bridge_port, 8081)?;
    let files = Files { config: "cognito.toml", key: "cognito.key" };
    let settings = Settings {
        bridge: bridge::write(place.folder(), &files, bridge_port, TENANT, &connector(&url, &pool)?)?,
        ministack: settings::Ministack {
            mails_url: format!("{url}/_ministack/ses/messages"),
            url,
            region: REGION.to_owned(),
            access_key_id: ROOT.0.to_owned(),
            secret_access_key: ROOT.1.to_owned(),
            process: place.server(SERVER),
        },
        pool,
    };
    let introduction = introduce(&settings);
    Lab::ready(place, lock, started, vec![running], (settings, introduction))
}

/// The connector's table of the configuration, and that of federation.
fn connector(url: &str, pool: &Pool) -> Result<String> {
    let text = bridge::text;
    Ok(format!(
        r#"type = "cognito"
domain = {url}
endpoint = {url}
issuer_endpoint = {url}
user_pool_id = {id}
client_id = {client_id}
client_secret = {client_secret}
access_key_id = {access_key_id}
secret_access_key = {secret_access_key}
customer_attribute = {customer_attribute}
customer_lookup = "attribute"
resend_invitations = true

[tenants.{TENANT}.federation]
clients = [{{ id = {client_id}, secret = {client_secret} }}]
post_logout_redirect_uris = [{sign_out_url}]
metadata = true
"#,
        url = text(url)?,
        id = text(&pool.id)?,
        client_id = text(&pool.client_id)?,
        client_secret = text(&pool.client_secret)?,
        access_key_id = text(&pool.access_key_id)?,
        secret_access_key = text(&pool.secret_access_key)?,
        customer_attribute = text(&pool.customer_attribute)?,
        sign_out_url = text(&pool.sign_out_url)?,
    ))
}

fn introduce(Settings { ministack, pool, bridge }: &Settings) -> Introduction {
    let parts = format!(
        "  ministack  {url} (region {region}, root key `{key}` / `{secret}`)
  pool       {id}, its app client {client} for the bridge
  mails      {mails}
",
        url = ministack.url,
        region = ministack.region,
        key = ministack.access_key_id,
        secret = ministack.secret_access_key,
        id = pool.id,
        client = pool.client_id,
        mails = ministack.mails_url,
    );
    let title = format!("ministack {VERSION}, a stand-in for Cognito, with a fresh pool");
    Introduction { title, parts, users: pool.users.clone(), bridge: bridge.clone(), has_calls: true }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_tables_are_toml_whatever_the_secrets_are() {
        let secret = "a \"quoted\" \\secret";
        let pool = Pool {
            id: "us-east-1_abc".to_owned(),
            client_id: "app".to_owned(),
            client_secret: secret.to_owned(),
            callback_url: "http://127.0.0.1:8090/back".to_owned(),
            sign_out_url: "http://127.0.0.1:8090/bye".to_owned(),
            access_key_id: "AKIA".to_owned(),
            secret_access_key: secret.to_owned(),
            customer_attribute: "preferred_username".to_owned(),
            users: Vec::new(),
        };
        let written: toml::Table = connector("http://127.0.0.1:4566", &pool).unwrap().parse().unwrap();
        assert_eq!(written["client_secret"].as_str(), Some(secret));
        assert_eq!(written["secret_access_key"].as_str(), Some(secret));
        let clients = written["tenants"][TENANT]["federation"]["clients"].as_array().unwrap();
        assert_eq!(clients[0]["secret"].as_str(), Some(secret));
    }

    #[test]
    fn the_sample_users_are_of_every_state_that_the_bridge_tells_apart() {
        let users: Vec<Value> = serde_json::from_str(include_str!("cognito/users.json")).unwrap();
        for state in ["confirmed", "unconfirmed", "invited"] {
            assert!(users.iter().any(|user| user["state"] == state), "{state}");
        }
        let confirmed = |user: &&Value| user["state"] == "confirmed";
        assert!(users.iter().filter(confirmed).any(|user| user["email_verified"] == false));
        assert!(users.iter().any(|user| user["enabled"] == false));
        assert!(users.iter().any(|user| user.get("customer").is_none()));
    }
}
