//! The bodies of successful responses.

use idp_bridge_core::{Capabilities, Deleted, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The response to the three gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserAnswer {
    /// The user.
    pub user: User,
}

/// The response to `users.delete`. The user no longer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["existed"]))]
pub struct DeleteAnswer {
    /// Whether the user existed. Null if the identity provider does not report it.
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

/// The response to the other writes, an empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneAnswer {}

/// The response to `ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PingAnswer {
    /// The protocol version.
    pub protocol: u32,
    /// The type of the tenant's connector.
    pub connector: String,
    /// The capabilities with the tenant's settings.
    pub capabilities: Capabilities,
}
