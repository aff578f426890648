//! From New IdP's refusals to the kinds of error: the only place that reads a status.

use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::refused;
use serde::Deserialize;

/// What was asked of New IdP. The same status means different things to different steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read one user, or a list of users.
    ReadUsers,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::ReadUsers => "read users",
        }
    }

    /// The narrowest right of the API token that allows the step.
    fn right(self) -> &'static str {
        match self {
            Self::ReadUsers => "users:read",
        }
    }
}

/// The error that an answer without success means.
pub(crate) fn refusal(step: Step, status: u16, body: &[u8]) -> Error {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let error = match status {
        401 => Error::upstream(Unauthenticated, "new-idp refused the API token").with_hint("check `api_token`"),
        403 => Error::upstream(PermissionDenied, "the API token lacks a right")
            .with_hint("give it the right in the console")
            .with("right", step.right()),
        // Only New IdP's own word makes a user missing: a wrong path, or another server, answers 404 as well.
        404 if body.code == "user_not_found" => Error::no_such_user(),
        404 => Error::upstream(Misconfigured, "new-idp does not know the path").with_hint("check `url`"),
        _ => refused(status),
    };
    error.with("step", step.name())
}

/// New IdP's error body, read for known words only and never shown.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    code: String,
}

#[cfg(test)]
mod tests {
    use Step::*;
    use idp_bridge_core::ErrorKind;

    use super::*;

    /// What New IdP answers, and what may stand before it.
    const TABLE: &[(Step, u16, &str, ErrorKind)] = &[
        (ReadUsers, 401, r#"{"code":"invalid_token"}"#, Unauthenticated),
        (ReadUsers, 403, r#"{"code":"forbidden"}"#, PermissionDenied),
        (ReadUsers, 404, r#"{"code":"user_not_found"}"#, NotFound),
        (ReadUsers, 404, r#"{"code":"no_such_path"}"#, Misconfigured),
        (ReadUsers, 404, "<html>no such page</html>", Misconfigured),
        (ReadUsers, 404, r#"{"code":["user_not_found"]}"#, Misconfigured),
        (ReadUsers, 400, r#"{"code":"bad_request"}"#, InvalidResponse),
        (ReadUsers, 302, "", InvalidResponse),
        (ReadUsers, 429, "", RateLimited),
        (ReadUsers, 503, "<html>maintenance</html>", Unavailable),
    ];

    #[test]
    fn every_known_refusal_has_its_kind() {
        for (step, status, body, kind) in TABLE {
            assert_eq!(refusal(*step, *status, body.as_bytes()).kind(), *kind, "{step:?} {status} {body}");
        }
    }

    #[test]
    fn a_missing_right_is_named() {
        assert_eq!(refusal(ReadUsers, 403, b"").context("right"), Some("users:read"));
    }

    #[test]
    fn the_body_is_never_shown() {
        for (step, status, ..) in TABLE {
            let shown = format!("{:?}", refusal(*step, *status, br#"{"code":"s3cr3t"}"#));
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
