//! From Keycloak's refusals to the kinds of error: the only place that reads a status.

use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::{Response, refused};
use serde::Deserialize;

/// What was asked of Keycloak. The same status means different things to different steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Log the bridge's client in.
    FetchToken,
    /// Read one user, or a list of users.
    ReadUsers,
    /// Change one field of a user.
    UpdateUser,
    /// Delete a user.
    DeleteUser,
    /// Have a mail sent to a user.
    SendMail,
    /// Read login events, or whether the realm keeps any.
    ReadEvents,
    /// Read the realm's settings.
    ReadRealm,
    /// Read the realm's clients and their scopes.
    ReadClients,
    /// End a session.
    EndSession,
    /// Ask userinfo of a token.
    AskUserinfo,
    /// Ask introspection of a token.
    Introspect,
    /// End the session of a refresh token.
    EndRefreshToken,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::FetchToken => "fetch token",
            Self::ReadUsers => "read users",
            Self::UpdateUser => "update user",
            Self::DeleteUser => "delete user",
            Self::SendMail => "send mail",
            Self::ReadEvents => "read events",
            Self::ReadRealm => "read realm",
            Self::ReadClients => "read clients",
            Self::EndSession => "end session",
            Self::AskUserinfo => "ask userinfo",
            Self::Introspect => "introspect token",
            Self::EndRefreshToken => "end refresh token",
        }
    }

    /// The narrowest role of the client `realm-management` that allows the step.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::ReadUsers => "view-users",
            Self::ReadEvents => "view-events",
            Self::ReadRealm => "view-realm",
            Self::ReadClients => "view-clients",
            _ => "manage-users",
        }
    }
}

/// Returns the answer if its status is a success, otherwise the error that Keycloak's own words mean.
pub(crate) fn check(step: Step, answer: Response) -> idp_bridge_core::Result<Response> {
    let classify = |status, words: Words| refusal(step, status, &words);
    let checked = match step {
        Step::AskUserinfo => answer.or_token_refusal(classify),
        _ => answer.or_refusal(classify),
    };
    checked.map_err(|error| error.with("step", step.name()))
}

fn refusal(step: Step, status: u16, words: &Words) -> Error {
    match (step, status) {
        (Step::SendMail, 500) => Error::upstream(Unavailable, "keycloak could not hand the mail to its mail server"),
        (_, 300..=399 | 429 | 500..) => refused(status),
        (Step::FetchToken, _) => token_refusal(status),
        (Step::Introspect | Step::EndRefreshToken | Step::AskUserinfo, _) => openid_refusal(step, status, words),
        (Step::EndSession, 404) if is_session_not_found(words) => Error::upstream(NotFound, "no such session"),
        (_, 401) => Error::upstream(Unauthenticated, "keycloak refused the token of the bridge's client"),
        (_, 403) => Error::upstream(PermissionDenied, "the service account lacks a role")
            .with_hint("Clients → the bridge's client → Service accounts roles: assign it")
            .with("role", step.role()),
        (_, 404) => not_found(words),
        (_, 409) => Error::upstream(Conflict, "keycloak refused the change because of another user or another writer"),
        (_, 400) => bad_request(words),
        _ => refused(status),
    }
}

fn token_refusal(status: u16) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "keycloak refused the client").with_hint(
            "check `client_id` and `client_secret`, \
             and that the client has `Client authentication` and `Service accounts roles` on",
        ),
        403 => Error::upstream(Misconfigured, "the realm is disabled").with_hint("enable it in Realm settings"),
        404 => Error::upstream(Misconfigured, "keycloak has no such realm")
            .with_hint("check `realm` and the path of `url`"),
        400 => Error::upstream(Misconfigured, "keycloak wants more than a client secret")
            .with_hint("set Clients → the client → Credentials → Client Authenticator to `Client Id and Secret`"),
        _ => refused(status),
    }
}

/// The public endpoints, where a client proves itself, or nobody does.
fn openid_refusal(step: Step, status: u16, words: &Words) -> Error {
    match (step, status) {
        (Step::EndRefreshToken, 400) if words.error() == "invalid_grant" => {
            Error::upstream(InvalidInput, "keycloak refused the refresh token for the client that it names")
                .with("field", "refresh_token")
        }
        (Step::EndRefreshToken, 401) => {
            Error::upstream(Unauthenticated, "keycloak refused one of the tenant's clients")
                .with_hint("check the id and the secret of each of `federation.clients`")
        }
        (Step::Introspect, 401 | 403) if matches!(words.error(), "invalid_client" | "unauthorized_client") => {
            Error::upstream(Unauthenticated, "keycloak refused the bridge's client")
                .with_hint("check `client_id` and `client_secret`")
        }
        (_, 403) if words.error() == "access_denied" => {
            Error::upstream(Misconfigured, "the realm is disabled").with_hint("enable it in Realm settings")
        }
        (_, 404) => Error::upstream(Misconfigured, "keycloak has no such realm")
            .with_hint("check `realm` and the path of `url`"),
        _ => refused(status),
    }
}

/// The first is how 26.7.3 spells it.
fn is_session_not_found(words: &Words) -> bool {
    matches!(words.error(), "Sesssion not found" | "Session not found")
}

/// Only one word of Keycloak makes a user missing: an unknown realm and a wrong path are 404 as well.
fn not_found(words: &Words) -> Error {
    if words.error() == "User not found" {
        return Error::upstream(NotFound, "no such user");
    }
    Error::upstream(Misconfigured, "keycloak does not know the realm or the path").with_hint("check `realm` and `url`")
}

fn bad_request(words: &Words) -> Error {
    match words.message() {
        "User is disabled" => Error::upstream(State, "the user is disabled"),
        "User email missing" => Error::upstream(State, "the user has no email"),
        "Client doesn't exist" | "Client is not enabled" | "Client id missing" | "Invalid redirect uri." => {
            Error::upstream(Misconfigured, "keycloak knows no such client or redirect URI for mails")
                .with_hint("check `email_client_id` and `email_redirect_uri` against the client's Valid redirect URIs")
        }
        _ if words.is_about_field() => {
            Error::upstream(State, "the user breaks the realm's user profile, which must be mended first")
        }
        _ => Error::upstream(InvalidResponse, "keycloak did not understand the request"),
    }
}

/// The shapes of Keycloak's error bodies, read for known words only and never shown.
#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Words {
    Error { error: String },
    Message { error_message: String, field: Option<String> },
    Several { errors: Vec<FieldError> },
}

/// One of several faults that Keycloak found in a user.
#[derive(Deserialize)]
struct FieldError {
    field: Option<String>,
}

impl Words {
    fn error(&self) -> &str {
        if let Self::Error { error } = self { error } else { "" }
    }

    fn message(&self) -> &str {
        if let Self::Message { error_message, .. } = self { error_message } else { "" }
    }

    /// Whether it names a field of the user that breaks the user profile.
    fn is_about_field(&self) -> bool {
        match self {
            Self::Error { .. } => false,
            Self::Message { field, .. } => field.is_some(),
            Self::Several { errors } => errors.iter().any(|error| error.field.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use Step::*;
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, StatusCode};

    use super::*;

    /// Answers of a real Keycloak 26.7.3, November 2026, and what may stand before it.
    const TABLE: &[(Step, u16, &str, ErrorKind)] = &[
        (
            FetchToken,
            401,
            r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (
            FetchToken,
            401,
            r#"{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (
            FetchToken,
            401,
            r#"{"error":"unauthorized_client","error_description":"Client not enabled to retrieve service account"}"#,
            Unauthenticated,
        ),
        (
            FetchToken,
            401,
            r#"{"error":"invalid_request","error_description":"The associated service account for the client does not exist"}"#,
            Unauthenticated,
        ),
        (FetchToken, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        (FetchToken, 403, r#"{"error":"access_denied","error_description":"Realm not enabled"}"#, Misconfigured),
        (
            FetchToken,
            400,
            r#"{"error":"invalid_request","error_description":"Missing form parameter: grant_type"}"#,
            Misconfigured,
        ),
        (FetchToken, 418, "", InvalidResponse),
        (FetchToken, 401, "", InvalidResponse),
        (FetchToken, 403, "<html>blocked</html>", InvalidResponse),
        (FetchToken, 404, "<html>no such page</html>", InvalidResponse),
        (ReadUsers, 401, r#"{"error":"HTTP 401 Unauthorized"}"#, Unauthenticated),
        (ReadUsers, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
        (ReadUsers, 404, r#"{"error":"User not found"}"#, NotFound),
        (ReadUsers, 404, r#"{"error":"Realm not found."}"#, Misconfigured),
        (ReadUsers, 404, r#"{"error":"HTTP 404 Not Found"}"#, Misconfigured),
        (ReadUsers, 401, "", InvalidResponse),
        (ReadUsers, 403, "<html>blocked</html>", InvalidResponse),
        (ReadUsers, 403, r#"{"message":"Forbidden"}"#, InvalidResponse),
        (ReadUsers, 404, "<html>no such page</html>", InvalidResponse),
        (ReadUsers, 404, "", InvalidResponse),
        (
            ReadUsers,
            400,
            r#"{"error":"missingNormalization","error_description":"Request path not normalized"}"#,
            InvalidResponse,
        ),
        (UpdateUser, 404, r#"{"error":"User not found"}"#, NotFound),
        (UpdateUser, 409, r#"{"errorMessage":"User exists with same email"}"#, Conflict),
        (
            UpdateUser,
            400,
            r#"{"field":"customer_id","errorMessage":"error-user-attribute-required","params":["customer_id"]}"#,
            State,
        ),
        (
            UpdateUser,
            400,
            r#"{"errors":[{"field":"a","errorMessage":"error-user-attribute-required","params":["a"]},{"field":"b"}]}"#,
            State,
        ),
        (
            UpdateUser,
            400,
            r#"{"error":"invalid_request","error_description":"Cannot parse the JSON"}"#,
            InvalidResponse,
        ),
        (
            UpdateUser,
            415,
            r#"{"error":"The content-type header value did not match the value in @Consumes"}"#,
            InvalidResponse,
        ),
        (DeleteUser, 404, r#"{"error":"User not found"}"#, NotFound),
        (DeleteUser, 404, "<html>no such page</html>", InvalidResponse),
        (DeleteUser, 405, r#"{"error":"HTTP 405 Method Not Allowed"}"#, InvalidResponse),
        (SendMail, 400, r#"{"errorMessage":"User is disabled"}"#, State),
        (SendMail, 400, r#"{"errorMessage":"User email missing"}"#, State),
        (SendMail, 400, r#"{"errorMessage":"Client doesn't exist"}"#, Misconfigured),
        (SendMail, 400, r#"{"errorMessage":"Client id missing"}"#, Misconfigured),
        (SendMail, 400, r#"{"errorMessage":"Invalid redirect uri."}"#, Misconfigured),
        (SendMail, 400, r#"{"errorMessage":"Provided invalid required actions"}"#, InvalidResponse),
        (SendMail, 500, r#"{"errorMessage":"Failed to send verify email"}"#, Unavailable),
        (ReadEvents, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
        (
            ReadEvents,
            500,
            r#"{"error":"unknown_error","error_description":"For more on this error consult the server log."}"#,
            Unavailable,
        ),
        (ReadRealm, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
        (ReadUsers, 429, "", RateLimited),
        (FetchToken, 429, "", RateLimited),
        (ReadUsers, 503, "<html>maintenance</html>", Unavailable),
        (FetchToken, 502, "", Unavailable),
        (ReadUsers, 302, "", InvalidResponse),
        (FetchToken, 301, "", InvalidResponse),
        (ReadUsers, 400, "\u{0}garbage", InvalidResponse),
        (ReadUsers, 404, r#"{"error":["User not found"]}"#, InvalidResponse),
    ];

    /// The same for the OAuth side.
    const OPENID: &[(Step, u16, &str, ErrorKind)] = &[
        (EndSession, 404, r#"{"error":"Sesssion not found"}"#, NotFound),
        (EndSession, 404, r#"{"error":"Realm not found."}"#, Misconfigured),
        (EndSession, 404, r#"{"error":"HTTP 404 Not Found"}"#, Misconfigured),
        (EndSession, 404, "", InvalidResponse),
        (EndSession, 401, "", InvalidResponse),
        (EndSession, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
        (EndSession, 401, r#"{"error":"HTTP 401 Unauthorized"}"#, Unauthenticated),
        (EndSession, 500, "", Unavailable),
        (
            EndRefreshToken,
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token. Token client and authorized client don't match"}"#,
            InvalidInput,
        ),
        (
            EndRefreshToken,
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token"}"#,
            InvalidInput,
        ),
        (
            EndRefreshToken,
            401,
            r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (
            EndRefreshToken,
            401,
            r#"{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (EndRefreshToken, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        (EndRefreshToken, 400, "<html>", InvalidResponse),
        (EndRefreshToken, 401, "<html>", InvalidResponse),
        (
            Introspect,
            401,
            r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#,
            Unauthenticated,
        ),
        (Introspect, 403, r#"{"error":"access_denied","error_description":"Realm not enabled"}"#, Misconfigured),
        (Introspect, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        (Introspect, 403, "<html>no entry</html>", InvalidResponse),
        (Introspect, 429, "", RateLimited),
        (AskUserinfo, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        // Without Keycloak's challenge these come from something in front of it.
        (AskUserinfo, 401, "", Unavailable),
        (AskUserinfo, 403, "", InvalidResponse),
        (AskUserinfo, 503, "", Unavailable),
        (ReadClients, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
    ];

    fn refused_by(step: Step, status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
    }

    #[test]
    fn every_known_refusal_has_its_kind() {
        for (step, status, body, kind) in TABLE.iter().chain(OPENID) {
            assert_eq!(refused_by(*step, *status, body).kind(), *kind, "{step:?} {status} {body}");
        }
    }

    #[test]
    fn a_missing_role_is_named() {
        for (step, role) in [
            (ReadUsers, "view-users"),
            (SendMail, "manage-users"),
            (EndSession, "manage-users"),
            (ReadEvents, "view-events"),
        ] {
            let error = refused_by(step, 403, r#"{"error":"HTTP 403 Forbidden"}"#);
            assert_eq!(error.context("role"), Some(role));
            assert_eq!(refused_by(step, 403, "<html>").context("role"), None);
        }
    }

    #[test]
    fn the_body_is_never_shown() {
        for (step, status, ..) in TABLE.iter().chain(OPENID) {
            for body in [
                r#"{"error":"s3cr3t"}"#,
                r#"{"errorMessage":"s3cr3t","field":"s3cr3t"}"#,
                r#"{"errors":[{"field":"s3cr3t"}]}"#,
                "s3cr3t",
            ] {
                let shown = format!("{:?}", refused_by(*step, *status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
