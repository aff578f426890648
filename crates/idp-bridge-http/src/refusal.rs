//! Errors for statuses without an error body of the product.

use http::header::CONTENT_TYPE;
use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::{InvalidResponse, RateLimited, Unavailable};

use crate::response::Response;

/// Returns the error for an unsuccessful status that the product does not document.
///
/// The error is never about the user or the credentials. A connector interprets 401, 403 and 404 by the response's body.
pub fn status_error(status: u16) -> Error {
    match status {
        408 | 425 => Error::upstream(Unavailable, "the identity provider, or a proxy in front of it, did not wait"),
        429 => Error::upstream(
            RateLimited,
            "the rate limit of the identity provider, or of a proxy in front of it, is exceeded",
        ),
        500.. => Error::upstream(Unavailable, "the identity provider, or a proxy in front of it, failed"),
        300..=399 => Error::upstream(InvalidResponse, "the identity provider redirects")
            .with_hint("set the URL that it redirects to, if it belongs to the identity provider"),
        _ => Error::upstream(InvalidResponse, "the identity provider answered with an unexpected status"),
    }
}

/// Returns the error for a refusal without the product's error body, sent by a gateway, a firewall or another server.
///
/// The error is never about the user, the token or the credentials.
pub(crate) fn foreign(response: &Response) -> Error {
    let status = response.status.as_u16();
    let error = match status {
        400..=499 if !matches!(status, 408 | 425 | 429) => {
            Error::upstream(InvalidResponse, "something in front of the identity provider refused the request")
                .with_hint(HINT)
                .with("content_type", content_type(response))
        }
        _ => status_error(status),
    };
    error.with("status", status.to_string()).with_retry_after(response.retry_after())
}

/// Returns the `Unavailable` error for a foreign refusal of a request with a user's token, so that the caller can retry.
pub(crate) fn foreign_to_token(response: &Response) -> Error {
    Error::upstream(Unavailable, "something in front of the identity provider refused the request")
        .with_hint(HINT)
        .with("content_type", content_type(response))
        .with("status", response.status.as_u16().to_string())
        .with_retry_after(response.retry_after())
}

const HINT: &str = "check the URLs in the settings, and the rules of proxies, gateways and firewalls in front of the identity provider";

/// Returns the media type for the log: `none` if the header is missing, `unreadable` if its value is not a media type.
fn content_type(response: &Response) -> String {
    if !response.headers.contains_key(CONTENT_TYPE) {
        return "none".to_owned();
    }
    let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    let media_type = response.media_type().unwrap_or_default();
    if media_type.is_empty() || media_type.len() > 64 || !media_type.bytes().all(is_type) {
        return "unreadable".to_owned();
    }
    media_type
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn status_alone_says_nothing_about_users() {
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
    fn foreign_refusal_contains_status_and_type() {
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
