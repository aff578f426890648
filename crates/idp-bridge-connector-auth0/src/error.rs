//! Converts Auth0's error responses to errors. Only this file reads status codes.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::{Error, Result};
use idp_bridge_http::{Response, status_error};
use serde::Deserialize;

use crate::setup::TOKEN_SCOPES;

/// A request to Auth0. The meaning of a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fetches a token for the bridge's application.
    FetchToken,
    /// Reads one user, or a list of users.
    ReadUsers,
    UpdateUser,
    DeleteUser,
    SendVerification,
    ResetPassword,
    ReadConnections,
    ReadTemplates,
    ReadUserinfo,
    /// Revokes a refresh token as its application.
    RevokeToken,
    RevokeSession,
    RevokeAccess,
    ReadCredentials,
    DeleteCredential,
    ReadClients,
    /// Reads or writes as the operator who sets up the tenant.
    SetUp,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::FetchToken => "fetch token",
            Self::ReadUsers => "read users",
            Self::UpdateUser => "update user",
            Self::DeleteUser => "delete user",
            Self::SendVerification => "send verification",
            Self::ResetPassword => "reset password",
            Self::ReadConnections => "read connections",
            Self::ReadTemplates => "read email templates",
            Self::ReadUserinfo => "read userinfo",
            Self::RevokeToken => "revoke refresh token",
            Self::RevokeSession => "revoke session",
            Self::RevokeAccess => "revoke all sessions",
            Self::ReadCredentials => "read device credentials",
            Self::DeleteCredential => "delete device credential",
            Self::ReadClients => "read applications",
            Self::SetUp => "set up",
        }
    }

    /// Returns the scope of the Management API that the step needs; the least one for steps that need none.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::FetchToken | Self::ReadUsers | Self::ResetPassword => "read:users",
            Self::ReadUserinfo | Self::RevokeToken => "read:users",
            Self::UpdateUser | Self::SendVerification => "update:users",
            Self::DeleteUser => "delete:users",
            Self::ReadConnections => "read:connections",
            Self::ReadTemplates => "read:email_templates",
            Self::RevokeSession | Self::RevokeAccess => "delete:sessions delete:refresh_tokens",
            Self::ReadCredentials => "read:device_credentials",
            Self::DeleteCredential => "delete:device_credentials",
            Self::ReadClients | Self::SetUp => "read:clients",
        }
    }
}

/// Returns the response if its status is a success, otherwise the error that its status and error code mean.
pub(crate) fn check(step: Step, answer: Response) -> Result<Response> {
    let checked = match step {
        Step::FetchToken => answer.or_refusal(token_refusal),
        Step::RevokeToken => answer.or_refusal(|_, refusal| client_refusal(&refusal)),
        // The shape of the body is not known here: both are accepted.
        Step::ResetPassword => answer.or_refusal(|_, _: AnyRefusal| reset_refusal()),
        // The recorded body is the text `Unauthorized`, with the cause in the challenge.
        Step::ReadUserinfo => answer.or_token_refusal(|status, _: OauthRefusal| status_error(status)),
        _ => answer.or_refusal(|status, refusal| management_refusal(step, status, &refusal)),
    };
    checked.map_err(|error| error.with("step", step.name()))
}

fn management_refusal(step: Step, status: u16, refusal: &ManagementRefusal) -> Error {
    let code = refusal.code.as_deref().unwrap_or_default();
    match status {
        401 if step == Step::SetUp => Error::upstream(Unauthenticated, "auth0 refused the token").with_hint(
            "Applications → APIs → Auth0 Management API → API Explorer: copy a token; it is valid for a day",
        ),
        403 if step == Step::SetUp => Error::upstream(PermissionDenied, "the token lacks a scope")
            .with_hint(format!("the token needs {}", TOKEN_SCOPES.join(", "))),
        401 => Error::upstream(Unauthenticated, "auth0 refused the token of the bridge's application"),
        // The code is recorded for another part of the Management API that a plan does not have.
        403 if code == "insufficient_entitlement" => {
            Error::upstream(Misconfigured, "the tenant's plan does not allow ending sessions")
                .with_hint("unset `enterprise_sessions`: only the Enterprise plans have this feature")
        }
        403 => Error::upstream(PermissionDenied, "the application lacks a scope")
            .with_hint(
                "Applications → APIs → Auth0 Management API → Machine to Machine Applications → the application: tick it",
            )
            .with("scope", step.scope()),
        404 => not_found(step, code),
        409 => conflict(code),
        414 => Error::upstream(InvalidInput, "the searched value is too long for auth0"),
        400 => bad_request(step, code),
        _ => status_error(status),
    }
}

fn reset_refusal() -> Error {
    Error::upstream(Misconfigured, "auth0 refused a password reset for this application and connection").with_hint(
        "check `email_client_id` and `connection`, and enable the connection under Applications → the application → Connections",
    )
}

/// Converts an error of the token endpoint. Its values come from SDK issues: node-auth0 #292 and #682, auth0-python #173,
/// ruby-auth0 #190.
fn token_refusal(status: u16, refusal: OauthRefusal) -> Error {
    match (status, refusal.error.as_str()) {
        (_, "unauthorized_client") => Error::upstream(Misconfigured, "the application may not use client credentials")
            .with_hint(
                "Applications → the application → Settings → Advanced Settings → Grant Types: tick `Client Credentials`",
            ),
        (401, _) | (_, "invalid_client") => Error::upstream(Unauthenticated, "auth0 refused the application")
            .with_hint(
                "check `domain`, `client_id` and `client_secret` or `private_key` against Applications → the application → \
                 Settings and Credentials",
            ),
        // Only the description distinguishes this error from the next one.
        (403, _) if refusal.error_description.starts_with("Service not enabled within domain") => {
            Error::upstream(Misconfigured, "auth0 has no such Management API")
                .with_hint("`domain` must be the tenant's own domain, not a custom one")
        }
        (403, _) => Error::upstream(PermissionDenied, "the application is not authorized for the Management API")
            .with_hint("Applications → APIs → Auth0 Management API → Machine to Machine Applications: authorize it")
            .with("scope", Step::FetchToken.scope()),
        (404, _) => Error::upstream(Misconfigured, "auth0 has no such tenant").with_hint("check `domain`"),
        (400, _) => Error::upstream(Misconfigured, "the application has another authentication method")
            .with_hint("check Applications → the application → Credentials"),
        _ => status_error(status),
    }
}

/// Converts an error of a request that one of `federation.clients` makes.
fn client_refusal(refusal: &OauthRefusal) -> Error {
    match refusal.error.as_str() {
        "invalid_grant" | "invalid_request" | "unauthorized_client" => {
            Error::upstream(InvalidInput, "the refresh token does not belong to this application")
        }
        "invalid_client" | "access_denied" => Error::upstream(
            Unauthenticated,
            "auth0 refused one of the applications of `federation.clients`",
        )
        .with_hint(
            "copy Client ID and Client Secret of Applications → the application → Settings; a public one has no secret",
        ),
        _ => Error::upstream(InvalidResponse, "auth0 rejected the request as malformed"),
    }
}

/// Converts a 404. Only one error code means a missing user, since unknown paths are 404 too.
fn not_found(step: Step, code: &str) -> Error {
    match (step, code) {
        // The error codes of these two are not known. An unknown path has none.
        (Step::RevokeSession | Step::DeleteCredential, code) if !code.is_empty() => {
            Error::upstream(NotFound, "the session or the token ended earlier")
        }
        (Step::ReadClients, code) if !code.is_empty() => Error::upstream(NotFound, "auth0 has no such application"),
        (_, "inexistent_user") => Error::upstream(NotFound, "auth0 has no such user"),
        (Step::ReadTemplates, "inexistent_email_template") => {
            Error::upstream(NotFound, "the template was never changed")
        }
        _ => Error::upstream(Misconfigured, "auth0 has no such path").with_hint("check `domain` and `endpoint`"),
    }
}

fn conflict(code: &str) -> Error {
    match code {
        "custom_domain_conflict" => Error::upstream(Misconfigured, "the tenant has several custom domains")
            .with_hint("set `custom_domain`, or select a default under Branding → Custom Domains"),
        _ => Error::upstream(Conflict, "the change conflicts with another user or another writer"),
    }
}

fn bad_request(step: Step, code: &str) -> Error {
    match (step, code) {
        (_, "operation_not_supported") => {
            Error::upstream(State, "auth0 verifies no addresses of users of enterprise and SMS connections")
        }
        // A page after the last one.
        (Step::ReadUsers, "invalid_paging") => Error::no_such_user(),
        // Auth0 accepts fewer addresses and ids than the bridge. No user has a rejected one.
        (Step::ReadUsers, "invalid_query_string") | (_, "invalid_uri") => {
            Error::upstream(InvalidInput, "auth0 does not accept this value")
        }
        _ => Error::upstream(InvalidResponse, "auth0 rejected the request as malformed"),
    }
}

/// The error body of the Management API. Only its code is read, which may be missing. It is never shown.
#[derive(Deserialize)]
struct ManagementRefusal {
    #[serde(rename = "statusCode")]
    #[expect(dead_code, reason = "its presence distinguishes Auth0's body from a gateway's")]
    status: u16,
    #[serde(rename = "errorCode")]
    code: Option<String>,
}

/// The error body of the Authentication API. Only known values are read. It is never shown.
#[derive(Deserialize)]
struct OauthRefusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The error body of either API.
#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape matters")]
enum AnyRefusal {
    Management(ManagementRefusal),
    Oauth(OauthRefusal),
}

#[cfg(test)]
mod tests;
