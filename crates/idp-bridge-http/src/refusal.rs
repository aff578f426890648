//! What a status means by itself, and what it means if the identity provider did not send it.

use http::header::CONTENT_TYPE;
use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::{InvalidResponse, RateLimited, Unavailable};

use crate::response::Response;

/// The error that a status without success means where a product has no word of its own about it.
///
/// It is never about the user or the credentials: what 401, 403 and 404 mean is for a connector to know, from the answer's body.
pub fn status_error(status: u16) -> Error {
    match status {
        408 | 425 => Error::upstream(Unavailable, "the identity provider, or a proxy before it, did not wait"),
        429 => Error::upstream(RateLimited, "the identity provider, or a proxy before it, asks to slow down"),
        500.. => Error::upstream(Unavailable, "the identity provider, or a proxy before it, failed"),
        300..=399 => Error::upstream(InvalidResponse, "the identity provider redirects")
            .with_hint("set the URL that it redirects to, if it is the identity provider's own"),
        _ => Error::upstream(InvalidResponse, "the identity provider answered with an unexpected status"),
    }
}

/// Returns the error for a refusal that is not in the product's own words, so that a gateway, a firewall or another server sent it.
///
/// It is never about the user, the token or the credentials.
pub(crate) fn foreign(answer: &Response) -> Error {
    let status = answer.status.as_u16();
    let error = match status {
        400..=499 if !matches!(status, 408 | 425 | 429) => {
            Error::upstream(InvalidResponse, "something in front of the identity provider refused the request")
                .with_hint(HINT)
                .with("content_type", content_type(answer))
        }
        _ => status_error(status),
    };
    error.with("status", status.to_string()).with_retry_after(answer.retry_after())
}

/// Returns the same error where only the token of a user was shown: the caller may try again, and the token stays good.
pub(crate) fn foreign_to_token(answer: &Response) -> Error {
    Error::upstream(Unavailable, "something in front of the identity provider refused the request")
        .with_hint(HINT)
        .with("content_type", content_type(answer))
        .with("status", answer.status.as_u16().to_string())
        .with_retry_after(answer.retry_after())
}

const HINT: &str =
    "check the URLs in the settings, and what a proxy, gateway or firewall on the way to the identity provider refuses";

/// The media type without parameters; `none` if there is none, and `unreadable` for what is no media type.
fn content_type(answer: &Response) -> String {
    let Some(value) = answer.headers.get(CONTENT_TYPE) else { return "none".to_owned() };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    if essence.is_empty() || essence.len() > 64 || !essence.bytes().all(is_type) {
        return "unreadable".to_owned();
    }
    essence.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn a_status_alone_says_who_must_wait_and_nothing_about_users() {
        for (statuses, kind) in [
            (&[429][..], RateLimited),
            (&[408, 425, 500, 502, 503, 599, 999], Unavailable),
            (&[204, 301, 308, 400, 401, 403, 404, 418, 499], InvalidResponse),
        ] {
            for status in statuses {
                assert_eq!(status_error(*status).kind(), kind, "{status}");
            }
        }
        assert!(status_error(302).hint().is_some());
    }

    #[test]
    fn foreign_refusal_shows_status_and_type() {
        for (header, shown) in [
            (Some("text/HTML; charset=utf-8"), "text/html"),
            (Some("ada@acme.example"), "unreadable"),
            (Some(""), "unreadable"),
            (None, "none"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(header));
            }
            let error = foreign(&Response::new(StatusCode::FORBIDDEN, headers, "<p>ada@acme.example</p>"));
            assert_eq!(error.kind(), InvalidResponse);
            assert_eq!((error.context("status"), error.context("content_type")), (Some("403"), Some(shown)));
            assert!(!format!("{error:?}").contains("ada@"), "{error:?}");
        }
    }
}
