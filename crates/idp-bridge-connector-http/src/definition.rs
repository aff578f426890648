//! The language of a definition: the types of its TOML.

mod auth;
mod calls;
mod check;
mod federation;
mod parse;
mod refusal;
mod stage;
mod user;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use auth::{Auth, SecretIn};
pub(crate) use calls::{Call, Calls, Method, Next, RequestSpec};
pub(crate) use check::is_name;
pub(crate) use federation::FederationSpec;
pub use parse::DefinitionError;
pub(crate) use refusal::ErrorRule;
pub(crate) use stage::{SelfEdit, Stage, StageFlag};
pub(crate) use user::{FlagField, IdForm, IdRule, TimeField, TimeFormat, UserMap};

use crate::select::Check;

/// A product, the calls of its API, and the meaning of its responses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The product.
    pub(crate) product: Product,
    /// The settings of a tenant.
    pub(crate) settings: BTreeMap<String, Setting>,
    /// The credentials, each bound to one origin.
    #[serde(default)]
    pub(crate) auth: BTreeMap<String, Auth>,
    /// The form of user ids.
    #[serde(default)]
    pub(crate) id: IdRule,
    /// The places of a user's fields in a response.
    pub(crate) user: UserMap,
    /// The calls.
    pub(crate) calls: Calls,
    /// The meaning of unsuccessful responses. The first rule that applies counts.
    #[serde(default)]
    pub(crate) errors: Vec<ErrorRule>,
    /// Federation, for products that are OpenID Providers.
    pub(crate) federation: Option<FederationSpec>,
    /// The checks of `idp-bridge doctor`, which change nothing.
    #[serde(default)]
    pub(crate) doctor: Vec<Probe>,
    /// The requests by which the conformance suite creates and changes users.
    pub(crate) stage: Option<Stage>,
}

/// The product of a definition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product {
    /// The name for people.
    pub(crate) name: String,
    /// The versions that the definition is for.
    pub(crate) versions: String,
    /// The check that the definition has passed.
    pub(crate) verified: Verified,
    /// The product's documentation of its API.
    pub(crate) docs: Vec<String>,
    /// A header with the seconds until a request is allowed again, beside `retry-after`.
    pub(crate) retry_after_header: Option<String>,
    /// A header that each answer of the product has. A success without it is from another server, such as a gateway.
    pub(crate) answer_header: Option<String>,
}

/// The check that a definition has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verified {
    /// The conformance suite on a real server.
    Live,
    /// The conformance suite on the product's own emulator.
    Emulator,
    /// The published contract only.
    Contract,
}

/// A setting of a tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// The kind of the value.
    #[serde(rename = "type")]
    pub(crate) kind: SettingKind,
    /// The purpose of the setting.
    pub(crate) doc: String,
    /// The value if the tenant sets none. Not for secrets.
    pub(crate) default: Option<String>,
    /// An example of a value.
    pub(crate) example: Option<String>,
}

/// The kinds of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SettingKind {
    /// A base URL. Requests are sent to settings of this kind only.
    Origin,
    /// A text.
    Text,
    /// A name of letters, digits, `_`, `-`, `.` and `:`, such as that of a field.
    Name,
    /// A secret. Only credentials use it.
    Secret,
}

/// A check of `idp-bridge doctor`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// The subject of the check, as a statement: `the superuser may read users`.
    pub(crate) check: String,
    /// The request.
    pub(crate) request: RequestSpec,
    /// Conditions on the answer that must hold.
    #[serde(default)]
    pub(crate) expect: Vec<Check>,
    /// The step that fixes it.
    pub(crate) fix: String,
    /// The calls that need it; without it all calls.
    #[serde(default)]
    pub(crate) calls: Vec<String>,
    /// Whether the check is about who can write a user's customer.
    #[serde(default)]
    pub(crate) authority: bool,
}
