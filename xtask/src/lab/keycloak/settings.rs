//! What a running Keycloak tells the tests: `.lab/keycloak.json`.

use std::path::PathBuf;

use serde::Serialize;

use crate::lab::server::Server;
use crate::lab::settings::{Bridge, SampleUser};

/// The whole file. `xtask/README.md` describes every field for those who read it.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    /// The server and how to stop and start it.
    pub(crate) keycloak: Keycloak,
    /// The realm that the bridge looks into.
    pub(crate) realm: Realm,
    /// The SMTP sink that all mails of the realm go to.
    pub(crate) smtp: Smtp,
    /// The configuration written for the bridge.
    pub(crate) bridge: Bridge,
}

/// The server and how to stop and start it.
#[derive(Debug, Serialize)]
pub(crate) struct Keycloak {
    /// Where realms and the admin API live, without a final slash.
    pub(crate) url: String,
    /// Where `/health/ready` lives.
    pub(crate) management_url: String,
    /// The administrator of the realm `master`.
    pub(crate) admin_username: String,
    /// Their password.
    pub(crate) admin_password: String,
    /// How to stop it and start it again.
    pub(crate) process: Server,
}

/// The realm that the bridge looks into.
#[derive(Debug, Serialize)]
pub(crate) struct Realm {
    /// Its name.
    pub(crate) name: String,
    /// The bridge's own client, whose service account has the least rights for all calls.
    pub(crate) client_id: String,
    /// That client's secret.
    pub(crate) client_secret: String,
    /// The user attribute that holds the customer id.
    pub(crate) customer_attribute: String,
    /// A public client with direct access grants: a password login through it makes a login event.
    pub(crate) app_client_id: String,
    /// A confidential client that asks for PKCE, which a browser logs in to from any port of 127.0.0.1.
    pub(crate) web_client_id: String,
    /// That client's secret.
    pub(crate) web_client_secret: String,
    /// The sample users.
    pub(crate) users: Vec<SampleUser>,
}

/// The SMTP sink.
#[derive(Debug, Serialize)]
pub(crate) struct Smtp {
    /// The address it listens on.
    pub(crate) host: String,
    /// The port it listens on.
    pub(crate) port: u16,
    /// The Maildir that every accepted mail lands in, as a file under `new/`.
    pub(crate) maildir: PathBuf,
    /// How to stop it and start it again.
    pub(crate) process: Server,
}
