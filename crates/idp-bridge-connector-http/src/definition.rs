//! The language of a definition: the types of its TOML.

mod auth;
mod check;
mod parse;
mod stage;

use std::collections::BTreeMap;

use idp_bridge_core::{CallKind, ErrorKind, Fidelity};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use auth::{Auth, SecretIn};
pub(crate) use check::is_name;
pub use parse::DefinitionError;
pub(crate) use stage::{Stage, StageFlag};

use crate::body::JsonBody;
use crate::select::{Check, OneOrMany, Selector};
use crate::template::Template;

/// What a product is, how its API is called, and what its answers mean.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub(crate) product: Product,
    /// The settings of a tenant.
    pub(crate) settings: BTreeMap<String, Setting>,
    /// The credentials, each bound to one origin.
    #[serde(default)]
    pub(crate) auth: BTreeMap<String, Auth>,
    /// The form of user ids.
    #[serde(default)]
    pub(crate) id: IdRule,
    pub(crate) user: UserMap,
    pub(crate) calls: Calls,
    /// What an unsuccessful answer means. The first rule that applies counts.
    #[serde(default)]
    pub(crate) errors: Vec<ErrorRule>,
    /// The checks of `idp-bridge doctor`, which change nothing.
    #[serde(default)]
    pub(crate) doctor: Vec<Probe>,
    /// How the conformance suite creates and changes users.
    #[serde(default)]
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
    /// What the definition was checked with.
    pub(crate) verified: Verified,
    /// The product's documentation of its API.
    pub(crate) docs: Vec<String>,
    /// A header with the seconds until a request is allowed again, beside `retry-after`.
    #[serde(default)]
    pub(crate) retry_after_header: Option<String>,
}

/// What a definition was checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verified {
    /// The conformance suite on a real server.
    Live,
    /// The published contract only.
    Contract,
}

/// A setting of a tenant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// What the value is.
    #[serde(rename = "type")]
    pub(crate) kind: SettingKind,
    /// What the setting is for.
    pub(crate) doc: String,
    /// The value if the tenant sets none. Not for secrets.
    #[serde(default)]
    pub(crate) default: Option<String>,
    /// An example of a value.
    #[serde(default)]
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

/// The form of user ids. A request is sent only for ids of this form.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdRule {
    /// The characters.
    #[serde(default)]
    pub(crate) form: IdForm,
    /// The number of characters, if it is always the same.
    #[serde(default)]
    pub(crate) length: Option<usize>,
    /// Ids that address another resource.
    #[serde(default)]
    pub(crate) reserved: Vec<String>,
}

/// The characters of user ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdForm {
    /// A UUID in small letters, with hyphens.
    Uuid,
    /// Decimal digits, without zeros in front.
    Decimal,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `-`, `_`, `.`, `~`, `:`, `@`, `|` and `+`.
    Token,
    /// Any characters.
    #[default]
    Opaque,
}

/// Where the fields of a user are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserMap {
    pub(crate) id: Selector,
    #[serde(default)]
    pub(crate) email: Option<Selector>,
    #[serde(default)]
    pub(crate) customer: Option<Selector>,
    #[serde(default)]
    pub(crate) email_verified: Option<FlagField>,
    #[serde(default)]
    pub(crate) blocked: Option<FlagField>,
    #[serde(default)]
    pub(crate) create_time: Option<TimeField>,
    #[serde(default)]
    pub(crate) update_time: Option<TimeField>,
    #[serde(default)]
    pub(crate) login_time: Option<TimeField>,
    #[serde(default)]
    pub(crate) logins_count: Option<Selector>,
    /// Further values of the user that requests need.
    #[serde(default)]
    pub(crate) detail: BTreeMap<String, Selector>,
    /// Conditions of which each means that the user is no person, such as a service account.
    #[serde(default)]
    pub(crate) not_a_person: Vec<Check>,
}

/// A flag of a user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FlagField {
    /// The place of a boolean.
    Plain(Selector),
    /// The place of a value that means a boolean.
    Table {
        /// Where the value is.
        value: Selector,
        /// The values that mean true; all others mean false.
        #[serde(default)]
        true_if: Vec<serde_json::Value>,
        /// Whether any value other than null means true, and none means false.
        #[serde(default)]
        if_present: bool,
        /// Whether the meaning is inverted.
        #[serde(default)]
        not: bool,
        /// The value if the user has no such value.
        #[serde(default)]
        default: Option<bool>,
        #[serde(default)]
        fidelity: Option<Fidelity>,
    },
}

/// A time of a user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum TimeField {
    /// The place of a time in RFC 3339.
    Plain(Selector),
    /// The place of a time in another format.
    Table {
        /// Where the time is.
        value: Selector,
        #[serde(default)]
        format: TimeFormat,
        #[serde(default)]
        fidelity: Option<Fidelity>,
    },
}

/// The formats of times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeFormat {
    /// RFC 3339; a space instead of the `T` is accepted.
    #[default]
    Rfc3339,
    /// Seconds since 1970, as a number or a text. 0 means none.
    Seconds,
    /// Milliseconds since 1970, as a number or a text. 0 means none.
    Milliseconds,
    /// Intervals of 100 ns since 1601. 0 means none.
    Ticks,
}

/// The calls. A call that the product cannot do has `unsupported`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calls {
    pub(crate) get_by_id: Call,
    pub(crate) get_by_email: Call,
    pub(crate) get_by_customer: Call,
    pub(crate) delete: Call,
    pub(crate) mark_email_verified: Call,
    pub(crate) send_verification_email: Call,
    pub(crate) send_password_reset_email: Call,
}

impl Calls {
    /// Returns the calls with the keys of their tables.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CallKind, &'static str, &Call)> {
        [
            (CallKind::GetById, "get_by_id", &self.get_by_id),
            (CallKind::GetByEmail, "get_by_email", &self.get_by_email),
            (CallKind::GetByCustomer, "get_by_customer", &self.get_by_customer),
            (CallKind::Delete, "delete", &self.delete),
            (CallKind::MarkEmailVerified, "mark_email_verified", &self.mark_email_verified),
            (CallKind::SendVerificationEmail, "send_verification_email", &self.send_verification_email),
            (CallKind::SendPasswordResetEmail, "send_password_reset_email", &self.send_password_reset_email),
        ]
        .into_iter()
    }
}

/// One call.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// Why the product cannot do the call.
    #[serde(default)]
    pub(crate) unsupported: Option<String>,
    /// The limit or condition of the call.
    #[serde(default)]
    pub(crate) condition: Option<String>,
    /// The request.
    #[serde(default)]
    pub(crate) request: Option<RequestSpec>,
    /// The requests, if there are several.
    #[serde(default)]
    pub(crate) steps: Vec<RequestSpec>,
    /// `mark_email_verified`: the request that clears the flag again.
    #[serde(default)]
    pub(crate) undo: Option<RequestSpec>,
    /// The place of the user in the answer, a JSON pointer; empty for the whole answer.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// The place of the list of users in the answer, a JSON pointer.
    #[serde(default)]
    pub(crate) users: Option<String>,
    /// Whether the search returns users that may be out of date, so that each is read by id.
    #[serde(default)]
    pub(crate) reread: bool,
    /// Where the next page is. Without it a search has one page.
    #[serde(default)]
    pub(crate) next: Option<Next>,
}

/// The next page of a search. The request has the placeholder `{cursor}`; without a cursor its query pair is left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Next {
    /// The place of the cursor in the answer, a JSON pointer.
    At(String),
    /// The number of the first page. A page with fewer users than `{size}` is the last.
    Page {
        /// The number of the first page, 0 or 1.
        first: u64,
        /// The number of users of a full page.
        size: usize,
    },
    /// The position of the first user, 0 or 1. A page with fewer users than `size` is the last.
    Offset {
        /// The position of the first user.
        first: u64,
        /// The number of users of a full page.
        size: usize,
    },
}

/// One request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestSpec {
    #[serde(default)]
    pub(crate) method: Method,
    /// The setting of the origin. Not needed if there is one.
    #[serde(default)]
    pub(crate) origin: Option<String>,
    /// The credential; `none` for a request without. Not needed if there is one.
    #[serde(default)]
    pub(crate) auth: Option<String>,
    /// The segments of the path below the origin. Each is percent-encoded.
    pub(crate) path: Vec<Template>,
    /// Whether the path ends with a slash.
    #[serde(default)]
    pub(crate) trailing_slash: bool,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Template>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) json: Option<JsonBody>,
    #[serde(default)]
    pub(crate) form: BTreeMap<String, Template>,
    /// The media type of a JSON body, if it is another one.
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    /// The statuses of success. Without it each 2xx is one.
    #[serde(default)]
    pub(crate) success: Vec<u16>,
    /// What a successful answer proves. An answer without it is an outage, unless a rule of `errors` applies.
    #[serde(default)]
    pub(crate) require: Vec<Check>,
    /// Values of the answer for later steps, by name: `{step.name}`.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, String>,
}

/// The methods of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// What an unsuccessful answer means.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorRule {
    /// The calls that the rule is for, such as `delete`; `auth` for logins and token requests.
    #[serde(default)]
    pub(crate) call: Option<OneOrMany<String>>,
    /// The number of the step, from 1.
    #[serde(default)]
    pub(crate) step: Option<usize>,
    /// The statuses.
    #[serde(default)]
    pub(crate) status: Option<OneOrMany<u16>>,
    /// Conditions on the JSON of the answer. All must hold.
    #[serde(default)]
    pub(crate) when: Vec<Check>,
    /// A part of a body that is not JSON.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Whether the body is empty.
    #[serde(default)]
    pub(crate) empty_body: bool,
    pub(crate) kind: RefusalKind,
    /// What happened, for the log.
    pub(crate) message: String,
    /// The next step for the tenant's operator.
    #[serde(default)]
    pub(crate) hint: Option<String>,
}

/// The kinds of errors that a rule can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalKind {
    NotFound,
    Conflict,
    State,
    Unsupported,
    Unauthenticated,
    PermissionDenied,
    Misconfigured,
    RateLimited,
    Unavailable,
    InvalidResponse,
}

impl From<RefusalKind> for ErrorKind {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::NotFound => Self::NotFound,
            RefusalKind::Conflict => Self::Conflict,
            RefusalKind::State => Self::State,
            RefusalKind::Unsupported => Self::Unsupported,
            RefusalKind::Unauthenticated => Self::Unauthenticated,
            RefusalKind::PermissionDenied => Self::PermissionDenied,
            RefusalKind::Misconfigured => Self::Misconfigured,
            RefusalKind::RateLimited => Self::RateLimited,
            RefusalKind::Unavailable => Self::Unavailable,
            RefusalKind::InvalidResponse => Self::InvalidResponse,
        }
    }
}

/// A check of `idp-bridge doctor`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// What is checked, as a statement: `the superuser may read users`.
    pub(crate) check: String,
    /// The request.
    pub(crate) request: RequestSpec,
    /// Conditions on the answer that must hold.
    #[serde(default)]
    pub(crate) expect: Vec<Check>,
    /// The step that repairs it.
    pub(crate) fix: String,
    /// The calls that need it; without it all calls.
    #[serde(default)]
    pub(crate) calls: Vec<String>,
    /// Whether the check is about who can write a user's customer.
    #[serde(default)]
    pub(crate) authority: bool,
}
