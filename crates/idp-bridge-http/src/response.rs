//! An identity provider's answer, read whole.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::jiff::fmt::rfc2822::DateTimeParser;
use idp_bridge_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use serde::de::DeserializeOwned;

/// The longest waiting time that is believed; so that no sum of times overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// An identity provider's answer of any status, with at most [`MAX_BODY`](crate::MAX_BODY) bytes of body.
///
/// `Debug` shows the status and the length alone.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Response {
    /// How long the identity provider asks to wait (`retry-after`, as seconds or as a date), at most a day.
    ///
    /// A date is read against the answer's own `date`, so that the two clocks need not agree.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // Only a number beyond u64 fails to parse here.
            return Some(text.parse().map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT));
        }
        let until = parse_date(text)?;
        let now = self.date().unwrap_or_else(|| SystemClock.now());
        let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        Some(wait.min(LONGEST_WAIT))
    }

    /// When the identity provider says that it answered.
    pub fn date(&self) -> Option<Timestamp> {
        parse_date(self.header(&DATE)?)
    }

    /// A header's value, if it is there and is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `InvalidResponse` if it is not the expected JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde's own message may quote the body, so that only the place of the fault is told.
            Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not the expected JSON")
                .with("status", self.status.as_u16().to_string())
                .with("expected", std::any::type_name::<T>())
                .with("fault", format!("{:?} at line {} column {}", error.classify(), error.line(), error.column()))
        })
    }

    /// The body as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.body).ok()
    }
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.body.len();
        f.debug_struct("Response").field("status", &self.status).field("length", &length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use http::HeaderValue;

    use super::*;

    fn answer(headers: &[(HeaderName, &'static str)], body: &'static str) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        Response { status: StatusCode::OK, headers, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_absurd() {
        let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
        let after = |value| answer(&[date.clone(), (RETRY_AFTER, value)], "").retry_after();
        let table = [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("86401", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (value, expected) in table {
            assert_eq!(after(value), expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(answer(&[], "").retry_after(), None);
    }

    #[test]
    fn a_retry_date_without_the_answers_own_is_read_against_our_clock() {
        let after = |value| answer(&[(RETRY_AFTER, value)], "").retry_after();
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(after("Sat, 06 Nov 2094 08:49:37 GMT"), Some(LONGEST_WAIT));
    }

    #[test]
    fn what_is_not_the_expected_json_is_told_without_the_body() {
        for body in ["{\"age\": \"ada@acme.example\"}", "ada@acme.example", "", "{\"age\":"] {
            #[derive(Debug, serde::Deserialize)]
            struct Person {
                #[expect(dead_code, reason = "only read by serde")]
                age: u8,
            }
            let error = answer(&[], body).json::<Person>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
            assert!(error.to_string().contains("Person"), "{error}");
            assert!(!format!("{error} {error:?}").contains("ada"), "{error:?}");
            assert!(error.source().is_none());
        }
    }

    #[test]
    fn debug_hides_headers_and_body() {
        let shown = format!("{:?}", answer(&[(DATE, "secret-header")], "secret-body"));
        assert_eq!(shown, "Response { status: 200, length: 11, .. }");
    }
}
