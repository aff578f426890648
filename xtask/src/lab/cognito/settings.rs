//! What a running stand-in for Cognito tells the tests: `.lab/cognito.json`.

use serde::{Deserialize, Serialize};

use crate::lab::server::Server;
use crate::lab::settings::{Bridge, SampleUser};

/// The whole file. `xtask/README.md` describes every field for those who read it.
#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    /// The server and how to stop it.
    pub(crate) ministack: Ministack,
    /// The pool that the bridge looks into.
    pub(crate) pool: Pool,
    /// The configuration written for the bridge.
    pub(crate) bridge: Bridge,
}

/// The server and how to stop it.
#[derive(Debug, Serialize)]
pub(crate) struct Ministack {
    /// Where all services of AWS live, without a final slash.
    pub(crate) url: String,
    /// The region it is.
    pub(crate) region: String,
    /// The access key of the account's root user.
    pub(crate) access_key_id: String,
    /// That key's secret.
    pub(crate) secret_access_key: String,
    /// Where the mails that were sent can be read as JSON.
    pub(crate) mails_url: String,
    /// How to stop it and start it again.
    pub(crate) process: Server,
}

/// The user pool that the bridge looks into, as `provision.py` made it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    /// Its id.
    pub(crate) id: String,
    /// The app client by which mails are ordered and people sign in.
    pub(crate) client_id: String,
    /// That client's secret.
    pub(crate) client_secret: String,
    /// Where a browser may bring a code to that client.
    pub(crate) callback_url: String,
    /// Where a browser may return to after a logout.
    pub(crate) sign_out_url: String,
    /// The access key of the bridge's IAM user, which has the least rights for all calls.
    pub(crate) access_key_id: String,
    /// That key's secret.
    pub(crate) secret_access_key: String,
    /// The user attribute that holds the customer id.
    pub(crate) customer_attribute: String,
    /// The sample users.
    pub(crate) users: Vec<SampleUser>,
}
