//! Reads parts of a request: body, media type, timeout, bearer token and percent-encoded text.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use idp_bridge_core::TenantId;
use idp_bridge_protocol::{Code, MAX_BODY};
use percent_encoding::percent_decode_str;

use crate::error::Refusal;
use crate::origin::RequestOrigin;

/// A request to a tenant, before its body is read.
pub(crate) struct TenantRequest<'a> {
    pub(crate) origin: RequestOrigin,
    /// The tenant of the path, which may not exist.
    pub(crate) tenant: TenantId,
    pub(crate) head: &'a Parts,
    pub(crate) body: Incoming,
}

/// The error for a header that is repeated or not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidHeader;

/// The header with which a caller shortens the deadline.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Reads a body of at most 16 KiB within a time limit. A body with a larger declared size is not read at all.
pub(crate) async fn read_body<B>(body: B, limit: Duration) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let max = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    if body.size_hint().lower() > max {
        return Err(Refusal::new(Code::TooLarge));
    }
    match tokio::time::timeout(limit, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(Code::TooLarge)),
        Ok(Err(_)) => Err(Refusal::new(Code::InvalidRequest).with_detail("the body broke off")),
        Err(_) => Err(Refusal::new(Code::RequestTimeout)),
    }
}

/// Returns whether the media type is JSON in UTF-8.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is_media_type(headers, "application/json")
}

/// Returns whether the one `content-type` is this media type, with no charset other than UTF-8.
pub(crate) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let Ok(Some(media_type)) = single_header(headers, &header::CONTENT_TYPE) else {
        return false;
    };
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf_8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    essence.eq_ignore_ascii_case(expected) && parts.all(is_utf_8)
}

/// Returns the time limit of a call: the tenant's deadline, or less if the caller requests less.
///
/// Refuses a value that is not a positive whole number, since a write could run longer than its caller waits.
pub(crate) fn timeout(headers: &HeaderMap, deadline: Duration) -> Result<Duration, Refusal> {
    let detail = "`x-request-timeout-ms` is not a positive whole number of milliseconds";
    let refusal = || Refusal::invalid("x-request-timeout-ms", detail);
    let Some(text) = single_header(headers, &TIMEOUT).map_err(|_| refusal())? else {
        return Ok(deadline);
    };
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refusal());
    }
    // A value that overflows is longer than any deadline.
    Ok(text.parse().map_or(deadline, |millis| deadline.min(Duration::from_millis(millis))))
}

/// Returns the value of a header that may occur at most once.
pub(crate) fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, InvalidHeader> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| InvalidHeader),
        (Some(_), Some(_)) => Err(InvalidHeader),
    }
}

/// Returns the bearer token of the `authorization` header, which may be empty.
///
/// Returns `None` without the header, and for another authentication scheme.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, InvalidHeader> {
    let Some(authorization) = single_header(headers, &header::AUTHORIZATION)? else {
        return Ok(None);
    };
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(token))
}

/// Decodes percent-encoded UTF-8. Returns `None` for other text and for a `%` that begins no escape.
pub(crate) fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_encoded = text.split('%').skip(1).all(is_escape);
    percent_decode_str(text).decode_utf8().ok().filter(|_| is_encoded)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_a_single_utf_8_media_type() {
        let is = |values: &[&'static str]| is_json(&headers(header::CONTENT_TYPE, values));
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\";x=y"] {
            assert!(is(&[good]), "{good}");
        }
        for bad in ["", "text/plain", "application/jsonp", "application/json; charset=latin1", "text/json"] {
            assert!(!is(&[bad]), "{bad}");
        }
        assert!(!is(&[]) && !is(&["application/json", "application/json"]));
    }

    #[test]
    fn timeout_header_only_shortens_the_deadline() {
        let of = |values: &[&'static str]| timeout(&headers(TIMEOUT, values), Duration::from_secs(4));
        assert_eq!(of(&[]).unwrap(), Duration::from_secs(4));
        assert_eq!(of(&["250"]).unwrap(), Duration::from_millis(250));
        for long in ["999999999", "1000000000", "18446744073709551616", &"9".repeat(1000)] {
            let header = HeaderMap::from_iter([(TIMEOUT, HeaderValue::from_str(long).unwrap())]);
            assert_eq!(timeout(&header, Duration::from_secs(4)).unwrap(), Duration::from_secs(4));
        }
        for bad in ["", "0", "01", "-1", "+1", "1.5", "1s", "1e3", " "] {
            assert_eq!(of(&[bad]).unwrap_err().code(), Code::InvalidRequest, "{bad:?}");
        }
        assert!(of(&["1", "1"]).is_err());
    }
}
