//! The trace that a request belongs to (W3C Trace Context, level 1).

use std::fmt;

use http::{HeaderMap, HeaderName};

/// The header with the caller's trace.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of a trace: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceId(String);

impl TraceId {
    /// Returns the trace id of the one valid `traceparent`.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::parse(value.to_str().ok()?)
    }

    /// Parses the value of a `traceparent`. Later versions may append fields.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let mut hex = |length| fields.next().filter(|field| is_hex(field, length));
        let (version, trace, parent, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let is_complete = version != "00" || fields.next().is_none();
        let is_set = |id: &str| id.bytes().any(|digit| digit != b'0');
        (version != "ff" && is_complete && is_set(trace) && is_set(parent)).then(|| Self(trace.to_owned()))
    }

    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether a text consists of this number of lower-case hexadecimal digits.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn trace_id_of_valid_header_is_returned() {
        for good in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("01-{TRACE}-00f067aa0ba902b7-01-more"),
        ] {
            assert_eq!(TraceId::parse(&good).unwrap().as_str(), TRACE, "{good}");
        }
    }

    #[test]
    fn invalid_header_is_ignored() {
        for bad in [
            "",
            TRACE,
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}x-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(TraceId::parse(bad), None, "{bad}");
        }
        let valid = HeaderValue::from_str(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        let mut headers = HeaderMap::from_iter([(TRACEPARENT, valid.clone())]);
        assert!(TraceId::from_headers(&headers).is_some());
        headers.append(TRACEPARENT, valid);
        assert_eq!(TraceId::from_headers(&headers), None, "two headers");
    }
}
