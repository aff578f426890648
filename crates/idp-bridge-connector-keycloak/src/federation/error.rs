//! Converts the refusals of the public endpoints into errors.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::{Error, Result};
use idp_bridge_http::{Response, status_error};

use crate::error::{ErrorBody, no_such_realm, realm_disabled};

/// A public endpoint. The meaning of a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Userinfo,
    Introspection,
    Logout,
}

impl Endpoint {
    /// Returns the name of the request in logs.
    fn step(self) -> &'static str {
        match self {
            Self::Userinfo => "read userinfo",
            Self::Introspection => "introspect token",
            Self::Logout => "end refresh token",
        }
    }
}

/// Returns the response if its status is a success, otherwise the error that it means.
pub(super) fn check(endpoint: Endpoint, response: Response) -> Result<Response> {
    let classify = |status, body: ErrorBody| refusal(endpoint, status, body.error());
    let checked = match endpoint {
        Endpoint::Userinfo => response.or_token_refusal(classify),
        Endpoint::Introspection | Endpoint::Logout => response.or_refusal(classify),
    };
    checked.map_err(|error| error.with("step", endpoint.step()))
}

fn refusal(endpoint: Endpoint, status: u16, error: &str) -> Error {
    match (endpoint, status) {
        (_, 300..=399 | 429 | 500..) => status_error(status),
        (Endpoint::Logout, 400) if error == "invalid_grant" => {
            Error::upstream(InvalidInput, "keycloak refused the refresh token for the client that it names")
                .with("field", "refresh_token")
        }
        (Endpoint::Logout, 401) => Error::upstream(Unauthenticated, "keycloak refused one of the tenant's clients")
            .with_hint("check the id and the secret of each of `federation.clients`"),
        (Endpoint::Introspection, 401 | 403) if matches!(error, "invalid_client" | "unauthorized_client") => {
            Error::upstream(Unauthenticated, "keycloak refused the bridge's client")
                .with_hint("check `client_id` and `client_secret`")
        }
        (_, 403) if error == "access_denied" => realm_disabled(),
        (_, 404) => no_such_realm(),
        _ => status_error(status),
    }
}

#[cfg(test)]
mod tests {
    use Endpoint::*;
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, StatusCode};

    use super::*;

    /// Responses of a real Keycloak 26.7.3, November 2026, and of gateways.
    const TABLE: &[(Endpoint, u16, &str, ErrorKind)] = &[
        (
            Logout,
            400,
            r#"{"error":"invalid_grant","error_description":"Invalid refresh token. Token client and authorized client don't match"}"#,
            InvalidInput,
        ),
        (Logout, 400, r#"{"error":"invalid_grant","error_description":"Invalid refresh token"}"#, InvalidInput),
        (
            Logout,
            401,
            r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (
            Logout,
            401,
            r#"{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}"#,
            Unauthenticated,
        ),
        (Logout, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        (Logout, 400, "<html>", InvalidResponse),
        (Logout, 401, "<html>", InvalidResponse),
        (
            Introspection,
            401,
            r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#,
            Unauthenticated,
        ),
        (Introspection, 403, r#"{"error":"access_denied","error_description":"Realm not enabled"}"#, Misconfigured),
        (Introspection, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        (Introspection, 403, "<html>no entry</html>", InvalidResponse),
        (Introspection, 429, "", RateLimited),
        (Userinfo, 404, r#"{"error":"Realm does not exist"}"#, Misconfigured),
        // Keycloak itself sends a challenge with these.
        (Userinfo, 401, "", Unavailable),
        (Userinfo, 403, "", InvalidResponse),
        (Userinfo, 503, "", Unavailable),
    ];

    fn error_of(endpoint: Endpoint, status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        check(endpoint, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
    }

    #[test]
    fn known_refusals_have_their_kinds() {
        for (endpoint, status, body, kind) in TABLE {
            assert_eq!(error_of(*endpoint, *status, body).kind(), *kind, "{endpoint:?} {status} {body}");
        }
    }

    #[test]
    fn bodies_are_never_shown() {
        for (endpoint, status, ..) in TABLE {
            for body in [r#"{"error":"s3cr3t"}"#, r#"{"errorMessage":"s3cr3t"}"#, "s3cr3t"] {
                let shown = format!("{:?}", error_of(*endpoint, *status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
