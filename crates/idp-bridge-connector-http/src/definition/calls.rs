//! The calls of a definition: `[calls]`, and their requests.

use std::collections::BTreeMap;

use idp_bridge_core::CallKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::body::JsonBody;
use crate::select::Check;
use crate::template::Template;

/// The calls. A call that the product does not support has `unsupported`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calls {
    /// Finds the user `{id}`.
    pub(crate) get_by_id: Call,
    /// Finds users with the address `{email}`.
    pub(crate) get_by_email: Call,
    /// Finds users with the customer `{customer}`.
    pub(crate) get_by_customer: Call,
    /// Deletes the user `{id}`.
    pub(crate) delete: Call,
    /// Marks the address of the user `{id}` as verified.
    pub(crate) mark_email_verified: Call,
    /// Requests a verification mail to the user `{id}`.
    pub(crate) send_verification_email: Call,
    /// Requests a password reset mail to the user `{id}`.
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
    /// The reason why the product does not support the call.
    pub(crate) unsupported: Option<String>,
    /// The limit or condition of the call.
    pub(crate) condition: Option<String>,
    /// The request.
    pub(crate) request: Option<RequestSpec>,
    /// The requests, if there are several.
    #[serde(default)]
    pub(crate) steps: Vec<RequestSpec>,
    /// `mark_email_verified`: the request that clears the flag again.
    pub(crate) undo: Option<RequestSpec>,
    /// The place of the user in the answer, a JSON pointer; empty for the whole answer.
    pub(crate) user: Option<String>,
    /// The place of the list of users in the answer, a JSON pointer.
    pub(crate) users: Option<String>,
    /// Whether the search returns users that may be out of date, so that each is read by id.
    #[serde(default)]
    pub(crate) reread: bool,
    /// Conditions that all hold for a successful answer without a user. For products that leave the list out.
    #[serde(default)]
    pub(crate) absent: Vec<Check>,
    /// Texts that a search cannot express. A value with one of them is refused without a request.
    #[serde(default)]
    pub(crate) cannot_contain: Vec<String>,
    /// The request that must succeed before a response without a user means that the user does not exist. For products
    /// that send an equal response for a missing right.
    pub(crate) if_absent: Option<RequestSpec>,
    /// The place of the next page. Without it a search has one page.
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
    /// The method; without it `GET`.
    #[serde(default)]
    pub(crate) method: Method,
    /// The setting of the origin. Not needed if there is one.
    pub(crate) origin: Option<String>,
    /// The credential; `none` for a request without. Not needed if there is one.
    pub(crate) auth: Option<String>,
    /// The segments of the path below the origin. Each is percent-encoded.
    pub(crate) path: Vec<Template>,
    /// The custom method after the path, as in `accounts:lookup`.
    pub(crate) custom_method: Option<String>,
    /// Whether the path ends with a slash.
    #[serde(default)]
    pub(crate) trailing_slash: bool,
    /// The query. Each value is form-encoded.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Template>,
    /// Further headers, without credentials.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The JSON body.
    pub(crate) json: Option<JsonBody>,
    /// The body as a form, instead of JSON.
    #[serde(default)]
    pub(crate) form: BTreeMap<String, Template>,
    /// The media type of a JSON body, if it is another one.
    pub(crate) content_type: Option<String>,
    /// The statuses of success. Without it each 2xx is one.
    #[serde(default)]
    pub(crate) success: Vec<u16>,
    /// Whether a successful response has no body. A response with a body is not the product's.
    #[serde(default)]
    pub(crate) empty_body: bool,
    /// The conditions of a successful response. A response that does not meet them is an outage, unless a rule of `errors` applies.
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
