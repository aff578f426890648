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
    /// The header that names the end of a rate limit, if the request said that there is one.
    pub(crate) reset: Option<HeaderName>,
}

impl Response {
    /// How long the identity provider asks to wait (`retry-after`, as seconds or as a date), at most a day.
    ///
    /// For a 429 without it, until the time in the header that the request named with
    /// [`rate_limit_reset`](crate::Request::rate_limit_reset).
    /// A time is read against the answer's own `date`, so that the two clocks need not agree.
    pub fn retry_after(&self) -> Option<Duration> {
        self.asked_wait().or_else(|| self.until_reset())
    }

    fn asked_wait(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?.trim();
        if is_number(text) {
            // Only a number beyond u64 fails to parse here.
            return Some(text.parse().map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT));
        }
        Some(self.until(parse_date(text)?))
    }

    fn until_reset(&self) -> Option<Duration> {
        // The header is there in good answers too, where it asks for nothing.
        let header = self.reset.as_ref().filter(|_| self.status == StatusCode::TOO_MANY_REQUESTS)?;
        let text = self.header(header)?.trim();
        let seconds = is_number(text).then(|| text.parse().unwrap_or(i64::MAX))?;
        Some(Timestamp::from_second(seconds).map_or(LONGEST_WAIT, |time| self.until(time)))
    }

    fn until(&self, time: Timestamp) -> Duration {
        let now = self.date().unwrap_or_else(|| SystemClock.now());
        Duration::try_from(time.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
    }

    /// When the identity provider says that it answered.
    pub fn date(&self) -> Option<Timestamp> {
        parse_date(self.header(&DATE)?)
    }

    /// A header's value, if it is there and is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The answer if its status is a success, otherwise what `refusal` makes of its status and body.
    ///
    /// Its part is to know what they mean, with [`refused`](crate::refused()) for the rest; the status and how long to wait are added
    /// here.
    pub fn or_refusal(self, refusal: impl FnOnce(u16, &[u8]) -> Error) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let status = self.status.as_u16();
        let error = refusal(status, &self.body).with("status", status.to_string());
        Err(error.with_retry_after(self.retry_after()))
    }

    /// Fails if there is a body where the identity provider never gives one: something else has answered.
    pub fn must_be_empty(&self) -> Result<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(Error::upstream(
            ErrorKind::InvalidResponse,
            "the answer has a body, which the identity provider's never has",
        ))
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

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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
        Response { status: StatusCode::OK, headers, body: Bytes::from_static(body.as_bytes()), reset: None }
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
    fn the_end_of_a_rate_limit_counts_for_a_429_without_retry_after() {
        const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
        let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
        let limited = |headers: &[(HeaderName, &'static str)]| {
            let headers: Vec<_> = headers.iter().chain([&date]).cloned().collect();
            Response { status: StatusCode::TOO_MANY_REQUESTS, reset: Some(RESET), ..answer(&headers, "") }
        };
        let table = [
            ("784111787", Some(10)),
            ("784111700", Some(0)),
            ("4102444800", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
        ];
        for (value, expected) in table {
            assert_eq!(limited(&[(RESET, value)]).retry_after(), expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(limited(&[(RESET, "784111787"), (RETRY_AFTER, "7")]).retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(limited(&[]).retry_after(), None);
        let served = Response { status: StatusCode::OK, ..limited(&[(RESET, "784111787")]) };
        assert_eq!(served.retry_after(), None);
        let unnamed = Response { reset: None, ..limited(&[(RESET, "784111787")]) };
        assert_eq!(unnamed.retry_after(), None);
    }

    #[test]
    fn a_refusal_gets_the_status_and_how_long_to_wait_and_a_success_stays() {
        let told = |status, body: &[u8]| Error::upstream(ErrorKind::RateLimited, format!("{status} {}", body.len()));
        let refused = Response { status: StatusCode::TOO_MANY_REQUESTS, ..answer(&[(RETRY_AFTER, "7")], "body") };
        let error = refused.or_refusal(told).unwrap_err();
        assert_eq!((error.message(), error.context("status")), ("429 4", Some("429")));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        for status in [300, 304, 400, 500].map(|code| StatusCode::from_u16(code).unwrap()) {
            assert!(Response { status, ..answer(&[], "") }.or_refusal(told).is_err(), "{status}");
        }
        assert_eq!(answer(&[], "body").or_refusal(told).unwrap().text(), Some("body"));
    }

    #[test]
    fn a_body_where_there_should_be_none_is_an_invalid_response_and_not_shown() {
        assert!(answer(&[], "").must_be_empty().is_ok());
        let error = answer(&[], "ada@acme.example").must_be_empty().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(!format!("{error:?}").contains("ada"), "{error:?}");
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
