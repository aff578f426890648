//! The conversion of New IdP's error responses. No other module reads a status.

use idp_bridge_core::ErrorKind::*;
use idp_bridge_core::{Error, Result};
use idp_bridge_http::{Response, status_error};
use serde::Deserialize;

/// The purpose of a request. A status can mean different things for different purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reads one user or a list of users.
    ReadUsers,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::ReadUsers => "read users",
        }
    }

    /// Returns the narrowest right that allows the step.
    fn right(self) -> &'static str {
        match self {
            Self::ReadUsers => "users:read",
        }
    }
}

/// Returns the response if its status is a success, otherwise the error.
///
/// An error response with another body than New IdP's comes from a gateway or another server. It says nothing about users
/// or the token.
pub(crate) fn check(step: Step, response: Response) -> Result<Response> {
    response
        .or_refusal(|status, refusal| classify(step, status, &refusal))
        .map_err(|error| error.with("step", step.name()))
}

fn classify(step: Step, status: u16, refusal: &Refusal) -> Error {
    match status {
        401 => Error::upstream(Unauthenticated, "new-idp refused the API token").with_hint("check `api_token`"),
        403 => Error::upstream(PermissionDenied, "the API token lacks a right")
            .with_hint("give it the right in the console")
            .with("right", step.right()),
        // Only this code means a missing user: a wrong path is a 404 as well.
        404 if refusal.code == "user_not_found" => Error::no_such_user(),
        404 => Error::upstream(Misconfigured, "the path does not exist in new-idp").with_hint("check `url`"),
        _ => status_error(status),
    }
}

/// The body of an error response. Only known codes are read, and it is never shown.
#[derive(Deserialize)]
struct Refusal {
    code: String,
}

#[cfg(test)]
mod tests {
    use Step::*;
    use idp_bridge_core::ErrorKind;
    use idp_bridge_http::{HeaderMap, StatusCode};

    use super::*;

    /// Error responses of New IdP, and of a gateway in front of it.
    const TABLE: &[(Step, u16, &str, ErrorKind)] = &[
        (ReadUsers, 401, r#"{"code":"invalid_token"}"#, Unauthenticated),
        (ReadUsers, 403, r#"{"code":"forbidden"}"#, PermissionDenied),
        (ReadUsers, 404, r#"{"code":"user_not_found"}"#, NotFound),
        (ReadUsers, 404, r#"{"code":"no_such_path"}"#, Misconfigured),
        (ReadUsers, 401, "", InvalidResponse),
        (ReadUsers, 403, "<html>blocked</html>", InvalidResponse),
        (ReadUsers, 404, "<html>no such page</html>", InvalidResponse),
        (ReadUsers, 404, r#"{"code":["user_not_found"]}"#, InvalidResponse),
        (ReadUsers, 400, r#"{"code":"bad_request"}"#, InvalidResponse),
        (ReadUsers, 302, "", InvalidResponse),
        (ReadUsers, 429, "", RateLimited),
        (ReadUsers, 503, "<html>maintenance</html>", Unavailable),
    ];

    fn error_of(step: Step, status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        check(step, Response::new(status, HeaderMap::new(), body.to_owned())).unwrap_err()
    }

    #[test]
    fn error_responses_have_their_kind() {
        for (step, status, body, kind) in TABLE {
            assert_eq!(error_of(*step, *status, body).kind(), *kind, "{step:?} {status} {body}");
        }
    }

    #[test]
    fn a_missing_right_is_named() {
        assert_eq!(error_of(ReadUsers, 403, r#"{"code":"forbidden"}"#).context("right"), Some("users:read"));
    }

    #[test]
    fn the_body_is_never_shown() {
        for (step, status, ..) in TABLE {
            for body in [r#"{"code":"s3cr3t"}"#, "s3cr3t"] {
                let shown = format!("{:?}", error_of(*step, *status, body));
                assert!(!shown.contains("s3cr3t"), "{shown}");
            }
        }
    }
}
