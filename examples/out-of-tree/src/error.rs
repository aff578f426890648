//! The conversion of Rolodex's error responses. No other module reads a status.

use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::status_error;
use serde::Deserialize;

/// The body of an error response. An error with another body comes from a gateway or another server.
///
/// Only known codes are read, and the body is never shown.
#[derive(Deserialize)]
pub(crate) struct Refusal {
    error: String,
}

/// Converts an error response of Rolodex.
pub(crate) fn classify(status: u16, refusal: Refusal) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "rolodex refused the API key").with_hint("check `api_key`"),
        403 => Error::upstream(PermissionDenied, "the API key lacks a right").with_hint("tick it in Rolodex → Keys"),
        // Only this code means a missing user: a wrong path is a 404 as well.
        404 if refusal.error == "no_such_person" => Error::no_such_user(),
        404 => Error::upstream(Misconfigured, "the path does not exist in rolodex").with_hint("check `url`"),
        _ => status_error(status),
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, Response, StatusCode};

    use super::*;

    /// Error responses of Rolodex, and of a gateway in front of it.
    const TABLE: &[(u16, &str, ErrorKind)] = &[
        (401, r#"{"error":"no_such_key"}"#, Unauthenticated),
        (403, r#"{"error":"forbidden"}"#, PermissionDenied),
        (404, r#"{"error":"no_such_person"}"#, NotFound),
        (404, r#"{"error":"no_such_path"}"#, Misconfigured),
        (401, "", InvalidResponse),
        (403, "<html>blocked</html>", InvalidResponse),
        (404, "<html>no such page</html>", InvalidResponse),
        (404, r#"{"error":["no_such_person"]}"#, InvalidResponse),
        (400, r#"{"error":"no_change"}"#, InvalidResponse),
        (302, "", InvalidResponse),
        (429, "", RateLimited),
        (503, "<html>maintenance</html>", Unavailable),
    ];

    fn error_of(status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        Response::new(status, HeaderMap::new(), body.to_owned()).or_refusal(classify).unwrap_err()
    }

    #[test]
    fn error_responses_have_their_kind() {
        for (status, body, kind) in TABLE {
            assert_eq!(error_of(*status, body).kind(), *kind, "{status} {body}");
        }
    }

    #[test]
    fn the_body_is_never_shown() {
        for (status, ..) in TABLE {
            for body in [r#"{"error":"s3cr3t"}"#, "s3cr3t"] {
                let shown = format!("{:?}", error_of(*status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
