//! An identity provider's answer, read whole.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::jiff::fmt::rfc2822::DateTimeParser;
use idp_bridge_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::refusal::{foreign, foreign_to_token};
use crate::{json, status_error};

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
    /// Creates an answer, for tests of how a connector reads one.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into(), reset: None }
    }

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

    /// Returns the answer if its status is a success, otherwise the error that `classify` makes of the product's own words.
    ///
    /// `W` is the shape of the product's error bodies. A refusal with another body did not come from the product: a gateway, a
    /// firewall or another server sent it, so that it says nothing about users and credentials. It is `InvalidResponse`, or what its
    /// status means to any server (a redirect, a rate limit, an outage). The status and the waiting time are added here.
    pub fn or_refusal<W: DeserializeOwned>(self, classify: impl FnOnce(u16, W) -> Error) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let words = self.refusal()?;
        Err(self.complete(classify(self.status.as_u16(), words)))
    }

    /// Does what [`or_refusal`](Self::or_refusal) does for userinfo, which is asked about one user's token.
    ///
    /// # Behavior
    ///
    /// - A `Bearer` challenge with 401, or one with `invalid_token` or `insufficient_scope`, or a body with one of these codes, is
    ///   `InvalidToken`.
    /// - A 401 without any of them, and without the product's own body, is `Unavailable`: it says nothing about the token.
    pub fn or_token_refusal<W: DeserializeOwned>(self, classify: impl FnOnce(u16, W) -> Error) -> Result<Self> {
        if self.refuses_token() {
            return Err(self.complete(Error::invalid_token("the identity provider refuses the token")));
        }
        if self.status == StatusCode::UNAUTHORIZED && serde_json::from_slice::<W>(&self.body).is_err() {
            return Err(foreign_to_token(&self));
        }
        self.or_refusal(classify)
    }

    /// Returns the answer if its status is a success, otherwise the error that its status means by itself.
    ///
    /// For documents that products publish, such as keys: for these no product has an error body of its own.
    pub fn or_status(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self.complete(status_error(self.status.as_u16())))
    }

    /// Returns the product's own words in a refusal; the error of a foreign refusal if its body has another shape.
    pub fn refusal<W: DeserializeOwned>(&self) -> Result<W> {
        // The cause is left out: serde's messages may quote the body.
        serde_json::from_slice(&self.body).map_err(|_| self.foreign_refusal())
    }

    /// Returns the error for a refusal that is not in the product's own words: a gateway, a firewall or another server sent it.
    ///
    /// It is never about the user, the token or the credentials. [`refusal`](Self::refusal) decides by a JSON body; this is for
    /// products with error bodies of another format.
    pub fn foreign_refusal(&self) -> Error {
        foreign(self)
    }

    /// Whether userinfo itself refused the token: with a challenge (RFC 6750, section 3) or, as some products do, with a body.
    fn refuses_token(&self) -> bool {
        #[derive(Deserialize)]
        struct OauthError {
            error: String,
        }
        let is_about_token = |error: &str| matches!(error, "invalid_token" | "insufficient_scope");
        let challenge = self.bearer_challenge();
        let body = || serde_json::from_slice::<OauthError>(&self.body).ok().map(|body| body.error);
        match self.status.as_u16() {
            // Dex and Hydra have words of their own for a bad token (November 2026).
            401 => {
                challenge.is_some()
                    || body().is_some_and(|error| {
                        is_about_token(&error) || matches!(error.as_str(), "access_denied" | "request_unauthorized")
                    })
            }
            400..=499 => challenge.and_then(|own| own.error).or_else(body).is_some_and(|error| is_about_token(&error)),
            _ => false,
        }
    }

    fn complete(&self, error: Error) -> Error {
        error.with("status", self.status.as_u16().to_string()).with_retry_after(self.retry_after())
    }

    /// Fails if there is a body where the identity provider never gives one: something else has answered.
    pub fn check_empty(&self) -> Result<()> {
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
        json::parse(&self.body).map_err(|fault| {
            Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not the expected JSON")
                .with("status", self.status.as_u16().to_string())
                .with("at", fault.place)
                .with("fault", fault.reason)
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

    /// The error body of some product.
    #[derive(Debug, Deserialize)]
    struct Words {
        code: String,
    }

    fn told(status: u16, words: Words) -> Error {
        Error::upstream(ErrorKind::RateLimited, format!("{status} {}", words.code))
    }

    #[test]
    fn own_refusal_gets_status_and_wait() {
        let refused = answer(&[(RETRY_AFTER, "7")], r#"{"code":"slow"}"#);
        let error = Response { status: StatusCode::TOO_MANY_REQUESTS, ..refused }.or_refusal(told).unwrap_err();
        assert_eq!((error.message(), error.context("status")), ("429 slow", Some("429")));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        for status in [300, 304, 400, 500].map(|code| StatusCode::from_u16(code).unwrap()) {
            assert!(Response { status, ..answer(&[], "") }.or_refusal(told).is_err(), "{status}");
        }
        assert_eq!(answer(&[], "body").or_refusal(told).unwrap().text(), Some("body"));
    }

    #[test]
    fn foreign_refusal_is_never_classified() {
        for (status, kind) in [
            (302, ErrorKind::InvalidResponse),
            (400, ErrorKind::InvalidResponse),
            (401, ErrorKind::InvalidResponse),
            (403, ErrorKind::InvalidResponse),
            (404, ErrorKind::InvalidResponse),
            (408, ErrorKind::Unavailable),
            (429, ErrorKind::RateLimited),
            (502, ErrorKind::Unavailable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            for body in ["", "<html>no</html>", r#"{"message":"no"}"#, r#"{"code":["no"]}"#, "[]", "\"no\""] {
                let refused = Response { status, ..answer(&[(RETRY_AFTER, "7")], body) };
                let error = refused.or_refusal(|_, _: Words| unreachable!()).unwrap_err();
                assert_eq!(error.kind(), kind, "{status} {body}");
                assert_eq!(error.context("status"), Some(status.as_str()));
                assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
            }
        }
    }

    #[test]
    fn only_the_products_word_refuses_a_token() {
        use ErrorKind::{InvalidResponse, InvalidToken, RateLimited, Unavailable};
        let bearer = Some(r#"Bearer realm="x", error="invalid_token""#);
        let basic = Some(r#"Basic realm="x", error="invalid_token""#);
        for (status, challenge, body, kind) in [
            (401, bearer, "", InvalidToken),
            (401, Some("Bearer"), "Unauthorized", InvalidToken),
            (401, Some(r#"error="invalid_token""#), "", InvalidToken),
            (401, None, r#"{"error":"invalid_token"}"#, InvalidToken),
            (401, None, r#"{"error":"access_denied"}"#, InvalidToken),
            (400, bearer, "", InvalidToken),
            (403, None, r#"{"error":"insufficient_scope"}"#, InvalidToken),
            (401, None, "", Unavailable),
            (401, None, "<html>no</html>", Unavailable),
            (401, None, r#"{"message":"Unauthorized"}"#, Unavailable),
            (401, basic, "", Unavailable),
            (401, None, r#"{"code":"x"}"#, RateLimited),
            (403, Some("Bearer"), "", InvalidResponse),
            (403, None, r#"{"error":"access_denied"}"#, InvalidResponse),
            (501, bearer, "", Unavailable),
        ] {
            let headers: Vec<_> = challenge.into_iter().map(|text| (http::header::WWW_AUTHENTICATE, text)).collect();
            let answer = Response { status: StatusCode::from_u16(status).unwrap(), ..answer(&headers, body) };
            let error = answer.or_token_refusal(told).unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {challenge:?} {body}");
        }
    }

    #[test]
    fn a_body_where_there_should_be_none_is_an_invalid_response_and_not_shown() {
        assert!(answer(&[], "").check_empty().is_ok());
        let error = answer(&[], "ada@acme.example").check_empty().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(!format!("{error:?}").contains("ada"), "{error:?}");
    }

    #[test]
    fn json_faults_name_fields_and_never_values_or_types() {
        for body in ["{\"age\": \"ada@acme.example\"}", "ada@acme.example", "", "{\"age\":"] {
            #[derive(Debug, serde::Deserialize)]
            struct Person {
                #[expect(dead_code, reason = "only read by serde")]
                age: u8,
            }
            let error = answer(&[], body).json::<Person>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
            assert!(error.context("at").is_some() && error.context("fault").is_some(), "{error}");
            assert!(!format!("{error} {error:?}").contains("Person"), "{error:?}");
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
