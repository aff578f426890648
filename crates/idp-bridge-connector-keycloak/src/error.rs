//! Converts Keycloak's refusals into errors.

mod step;

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::{Error, Result};
use idp_bridge_http::{Response, status_error};
use serde::Deserialize;

pub(crate) use self::step::Step;

/// Returns the response if its status is a success, otherwise the error that it means.
pub(crate) fn check(step: Step, response: Response) -> Result<Response> {
    let classify = |status, body: ErrorBody| refusal(step, status, &body);
    let checked = match step {
        Step::ReadUserinfo => response.or_token_refusal(classify),
        _ => response.or_refusal(classify),
    };
    checked.map_err(|error| error.with("step", step.name()))
}

fn refusal(step: Step, status: u16, body: &ErrorBody) -> Error {
    let Some(role) = step.role() else { return public_refusal(step, status, body) };
    match (step, status) {
        (Step::SetUp, 403) => Error::upstream(PermissionDenied, "the administrator lacks a right in the realm")
            .with_hint(
                "log in as one with the role `admin` of the realm `master`, or `realm-admin` of the realm itself",
            ),
        // The first is the spelling of 26.7.3.
        (Step::EndSession, 404) if matches!(body.error(), "Sesssion not found" | "Session not found") => {
            Error::upstream(NotFound, "no such session")
        }
        (_, 401) => Error::upstream(Unauthenticated, "keycloak refused the token of the bridge's client"),
        (_, 403) => Error::upstream(PermissionDenied, "the service account lacks a role")
            .with_hint("Clients → the bridge's client → Service accounts roles: assign it")
            .with("role", role),
        (_, 404) if body.error() == "User not found" => Error::upstream(NotFound, "no such user"),
        // An unknown realm and a wrong path are 404 as well.
        (_, 404) => Error::upstream(Misconfigured, "keycloak does not have this realm or path")
            .with_hint("check `realm` and `url`"),
        (_, 409) => Error::upstream(Conflict, "keycloak refused the change because of another user or another writer"),
        (_, 400) => bad_request(body),
        _ => status_error(status),
    }
}

/// Converts a refusal of one of the realm's public endpoints, which require no role.
fn public_refusal(step: Step, status: u16, body: &ErrorBody) -> Error {
    match (step, status, body.error()) {
        (Step::LogInAdministrator, 400 | 401, _) => {
            Error::upstream(Unauthenticated, "keycloak refused the administrator's name or password").with_hint(
                "check both, and the realm of the administrator; one with a second factor or a required action cannot log in \
                 this way: follow docs/connectors/keycloak.md in the console",
            )
        }
        (Step::LogInAdministrator, 404, _) => {
            Error::upstream(Misconfigured, "keycloak has no such realm for the administrator")
                .with_hint("check the realm in which the administrator logs in")
        }
        (Step::FetchToken | Step::Introspect, 400, "invalid_client") => refused_assertion(body.description()),
        (Step::FetchToken, 400, _) => Error::upstream(Misconfigured, "keycloak requires more than a client secret")
            .with_hint("set Clients → the client → Credentials → Client Authenticator to `Client Id and Secret`"),
        (Step::FetchToken, 401, _) => Error::upstream(Unauthenticated, "keycloak refused the client").with_hint(
            "check `client_id` and its credentials, \
             and that the client has `Client authentication` and `Service accounts roles` on",
        ),
        (Step::Introspect, 401 | 403, "invalid_client" | "unauthorized_client") => {
            Error::upstream(Unauthenticated, "keycloak refused the bridge's client")
                .with_hint("check `client_id` and its credentials")
        }
        (Step::EndRefreshToken, 400, "invalid_grant") => {
            Error::upstream(InvalidInput, "keycloak refused the refresh token for the client that it names")
                .with("field", "refresh_token")
        }
        (Step::EndRefreshToken, 401, _) => {
            Error::upstream(Unauthenticated, "keycloak refused one of the tenant's clients")
                .with_hint("check the id and the secret of each of `federation.clients`")
        }
        (Step::FetchToken, 403, _) | (_, 403, "access_denied") => {
            Error::upstream(Misconfigured, "the realm is disabled").with_hint("enable it in Realm settings")
        }
        (_, 404, _) => Error::upstream(Misconfigured, "keycloak has no such realm")
            .with_hint("check `realm` and the path of `url`"),
        _ => status_error(status),
    }
}

/// Converts the refusal of a client assertion (`private_key_jwt`). The texts were recorded, and the cause is unknown with another one.
fn refused_assertion(description: &str) -> Error {
    let (message, hint) = match description {
        "Unable to load public key" => (
            "keycloak has no public key for the client's assertion",
            "Clients → the bridge's client → Keys → Import: the JSON Web Key Set that `idp-bridge keys public` prints; \
             `private_key_id` must be its `kid`, or absent",
        ),
        "Client authentication with signed JWT failed: Signature on JWT token failed validation" => (
            "keycloak has another public key for the client than that of `private_key`",
            "Clients → the bridge's client → Keys → Import: the JSON Web Key Set that `idp-bridge keys public` prints",
        ),
        "Invalid signature algorithm" => (
            "keycloak refuses the algorithm of the client's assertion",
            "set `private_key_algorithm` to that of Clients → the bridge's client → Credentials → Signature algorithm",
        ),
        "Invalid token audience" => (
            "keycloak refuses the audience of the client's assertion, which is the realm's issuer",
            "set `issuer` to the `issuer` in `.well-known/openid-configuration` of the realm",
        ),
        "Token is not active" | "Token expiration is too far in the future and iat claim not present in token" => (
            "keycloak refuses the time of the client's assertion",
            "check the clocks of this host and of Keycloak: they may differ by 30 seconds",
        ),
        "Parameter client_assertion_type is missing" => (
            "keycloak requires a signed assertion of the client",
            "set `private_key_file`, or Clients → the bridge's client → Credentials → Client Authenticator to \
             `Client Id and Secret`",
        ),
        _ => (
            "keycloak refused the assertion of the client",
            "Clients → the bridge's client → Credentials → Client Authenticator: `Signed JWT`; Keys → Import: the public key",
        ),
    };
    Error::upstream(Unauthenticated, message).with_hint(hint)
}

fn bad_request(body: &ErrorBody) -> Error {
    let (message, names_field) = match body {
        ErrorBody::Error { .. } => ("", false),
        ErrorBody::Message { error_message, field } => (error_message.as_str(), field.is_some()),
        ErrorBody::Fields { errors } => ("", errors.iter().any(|error| error.field.is_some())),
    };
    match message {
        "User is disabled" => Error::upstream(State, "the user is disabled"),
        "User email missing" => Error::upstream(State, "the user has no email"),
        "Client doesn't exist" | "Client is not enabled" | "Client id missing" | "Invalid redirect uri." => {
            Error::upstream(Misconfigured, "keycloak has no such client or redirect URI for mails")
                .with_hint("check `email_client_id` and `email_redirect_uri` against the client's Valid redirect URIs")
        }
        _ if names_field => {
            Error::upstream(State, "the user does not match the realm's user profile: correct the user first")
        }
        _ => Error::upstream(InvalidResponse, "keycloak rejected the request as malformed"),
    }
}

/// Keycloak's error bodies. They are compared with known texts and never shown.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Error {
        error: String,
        error_description: Option<String>,
    },
    Message {
        #[serde(rename = "errorMessage")]
        error_message: String,
        field: Option<String>,
    },
    Fields {
        errors: Vec<FieldError>,
    },
}

/// An invalid field of a user.
#[derive(Deserialize)]
struct FieldError {
    field: Option<String>,
}

impl ErrorBody {
    /// Returns the `error`, or an empty text.
    fn error(&self) -> &str {
        if let Self::Error { error, .. } = self { error } else { "" }
    }

    /// Returns the `error_description`, or an empty text.
    fn description(&self) -> &str {
        let Self::Error { error_description: Some(description), .. } = self else { return "" };
        description
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use Step::*;
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, StatusCode};
    use serde_json::Value;

    use super::*;

    /// The answers of a real Keycloak 26.7.3, recorded in November 2026.
    const RECORDED: &str = include_str!("../recorded/answers.json");

    /// Recorded answers by their names.
    const ANSWERS: &[(Step, &[&str], ErrorKind)] = &[
        (
            FetchToken,
            &["bad secret", "unknown client", "lacks service account", "service account missing", "public client"],
            Unauthenticated,
        ),
        (FetchToken, &["realm unknown", "realm disabled", "missing grant type"], Misconfigured),
        (FetchToken, ASSERTIONS, Unauthenticated),
        (Introspect, ASSERTIONS, Unauthenticated),
        (ReadUsers, &["unauthorized"], Unauthenticated),
        (ReadUsers, &["forbidden"], PermissionDenied),
        (ReadUsers, &["user not found"], NotFound),
        (ReadUsers, &["realm unknown to administrators", "not found"], Misconfigured),
        (ReadUsers, &["path not normalized"], InvalidResponse),
        (UpdateUser, &["user not found"], NotFound),
        (UpdateUser, &["email exists"], Conflict),
        (UpdateUser, &["missing field", "invalid fields"], State),
        (UpdateUser, &["not json", "wrong content type"], InvalidResponse),
        (DeleteUser, &["user not found"], NotFound),
        (DeleteUser, &["method not allowed"], InvalidResponse),
        (SendMail, &["user is disabled", "email missing"], State),
        (SendMail, &["client unknown to mails", "client id missing", "invalid redirect uri"], Misconfigured),
        (SendMail, &["invalid actions"], InvalidResponse),
        (SendMail, &["mail to verify failed", "mail with actions failed"], Unavailable),
        (ReadEvents, &["forbidden"], PermissionDenied),
        (ReadEvents, &["internal error"], Unavailable),
        (ReadRealm, &["forbidden"], PermissionDenied),
        (ReadClients, &["forbidden"], PermissionDenied),
        (EndSession, &["session not found"], NotFound),
        (EndSession, &["realm unknown to administrators", "not found"], Misconfigured),
        (EndSession, &["forbidden"], PermissionDenied),
        (EndSession, &["unauthorized"], Unauthenticated),
        (EndRefreshToken, &["refresh token of another client", "invalid refresh token"], InvalidInput),
        (EndRefreshToken, &["bad secret", "unknown client"], Unauthenticated),
        (EndRefreshToken, &["realm unknown"], Misconfigured),
        (Introspect, &["introspection unauthenticated"], Unauthenticated),
        (Introspect, &["realm disabled", "realm unknown"], Misconfigured),
        (ReadUserinfo, &["realm unknown"], Misconfigured),
        (Discover, &["realm disabled", "realm unknown"], Misconfigured),
        (LogInAdministrator, &["realm disabled", "realm unknown"], Misconfigured),
        (SetUp, &["forbidden"], PermissionDenied),
        (SetUp, &["unauthorized"], Unauthenticated),
        (SetUp, &["realm unknown to administrators"], Misconfigured),
    ];

    const ASSERTIONS: &[&str] = &[
        "assertion algorithm wrong",
        "assertion audience wrong",
        "assertion expired",
        "assertion key unknown",
        "assertion missing",
        "assertion signature wrong",
        "assertion too long",
        "assertion used before",
    ];

    /// Responses of gateways, and of Keycloak without its body.
    const FOREIGN: &[(Step, u16, &str, ErrorKind)] = &[
        (FetchToken, 401, "", InvalidResponse),
        (FetchToken, 403, "<html>blocked</html>", InvalidResponse),
        (FetchToken, 404, "<html>no such page</html>", InvalidResponse),
        (ReadUsers, 401, "", InvalidResponse),
        (ReadUsers, 403, "<html>blocked</html>", InvalidResponse),
        (ReadUsers, 403, r#"{"message":"Forbidden"}"#, InvalidResponse),
        (ReadUsers, 404, "<html>no such page</html>", InvalidResponse),
        (ReadUsers, 404, "", InvalidResponse),
        (ReadUsers, 404, r#"{"error":["User not found"]}"#, InvalidResponse),
        (ReadUsers, 503, "<html>maintenance</html>", Unavailable),
        (ReadUsers, 400, "\u{0}garbage", InvalidResponse),
        (DeleteUser, 404, "<html>no such page</html>", InvalidResponse),
        (EndSession, 404, "", InvalidResponse),
        (EndSession, 401, "", InvalidResponse),
        (EndSession, 500, "", Unavailable),
        (EndRefreshToken, 400, "<html>", InvalidResponse),
        (EndRefreshToken, 401, "<html>", InvalidResponse),
        (Introspect, 403, "<html>no entry</html>", InvalidResponse),
        // Keycloak itself sends a challenge with these.
        (ReadUserinfo, 401, "", Unavailable),
        (ReadUserinfo, 403, "", InvalidResponse),
        (ReadUserinfo, 503, "", Unavailable),
    ];

    fn error_of(step: Step, status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
    }

    #[test]
    fn recorded_refusals_have_their_kinds() {
        let recorded: BTreeMap<String, (u16, Value)> = serde_json::from_str(RECORDED).unwrap();
        for (step, names, kind) in ANSWERS {
            for name in *names {
                let (status, body) = &recorded[*name];
                assert_eq!(error_of(*step, *status, &body.to_string()).kind(), *kind, "{step:?} {name}");
            }
        }
    }

    #[test]
    fn foreign_refusals_are_never_about_users() {
        for (step, status, body, kind) in FOREIGN {
            assert_eq!(error_of(*step, *status, body).kind(), *kind, "{step:?} {status} {body}");
        }
    }

    #[test]
    fn refused_assertion_names_its_setting() {
        let recorded: BTreeMap<String, (u16, Value)> = serde_json::from_str(RECORDED).unwrap();
        for (name, setting) in [
            ("assertion algorithm wrong", "`private_key_algorithm`"),
            ("assertion audience wrong", "`issuer`"),
            ("assertion expired", "clocks"),
            ("assertion key unknown", "`private_key_id`"),
            ("assertion missing", "`private_key_file`"),
            ("assertion signature wrong", "`idp-bridge keys public`"),
            ("assertion too long", "clocks"),
            ("assertion used before", "`Signed JWT`"),
        ] {
            let (status, body) = &recorded[name];
            let error = error_of(FetchToken, *status, &body.to_string());
            assert!(error.hint().is_some_and(|hint| hint.contains(setting)), "{name}: {error:?}");
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
        let steps = ANSWERS.iter().map(|(step, ..)| *step);
        for (step, status) in steps.flat_map(|step| [400, 401, 403, 404, 409, 500].map(|status| (step, status))) {
            for body in [
                r#"{"error":"s3cr3t"}"#,
                r#"{"error":"invalid_client","error_description":"s3cr3t"}"#,
                r#"{"errorMessage":"s3cr3t","field":"s3cr3t"}"#,
                r#"{"errors":[{"field":"s3cr3t"}]}"#,
                "s3cr3t",
            ] {
                let shown = format!("{:?}", error_of(step, status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
