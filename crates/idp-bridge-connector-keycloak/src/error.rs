//! Converts Keycloak's refusals of admin requests into errors.

use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::{Response, status_error};
use serde::Deserialize;

/// A kind of request. The meaning of a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    FetchToken,
    ReadUsers,
    UpdateUser,
    DeleteUser,
    SendMail,
    ReadEvents,
    ReadRealm,
    ReadClients,
    EndSession,
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
        }
    }

    /// Returns the narrowest role of the client `realm-management` that allows the step.
    fn role(self) -> &'static str {
        match self {
            Self::ReadUsers => "view-users",
            Self::ReadEvents => "view-events",
            Self::ReadRealm => "view-realm",
            Self::ReadClients => "view-clients",
            _ => "manage-users",
        }
    }
}

/// Returns the response if its status is a success, otherwise the error that it means.
pub(crate) fn check(step: Step, response: Response) -> idp_bridge_core::Result<Response> {
    let checked = response.or_refusal(|status, body: ErrorBody| refusal(step, status, &body));
    checked.map_err(|error| error.with("step", step.name()))
}

fn refusal(step: Step, status: u16, body: &ErrorBody) -> Error {
    match (step, status) {
        (Step::SendMail, 500) => Error::upstream(Unavailable, "keycloak could not hand the mail to its mail server"),
        (_, 300..=399 | 429 | 500..) => status_error(status),
        (Step::FetchToken, _) => token_refusal(status),
        // The first is the spelling of 26.7.3.
        (Step::EndSession, 404) if matches!(body.error(), "Sesssion not found" | "Session not found") => {
            Error::upstream(NotFound, "no such session")
        }
        (_, 401) => Error::upstream(Unauthenticated, "keycloak refused the token of the bridge's client"),
        (_, 403) => Error::upstream(PermissionDenied, "the service account lacks a role")
            .with_hint("Clients → the bridge's client → Service accounts roles: assign it")
            .with("role", step.role()),
        (_, 404) if body.error() == "User not found" => Error::upstream(NotFound, "no such user"),
        // An unknown realm and a wrong path are 404 as well.
        (_, 404) => Error::upstream(Misconfigured, "keycloak does not have this realm or path")
            .with_hint("check `realm` and `url`"),
        (_, 409) => Error::upstream(Conflict, "keycloak refused the change because of another user or another writer"),
        (_, 400) => bad_request(body),
        _ => status_error(status),
    }
}

fn token_refusal(status: u16) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "keycloak refused the client").with_hint(
            "check `client_id` and `client_secret`, \
             and that the client has `Client authentication` and `Service accounts roles` on",
        ),
        403 => realm_disabled(),
        404 => no_such_realm(),
        400 => Error::upstream(Misconfigured, "keycloak requires more than a client secret")
            .with_hint("set Clients → the client → Credentials → Client Authenticator to `Client Id and Secret`"),
        _ => status_error(status),
    }
}

/// Creates the error for a disabled realm.
pub(crate) fn realm_disabled() -> Error {
    Error::upstream(Misconfigured, "the realm is disabled").with_hint("enable it in Realm settings")
}

/// Creates the error for a realm that does not exist.
pub(crate) fn no_such_realm() -> Error {
    Error::upstream(Misconfigured, "keycloak has no such realm").with_hint("check `realm` and the path of `url`")
}

fn bad_request(body: &ErrorBody) -> Error {
    match body.message() {
        "User is disabled" => Error::upstream(State, "the user is disabled"),
        "User email missing" => Error::upstream(State, "the user has no email"),
        "Client doesn't exist" | "Client is not enabled" | "Client id missing" | "Invalid redirect uri." => {
            Error::upstream(Misconfigured, "keycloak has no such client or redirect URI for mails")
                .with_hint("check `email_client_id` and `email_redirect_uri` against the client's Valid redirect URIs")
        }
        _ if body.names_field() => {
            Error::upstream(State, "the user breaks the realm's user profile, which must be mended first")
        }
        _ => Error::upstream(InvalidResponse, "keycloak rejected the request as malformed"),
    }
}

/// Keycloak's error bodies. They are compared with known texts and never shown.
#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum ErrorBody {
    Error { error: String },
    Message { error_message: String, field: Option<String> },
    Fields { errors: Vec<FieldError> },
}

/// An invalid field of a user.
#[derive(Deserialize)]
pub(crate) struct FieldError {
    field: Option<String>,
}

impl ErrorBody {
    /// Returns the `error`, or an empty text.
    pub(crate) fn error(&self) -> &str {
        if let Self::Error { error } = self { error } else { "" }
    }

    fn message(&self) -> &str {
        if let Self::Message { error_message, .. } = self { error_message } else { "" }
    }

    /// Returns whether it names a field of the user that breaks the user profile.
    fn names_field(&self) -> bool {
        match self {
            Self::Error { .. } => false,
            Self::Message { field, .. } => field.is_some(),
            Self::Fields { errors } => errors.iter().any(|error| error.field.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use Step::*;
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, StatusCode};

    use super::*;

    /// Responses of a real Keycloak 26.7.3, November 2026, and of gateways.
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
        (EndSession, 404, r#"{"error":"Sesssion not found"}"#, NotFound),
        (EndSession, 404, r#"{"error":"Realm not found."}"#, Misconfigured),
        (EndSession, 404, r#"{"error":"HTTP 404 Not Found"}"#, Misconfigured),
        (EndSession, 404, "", InvalidResponse),
        (EndSession, 401, "", InvalidResponse),
        (EndSession, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
        (EndSession, 401, r#"{"error":"HTTP 401 Unauthorized"}"#, Unauthenticated),
        (EndSession, 500, "", Unavailable),
        (ReadClients, 403, r#"{"error":"HTTP 403 Forbidden"}"#, PermissionDenied),
    ];

    fn error_of(step: Step, status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
    }

    #[test]
    fn known_refusals_have_their_kinds() {
        for (step, status, body, kind) in TABLE {
            assert_eq!(error_of(*step, *status, body).kind(), *kind, "{step:?} {status} {body}");
        }
    }

    #[test]
    fn missing_role_is_named() {
        for (step, role) in [
            (ReadUsers, "view-users"),
            (SendMail, "manage-users"),
            (EndSession, "manage-users"),
            (ReadEvents, "view-events"),
        ] {
            let error = error_of(step, 403, r#"{"error":"HTTP 403 Forbidden"}"#);
            assert_eq!(error.context("role"), Some(role));
            assert_eq!(error_of(step, 403, "<html>").context("role"), None);
        }
    }

    #[test]
    fn bodies_are_never_shown() {
        for (step, status, ..) in TABLE {
            for body in [
                r#"{"error":"s3cr3t"}"#,
                r#"{"errorMessage":"s3cr3t","field":"s3cr3t"}"#,
                r#"{"errors":[{"field":"s3cr3t"}]}"#,
                "s3cr3t",
            ] {
                let shown = format!("{:?}", error_of(*step, *status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
