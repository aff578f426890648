//! The topics of recorded exchanges, and the parser of each.

use idp_bridge_core::ErrorKind;
use idp_bridge_http::oidc::Claims;
use idp_bridge_http::{Method, TokenResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::recording::Recording;
use crate::client::{Connection, EmailTemplate, Job, is_confirmation, is_sentence};
use crate::error::Step;
use crate::map::Auth0User;
use crate::search::Hits;

/// The endpoint of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Token,
    GetUser,
    UsersByEmail,
    SearchUsers,
    CreateUser,
    UpdateUser,
    DeleteUser,
    VerificationEmail,
    Job,
    ChangePassword,
    Connections,
    EmailTemplate,
    Userinfo,
    RevokeToken,
    /// An endpoint that the connector does not use.
    Other,
}

/// The result of parsing a recorded response.
pub(super) enum Read {
    /// It was parsed with the connector's types.
    Good,
    /// It lacks ids because its request excluded them, which the connector never does.
    Partial,
    /// It is an error of this kind.
    Refused(ErrorKind),
    /// The connector does not use the endpoint.
    NotUsed,
    /// It could not be parsed.
    Unreadable,
}

impl Topic {
    /// Returns the topic of a request.
    pub(super) fn from_request(method: &Method, segments: &[String]) -> Self {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["oauth", "token"]) => Self::Token,
            ("POST", ["dbconnections", "change_password"]) => Self::ChangePassword,
            ("GET", ["api", "v2", "users", _]) => Self::GetUser,
            ("GET", ["api", "v2", "users-by-email"]) => Self::UsersByEmail,
            ("GET", ["api", "v2", "users"]) => Self::SearchUsers,
            ("POST", ["api", "v2", "users"]) => Self::CreateUser,
            ("PATCH", ["api", "v2", "users", _]) => Self::UpdateUser,
            ("DELETE", ["api", "v2", "users", _]) => Self::DeleteUser,
            ("POST", ["api", "v2", "jobs", "verification-email"]) => Self::VerificationEmail,
            ("GET", ["api", "v2", "jobs", _]) => Self::Job,
            ("GET", ["api", "v2", "connections"]) => Self::Connections,
            ("GET", ["api", "v2", "email-templates", _]) => Self::EmailTemplate,
            ("GET", ["userinfo"]) => Self::Userinfo,
            ("POST", ["oauth", "revoke"]) => Self::RevokeToken,
            _ => Self::Other,
        }
    }

    /// Returns the name in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::GetUser => "get user",
            Self::UsersByEmail => "users by email",
            Self::SearchUsers => "search users",
            Self::CreateUser => "create user",
            Self::UpdateUser => "update user",
            Self::DeleteUser => "delete user",
            Self::VerificationEmail => "verification email",
            Self::Job => "job",
            Self::ChangePassword => "change password",
            Self::Connections => "connections",
            Self::EmailTemplate => "email template",
            Self::Userinfo => "userinfo",
            Self::RevokeToken => "revoke token",
            Self::Other => "others",
        }
    }

    /// Returns the step that the connector converts an error response for.
    pub(super) fn step(self) -> Step {
        match self {
            Self::Token => Step::FetchToken,
            Self::UpdateUser => Step::UpdateUser,
            Self::DeleteUser => Step::DeleteUser,
            Self::VerificationEmail => Step::SendVerification,
            Self::ChangePassword => Step::ResetPassword,
            Self::Connections => Step::ReadConnections,
            Self::EmailTemplate => Step::ReadTemplates,
            Self::Userinfo => Step::ReadUserinfo,
            Self::RevokeToken => Step::RevokeToken,
            Self::GetUser | Self::UsersByEmail | Self::SearchUsers | Self::CreateUser | Self::Job | Self::Other => {
                Step::ReadUsers
            }
        }
    }

    /// Parses a recorded response as the connector does.
    pub(super) fn read(self, recording: &Recording) -> Read {
        if let Some(kind) = recording.error_kind() {
            return Read::Refused(kind);
        }
        let body = recording.bytes();
        let is_read = match self {
            Self::Other => return Read::NotUsed,
            Self::Token => parses_as::<TokenResponse>(&body),
            Self::GetUser | Self::CreateUser | Self::UpdateUser => is_user(&body),
            Self::UsersByEmail => {
                serde_json::from_slice::<Vec<Auth0User>>(&body).is_ok_and(|users| users.iter().all(is_usable))
            }
            Self::SearchUsers => parses_as::<Hits>(&body),
            Self::DeleteUser => body.is_empty(),
            Self::VerificationEmail | Self::Job => parses_as::<Job>(&body),
            Self::ChangePassword => is_sentence(recording.content_type(), &body),
            Self::Connections => parses_as::<Connections>(&body),
            Self::EmailTemplate => parses_as::<EmailTemplate>(&body),
            Self::Userinfo => Claims::parse(&body).is_some_and(|claims| claims.text("sub").is_some()),
            Self::RevokeToken => is_confirmation(&body),
        };
        match is_read {
            true => Read::Good,
            false if recording.query.contains_key("fields") && lacks_ids(&recording.answer) => Read::Partial,
            false => Read::Unreadable,
        }
    }
}

/// A list of connections: an array, or an object if the request has `include_totals` or `take`.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the shape is checked")]
enum Connections {
    Bare(Vec<Connection>),
    Paged { connections: Vec<Connection> },
}

fn parses_as<T: DeserializeOwned>(body: &[u8]) -> bool {
    serde_json::from_slice::<T>(body).is_ok()
}

fn is_user(body: &[u8]) -> bool {
    serde_json::from_slice(body).is_ok_and(|user| is_usable(&user))
}

fn is_usable(user: &Auth0User) -> bool {
    user.to_stored("customer_id").is_ok()
}

/// Returns whether a response contains a user without id, as only requests with `fields` cause.
fn lacks_ids(answer: &Value) -> bool {
    let users = answer.as_array().or_else(|| answer.get("users").and_then(Value::as_array));
    let users = users.map_or(std::slice::from_ref(answer), Vec::as_slice);
    users.iter().any(|user| user.get("user_id").is_none())
}
