//! The settings of the realm, for tests.

use serde::Serialize;

use crate::lab::settings::SampleUser;

/// The realm. `xtask/README.md` describes the fields.
#[derive(Debug, Serialize)]
pub(crate) struct Realm {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) customer_attribute: String,
    pub(crate) app_client_id: String,
    pub(crate) web_client_id: String,
    pub(crate) web_client_secret: String,
    pub(crate) users: Vec<SampleUser>,
}
