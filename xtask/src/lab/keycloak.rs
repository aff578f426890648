//! A real Keycloak with a fresh realm, and an SMTP sink for its mails.

mod admin;
mod distribution;
mod realm;
mod settings;
mod smtp;

use std::time::Instant;

use anyhow::Result;

use self::admin::Admin;
use self::distribution::{ADMIN, Address, Keycloak, VERSION};
use self::realm::Fresh;
use self::settings::Settings;
use super::bridge::{self, Files};
use super::place::{Kind, Place};
use super::{Introduction, Lab, ports};
use crate::environment::readable;
use crate::interrupt::Interrupt;
use crate::prerequisites::Tools;
use crate::workspace::Workspace;
use crate::{files, status};

static KIND: Kind = Kind { name: "keycloak", servers: &[SERVER, SINK] };
const SERVER: &str = "keycloak";
const SINK: &str = "smtp-sink";
/// Holds the secret of the application that has one, for the example application.
const WEB_SECRET: &str = "platform-web.secret";

/// Where everything listens, on 127.0.0.1.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Ports {
    /// Port of Keycloak [default: the first free one from 8180 on]
    #[arg(long)]
    port: Option<u16>,
    /// Port of Keycloak's health [default: the first free one from 9180 on]
    #[arg(long)]
    management_port: Option<u16>,
    /// Port of the SMTP sink [default: the first free one from 8125 on]
    #[arg(long)]
    smtp_port: Option<u16>,
    /// Port that the bridge is configured to listen on [default: the first free one from 8080 on]
    #[arg(long)]
    bridge_port: Option<u16>,
}

/// Where its files lie.
pub(crate) fn place(workspace: &Workspace) -> Place {
    Place::new(workspace, &KIND)
}

/// Starts everything, from whatever an earlier run left.
pub(crate) fn start(workspace: &Workspace, ports: &Ports, tools: &Tools, interrupt: &Interrupt) -> Result<Lab> {
    let place = place(workspace);
    let lock = place.take(interrupt)?;
    let keycloak = Keycloak::install(place.folder(), tools, interrupt)?;
    let python = smtp::install(place.folder(), &tools.python, interrupt)?;

    let started = Instant::now();
    let smtp_port = ports::choose(ports.smtp_port, 8125)?;
    let address =
        Address { http: ports::choose(ports.port, 8180)?, management: ports::choose(ports.management_port, 9180)? };
    status::step("Starting", format!("Keycloak {VERSION} at {}", address.url()));
    let maildir = place.folder().join("mail");
    let sink = smtp::start(&place.server(SINK), &python, &maildir, smtp_port, interrupt)?;
    let running = keycloak.start(&place.server(SERVER), address, interrupt)?;

    let bridge_port = ports::choose(ports.bridge_port, 8080)?;
    let realm = provision(address, smtp_port, bridge_port)?;
    files::write_private(&place.folder().join(WEB_SECRET), &realm.web_client_secret)?;
    let files = Files { config: "idp-bridge.toml", key: "webhook.key" };
    let tables = connector(&address, &realm)? + &federation(&realm)?;
    let settings = Settings {
        bridge: bridge::write(place.folder(), &files, bridge_port, realm::NAME, &tables)?,
        keycloak: settings::Keycloak {
            url: address.url(),
            management_url: address.management_url(),
            admin_username: ADMIN.0.to_owned(),
            admin_password: ADMIN.1.to_owned(),
            process: place.server(SERVER),
        },
        realm,
        smtp: settings::Smtp { host: "127.0.0.1".to_owned(), port: smtp_port, maildir, process: place.server(SINK) },
    };
    let introduction = introduce(&settings);
    Lab::ready(place, lock, started, vec![running, sink], (settings, introduction))
}

fn provision(address: Address, smtp_port: u16, bridge_port: u16) -> Result<settings::Realm> {
    let fresh = Fresh {
        client_secret: bridge::new_secret()?,
        web_client_secret: bridge::new_secret()?,
        smtp_port,
        back_channel: format!("http://127.0.0.1:{bridge_port}/v1/tenants/{}/backchannel-logout", realm::NAME),
    };
    let representation = realm::representation(&fresh)?;
    let admin = Admin::new(&address.url());
    admin.create_realm(&representation, ADMIN.0, ADMIN.1)?;
    admin.check_client(realm::NAME, realm::CLIENT_ID, &fresh.client_secret)?;
    Ok(realm::settings(&representation, &fresh))
}

/// The connector's table of the configuration.
fn connector(address: &Address, realm: &settings::Realm) -> Result<String> {
    let text = bridge::text;
    Ok(format!(
        r#"type = "keycloak"
url = {url}
realm = {name}
client_id = {client_id}
client_secret = {client_secret}
customer_attribute = {customer_attribute}
login_events = true
"#,
        url = text(&address.url())?,
        name = text(&realm.name)?,
        client_id = text(&realm.client_id)?,
        client_secret = text(&realm.client_secret)?,
        customer_attribute = text(&realm.customer_attribute)?,
    ))
}

/// The table of federation: the realm's applications, from wherever the example application runs.
fn federation(realm: &settings::Realm) -> Result<String> {
    let text = bridge::text;
    let public = realm::APPLICATIONS.iter().skip(1).map(|id| Ok(format!("  {{ id = {} }},\n", text(id)?)));
    Ok(format!(
        r#"
[tenants.{tenant}.federation]
clients = [
  {{ id = {web}, secret = {secret} }},
{public}]
metadata = true
post_logout_redirect_uris = ["http://127.0.0.1:3000/logged-out"]
cors_origins = ["http://127.0.0.1:3000"]
"#,
        tenant = realm.name,
        web = text(&realm.web_client_id)?,
        secret = text(&realm.web_client_secret)?,
        public = public.collect::<Result<String>>()?,
    ))
}

fn introduce(Settings { keycloak, realm, smtp, bridge }: &Settings) -> Introduction {
    let parts = format!(
        "  Keycloak   {url}/admin ({admin} / {password})
  realm      {realm}, its client `{client}` for the bridge
  mails      {mails}, as SMTP server 127.0.0.1:{smtp_port}
",
        url = keycloak.url,
        admin = keycloak.admin_username,
        password = keycloak.admin_password,
        realm = realm.name,
        client = realm.client_id,
        mails = readable(&smtp.maildir.join("new")),
        smtp_port = smtp.port,
    );
    let title = format!("Keycloak {VERSION} with a fresh realm");
    Introduction { title, parts, users: realm.users.clone(), bridge: bridge.clone(), has_calls: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_toml_whatever_the_secrets_are() {
        let secret = "a \"quoted\" \\secret";
        let fresh = Fresh {
            client_secret: secret.to_owned(),
            web_client_secret: secret.to_owned(),
            smtp_port: 8125,
            back_channel: String::new(),
        };
        let realm = realm::settings(&realm::representation(&fresh).unwrap(), &fresh);
        let written: toml::Table =
            connector(&Address { http: 8180, management: 9180 }, &realm).unwrap().parse().unwrap();
        assert_eq!(written["client_secret"].as_str(), Some(secret));
        assert_eq!(written["url"].as_str(), Some("http://127.0.0.1:8180"));
        let written: toml::Table = federation(&realm).unwrap().parse().unwrap();
        let clients = written["tenants"]["acme"]["federation"]["clients"].as_array().unwrap();
        let ids: Vec<_> = clients.iter().map(|client| client["id"].as_str().unwrap()).collect();
        assert_eq!(ids, realm::APPLICATIONS);
        assert_eq!(clients[0]["secret"].as_str(), Some(secret));
    }
}
