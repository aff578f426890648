//! What is read of a request before it is a call: its body, its media type and its own deadline.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use idp_bridge_protocol::{Code, MAX_BODY};

use crate::error::Refusal;
use crate::limits::ServerLimits;

/// The header with which a caller shortens the deadline.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// Reads a body of at most 16 KiB that comes within `limit`. A body that says that it is larger is not read at all.
pub(crate) async fn read_body<B>(body: B, limit: Duration) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let most = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(Refusal::new(Code::TooLarge));
    }
    match tokio::time::timeout(limit, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::new(Code::TooLarge)),
        Ok(Err(_)) => Err(Refusal::new(Code::InvalidRequest).with_detail("the body broke off")),
        Err(_) => Err(Refusal::new(Code::RequestTimeout)),
    }
}

/// Whether there is one media type, and it is JSON in UTF-8.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    is_media_type(headers, "application/json")
}

/// Whether there is one media type, and it is this one, in UTF-8 if it says how it is written.
pub(crate) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let Ok(Some(media_type)) = only(headers, &header::CONTENT_TYPE) else {
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

/// Returns how long the call may take: the tenant's deadline, or less if the caller asks for less.
///
/// A value that is not a positive whole number is refused: a write would otherwise run longer than its caller waits.
pub(crate) fn timeout(headers: &HeaderMap, deadline: Duration) -> Result<Duration, Refusal> {
    let detail = "`x-request-timeout-ms` is not a positive whole number of milliseconds";
    let refusal = || Refusal::invalid("x-request-timeout-ms", detail);
    let Some(text) = only(headers, &TIMEOUT).map_err(|()| refusal())? else {
        return Ok(deadline);
    };
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refusal());
    }
    // What is too large for the type is longer than any deadline, too.
    Ok(text.parse().map_or(deadline, |millis| deadline.min(Duration::from_millis(millis))))
}

/// Returns how long the body of a call may take that has this deadline, unless its caller asks for less.
///
/// A timeout that cannot be read is refused later, when it is known who calls.
pub(crate) fn body_timeout(headers: &HeaderMap, deadline: Duration, limits: &ServerLimits) -> Duration {
    timeout(headers, deadline).unwrap_or(deadline).min(limits.body)
}

/// The value of a header that is there at most once; an error if it is there twice or is no text.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn json_is_one_media_type_in_utf_8() {
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
    fn a_caller_shortens_the_deadline_and_never_extends_it() {
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
