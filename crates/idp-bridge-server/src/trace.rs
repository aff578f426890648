//! The trace that a request belongs to (W3C Trace Context, level 1).

use http::{HeaderMap, HeaderName};
use idp_bridge_core::TraceContext;

/// The header with the caller's trace.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Returns the trace of the one valid `traceparent`.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    TraceContext::parse(value.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_header_is_accepted() {
        let valid = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let mut headers = HeaderMap::from_iter([(TRACEPARENT, valid.clone())]);
        assert!(from_headers(&headers).is_some_and(TraceContext::is_sampled));
        headers.append(TRACEPARENT, valid);
        assert_eq!(from_headers(&headers), None, "two headers");
    }
}
