//! The stage of a definition: `[stage]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RequestSpec;

/// The requests by which the conformance suite creates and changes users on a real server.
///
/// Its requests have the placeholders of settings, and `{stage.smtp_host}` and `{stage.smtp_port}` of the suite's mail server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stage {
    /// Requests that prepare the server before the first case.
    #[serde(default)]
    pub(crate) prepare: Vec<RequestSpec>,
    /// Creates a user. Placeholders: `{email}`, `{customer}`, `{stage.verified}`, `{stage.blocked}` and `{stage.password}`.
    pub(crate) create: RequestSpec,
    /// Requests that complete the new user `{id}`, with the placeholders of `create`.
    #[serde(default)]
    pub(crate) complete: Vec<RequestSpec>,
    /// The place of the new user's id in the answer, a JSON pointer.
    pub(crate) id: String,
    /// Marks the address of the new user `{id}` as verified, if `create` cannot.
    pub(crate) verify: Option<RequestSpec>,
    /// Blocks the new user `{id}`, if `create` cannot.
    pub(crate) block: Option<RequestSpec>,
    /// Changes the address of `{id}` to `{email}`.
    pub(crate) change_email: Option<RequestSpec>,
    /// Logs in with `{email}` and `{stage.password}`. A refusal means that the login failed.
    pub(crate) log_in: Option<RequestSpec>,
    /// The requests by which a user changes itself, after `log_in`.
    pub(crate) edit_self: Option<SelfEdit>,
    /// Further values of a new user, by name: `{stage.name}`.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, StageValue>,
    /// Settings and secrets of providers with one mistake, by the name of the control, such as `wrong_secret`.
    #[serde(default)]
    pub(crate) controls: BTreeMap<String, BTreeMap<String, String>>,
    /// The needs of the suite that the product cannot meet, each with the reason.
    #[serde(default)]
    pub(crate) not_applicable: BTreeMap<String, String>,
}

/// The requests of a user who changes its own properties.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelfEdit {
    /// The place of the user's token in the answer to `log_in`, a JSON pointer.
    pub(crate) token: String,
    /// Requests of the user `{id}`, with the token as a bearer token. They write `{customer}`, which is not the user's, to all
    /// properties that users can edit, and to the customer. The product may refuse some with a status from 400 to 499.
    /// One must succeed, which proves that the product accepts the token.
    pub(crate) requests: Vec<RequestSpec>,
}

/// A value that depends on a flag of the new user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageValue {
    /// The flag.
    pub(crate) of: StageFlag,
    /// The value if the flag is set.
    pub(crate) yes: serde_json::Value,
    /// The value if it is not.
    pub(crate) no: serde_json::Value,
}

/// A flag of a new user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StageFlag {
    Verified,
    Blocked,
}
