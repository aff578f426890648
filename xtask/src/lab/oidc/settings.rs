//! What a running OpenID Provider tells the tests: `.lab/oidc.json`.

use serde::Serialize;

use crate::lab::server::Server;
use crate::lab::settings::{Bridge, SampleUser};

/// The whole file. `xtask/README.md` describes every field for those who read it.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    /// The server, its clients, and how to stop it.
    pub(crate) provider: Provider,
    /// The sample users.
    pub(crate) users: Vec<SampleUser>,
    /// The configuration written for the bridge.
    pub(crate) bridge: Bridge,
}

/// The server, its clients, and how to stop it.
#[derive(Debug, Serialize)]
pub(crate) struct Provider {
    /// The issuer.
    pub(crate) issuer: String,
    /// The bearer token of the paths below `/lab`.
    pub(crate) control_key: String,
    /// The tenant's application.
    pub(crate) app: Client,
    /// The tenant's application without a secret.
    pub(crate) public_app_id: String,
    /// An application that is none of the tenant's.
    pub(crate) stranger: Client,
    /// The bridge's client, which may ask introspection.
    pub(crate) bridge: Client,
    /// Where a login ends, for every application.
    pub(crate) redirect_uri: String,
    /// Where a logout ends, for every application.
    pub(crate) post_logout_redirect_uri: String,
    /// How to stop it and start it again.
    pub(crate) process: Server,
}

/// A client with its secret.
#[derive(Debug, Serialize)]
pub(crate) struct Client {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: String,
}
