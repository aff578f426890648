//! Responses of an identity provider.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::jiff::fmt::rfc2822::DateTimeParser;
use idp_bridge_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::refusal::{foreign, foreign_to_token};
use crate::{json, status_error};

/// The maximum accepted `retry-after`.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A response of any status, with a body of at most [`MAX_BODY`](crate::MAX_BODY) bytes.
///
/// `Debug` prints only the status and the length.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The complete body.
    pub body: Bytes,
    /// The name of the header with the end of a rate limit.
    pub(crate) reset: Option<HeaderName>,
}

impl Response {
    /// Creates a response, for tests.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into(), reset: None }
    }

    /// Returns the time to wait before a retry (`retry-after`, in seconds or as a date), at most a day.
    ///
    /// A 429 without it uses the header set with [`rate_limit_reset`](crate::Request::rate_limit_reset).
    /// Dates are compared with the response's own `date`, so that differences between the clocks do not matter.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_header().or_else(|| self.until_reset())
    }

    fn retry_after_header(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?.trim();
        if is_number(text) {
            // Only a number beyond u64 fails to parse here.
            return Some(text.parse().map_or(LONGEST_WAIT, Duration::from_secs).min(LONGEST_WAIT));
        }
        Some(self.until(parse_date(text)?))
    }

    fn until_reset(&self) -> Option<Duration> {
        // Successful responses have the header too.
        let header = self.reset.as_ref().filter(|_| self.status == StatusCode::TOO_MANY_REQUESTS)?;
        let text = self.header(header)?.trim();
        let seconds = is_number(text).then(|| text.parse().unwrap_or(i64::MAX))?;
        Some(Timestamp::from_second(seconds).map_or(LONGEST_WAIT, |time| self.until(time)))
    }

    fn until(&self, time: Timestamp) -> Duration {
        let now = self.date().unwrap_or_else(|| SystemClock.now());
        Duration::try_from(time.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
    }

    /// Returns the value of the `date` header.
    pub fn date(&self) -> Option<Timestamp> {
        parse_date(self.header(&DATE)?)
    }

    /// Returns the value of a header, if it is visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the media type in lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let media_type = self.header(&CONTENT_TYPE)?.split(';').next().unwrap_or_default();
        Some(media_type.trim().to_ascii_lowercase())
    }

    /// Returns the response if it is successful, otherwise the error that `classify` returns for the product's error body.
    ///
    /// # Behavior
    ///
    /// - A redirect, a rate limit and an outage are the errors of their [status](status_error), with any body.
    /// - `B` is the type of the product's error bodies. Any other response with another body was sent by a gateway, a firewall or
    ///   another server, says nothing about users and credentials, and is `InvalidResponse`.
    /// - The status and the retry hint are added to every error.
    pub fn or_refusal<B: DeserializeOwned>(self, classify: impl FnOnce(u16, B) -> Error) -> Result<Self> {
        let status = self.status.as_u16();
        if self.status.is_success() || matches!(status, 300..=399 | 429 | 500..) {
            return self.or_status();
        }
        let body = self.refusal()?;
        Err(self.complete(classify(status, body)))
    }

    /// Like [`or_refusal`](Self::or_refusal), for a userinfo response.
    ///
    /// # Behavior
    ///
    /// - A 401 with a `Bearer` challenge, and a challenge or body with `invalid_token` or `insufficient_scope`, is `InvalidToken`.
    /// - A 401 with none of them and without the product's error body is `Unavailable`: the token may be valid.
    pub fn or_token_refusal<B: DeserializeOwned>(self, classify: impl FnOnce(u16, B) -> Error) -> Result<Self> {
        if self.rejects_token() {
            return Err(self.complete(Error::invalid_token("the identity provider rejects the token")));
        }
        if self.status == StatusCode::UNAUTHORIZED && serde_json::from_slice::<B>(&self.body).is_err() {
            return Err(foreign_to_token(&self));
        }
        self.or_refusal(classify)
    }

    /// Returns the response if it is successful, otherwise the error of its status.
    ///
    /// For published documents, such as keys, which have no error bodies.
    pub fn or_status(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self.complete(status_error(self.status.as_u16())))
    }

    /// Parses the product's error body. Fails with [`foreign_refusal`](Self::foreign_refusal) for another body.
    pub fn refusal<B: DeserializeOwned>(&self) -> Result<B> {
        // Without the source: serde's messages may contain the body.
        serde_json::from_slice(&self.body).map_err(|_| self.foreign_refusal())
    }

    /// Returns the error for a refusal without the product's error body, sent by a gateway, a firewall or another server.
    ///
    /// The error is never about the user, the token or the credentials. Use this for products whose error bodies are not JSON,
    /// otherwise [`refusal`](Self::refusal).
    pub fn foreign_refusal(&self) -> Error {
        foreign(self)
    }

    /// Returns whether the product rejected the token, by a challenge (RFC 6750, section 3) or a body.
    fn rejects_token(&self) -> bool {
        #[derive(Deserialize)]
        struct OauthError {
            error: String,
        }
        let is_about_token = |error: &str| matches!(error, "invalid_token" | "insufficient_scope");
        let challenge = self.bearer_challenge();
        let body = || serde_json::from_slice::<OauthError>(&self.body).ok().map(|body| body.error);
        match self.status.as_u16() {
            // Dex sends `access_denied` for an invalid token, and Ory's fosite has `request_unauthorized` (its `errors.go`),
            // both read in November 2026.
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

    /// Checks that the body is empty. Fails with `InvalidResponse` otherwise, because another server has answered.
    pub fn check_empty(&self) -> Result<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(Error::upstream(
            ErrorKind::InvalidResponse,
            "the answer has a body, but the identity provider's is always empty",
        ))
    }

    /// Parses the body as JSON. Fails with `InvalidResponse` if it is not the expected JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        json::parse(&self.body).map_err(|fault| {
            Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not the expected JSON")
                .with("status", self.status.as_u16().to_string())
                .with("at", fault.place)
                .with("fault", fault.reason)
        })
    }

    /// Returns the body as text, if it is UTF-8.
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
mod tests;
