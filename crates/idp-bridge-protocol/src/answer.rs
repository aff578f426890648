//! The bodies of the answers that are not problems.

use idp_bridge_core::{Capabilities, Deleted, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer of the three gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserAnswer {
    /// The user.
    pub user: User,
}

/// The answer of `users.delete`: in each case no such user is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["existed"]))]
pub struct DeleteAnswer {
    /// Whether the user was there; null if the identity provider does not tell.
    pub existed: Option<bool>,
}

impl From<Deleted> for DeleteAnswer {
    fn from(deleted: Deleted) -> Self {
        Self {
            existed: match deleted {
                Deleted::Existed => Some(true),
                Deleted::Absent => Some(false),
                Deleted::Unknown => None,
            },
        }
    }
}

/// The answer of the other writes: an empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneAnswer {}

/// The answer of `ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PingAnswer {
    /// The version of the protocol.
    pub protocol: u32,
    /// The type of the tenant's connector.
    pub connector: String,
    /// What it can do with the tenant's settings.
    pub capabilities: Capabilities,
}
