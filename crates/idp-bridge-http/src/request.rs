//! Requests to an identity provider.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use idp_bridge_core::{Error, ErrorKind, Result, Secret};
use serde::Serialize;
use url::form_urlencoded::Serializer;

use crate::request_url::RequestUrl;
use crate::response::Response;

/// Whether a request changes data. Decides about retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes no data. Sent up to three times.
    Read,
    /// Changes data. Sent again only if it was not executed (no connection, or a 429).
    Write,
}

/// A request to an identity provider.
///
/// `Debug` prints only the method and the effect, because the other parts contain ids, addresses and secrets.
#[derive(Clone)]
pub struct Request {
    /// Boxed, since the futures of a call pass the request on, and each of them has its own space for it.
    pub(crate) parts: Box<Parts>,
}

/// The parts of a request.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) url: RequestUrl,
    pub(crate) effect: Effect,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Body>,
    pub(crate) reset: Option<HeaderName>,
    pub(crate) classify: Option<fn(&Response) -> StatusCode>,
}

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Body {
    /// Identical in all attempts.
    Fixed(Bytes),
    /// Built for each attempt.
    PerAttempt(Arc<dyn Fn() -> Result<Bytes> + Send + Sync>),
}

impl Body {
    /// Returns the bytes for one attempt.
    pub(crate) fn build(&self) -> Result<Bytes> {
        match self {
            Self::Fixed(bytes) => Ok(bytes.clone()),
            Self::PerAttempt(build) => build(),
        }
    }
}

impl Request {
    /// Creates a `GET` request, a read.
    pub fn get(url: impl Into<RequestUrl>) -> Self {
        Self::new(Method::GET, url.into(), Effect::Read)
    }

    /// Creates a `PUT` request, a write.
    pub fn put(url: impl Into<RequestUrl>) -> Self {
        Self::new(Method::PUT, url.into(), Effect::Write)
    }

    /// Creates a `PATCH` request, a write.
    pub fn patch(url: impl Into<RequestUrl>) -> Self {
        Self::new(Method::PATCH, url.into(), Effect::Write)
    }

    /// Creates a `POST` request, a write unless marked as [`read_only`](Self::read_only).
    pub fn post(url: impl Into<RequestUrl>) -> Self {
        Self::new(Method::POST, url.into(), Effect::Write)
    }

    /// Creates a `DELETE` request, a write.
    pub fn delete(url: impl Into<RequestUrl>) -> Self {
        Self::new(Method::DELETE, url.into(), Effect::Write)
    }

    fn new(method: Method, url: RequestUrl, effect: Effect) -> Self {
        let headers = HeaderMap::new();
        Self { parts: Box::new(Parts { method, url, effect, headers, body: None, reset: None, classify: None }) }
    }

    /// Marks the request as a read, such as a token request or an introspection.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.parts.effect = Effect::Read;
        self
    }

    /// Appends pairs to the query, form-encoded: a space becomes `+`, a plus becomes `%2B`.
    #[must_use]
    pub fn query<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: &[(N, V)]) -> Self {
        if !pairs.is_empty() {
            self.parts.url.extend_query(pairs);
        }
        self
    }

    /// Sets a JSON body. Fails with `Unexpected` if the value cannot be serialized.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self> {
        // Without the source: serde's messages may contain the value.
        let body = serde_json::to_vec(value)
            .map_err(|_| Error::ours(ErrorKind::Unexpected, "a request body cannot be written as JSON"))?;
        Ok(self.with_body("application/json", Body::Fixed(body.into())))
    }

    /// Sets a form body.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        self.with_body(FORM, Body::Fixed(form_encoded(pairs)))
    }

    /// Sets a form body that is built for each attempt, for values that may be sent only once, such as a client assertion.
    ///
    /// An error of `build` ends the request before the attempt is sent.
    #[must_use]
    pub fn form_with(self, build: impl Fn() -> Result<Vec<(&'static str, String)>> + Send + Sync + 'static) -> Self {
        self.with_body(FORM, Body::PerAttempt(Arc::new(move || Ok(form_encoded(&build()?)))))
    }

    /// Sets the body. Add the content type with [`header`](Self::header).
    #[must_use]
    pub fn bytes(mut self, body: Bytes) -> Self {
        self.parts.body = Some(Body::Fixed(body));
        self
    }

    fn with_body(mut self, content_type: &'static str, body: Body) -> Self {
        self.parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.parts.body = Some(body);
        self
    }

    /// Sets a bearer token. Fails with `InvalidResponse` if a header cannot contain it.
    pub fn bearer(self, token: &Secret) -> Result<Self> {
        Ok(self.header(AUTHORIZATION, bearer(token)?))
    }

    /// Sets a user name and a password (HTTP Basic).
    ///
    /// RFC 6749 requires client id and secret to be form-encoded first. Some products deviate, so the connector must do it.
    pub fn basic(self, user: &str, password: &Secret) -> Result<Self> {
        let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
        Ok(self.header(AUTHORIZATION, sensitive(&format!("Basic {pair}"))?))
    }

    /// Sets a header, and replaces other values of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.parts.headers.insert(name, value);
        self
    }

    /// Sets the name of the response header with the end of a rate limit, in seconds since 1970.
    ///
    /// Used for a 429 without `retry-after`: see [`Response::retry_after`](crate::Response::retry_after).
    #[must_use]
    pub fn rate_limit_reset(mut self, header: HeaderName) -> Self {
        self.parts.reset = Some(header);
        self
    }

    /// Sets a function that returns the effective status of a response, for APIs that report errors in the body.
    ///
    /// The effective status decides about retries and about the recorded outcome of a write. The response keeps its own status.
    #[must_use]
    pub fn classify_with(mut self, classify: fn(&Response) -> StatusCode) -> Self {
        self.parts.classify = Some(classify);
        self
    }

    /// Returns the effective status of a response to this request.
    pub(crate) fn effective_status(&self, response: &Response) -> StatusCode {
        self.parts.classify.map_or(response.status, |classify| classify(response))
    }
}

/// Returns the `authorization` header of a bearer token. Fails with `InvalidResponse` if a header cannot contain it.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::upstream(ErrorKind::InvalidResponse, "a credential has characters that are not allowed in a header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form_encoded<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Bytes {
    let pairs = pairs.iter().map(|(name, value)| (name, value));
    Serializer::new(String::new()).extend_pairs(pairs).finish().into()
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.parts.method)
            .field("effect", &self.parts.effect)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn url() -> Url {
        "https://idp.example/users".parse().unwrap()
    }

    #[test]
    fn query_pairs_are_form_encoded_and_appended() {
        let request =
            Request::get(url()).query(&[("email", "a+b c@d&e=f#g")]).query::<&str, &str>(&[]).query(&[("max", "2")]);
        assert_eq!(request.parts.url.target(), "/users?email=a%2Bb+c%40d%26e%3Df%23g&max=2");
    }

    #[test]
    fn only_get_and_read_only_requests_are_reads() {
        assert_eq!(Request::get(url()).parts.effect, Effect::Read);
        for write in [Request::put(url()), Request::patch(url()), Request::post(url()), Request::delete(url())] {
            assert_eq!(write.parts.effect, Effect::Write);
        }
        assert_eq!(Request::post(url()).read_only().parts.effect, Effect::Read);
    }

    #[test]
    fn credentials_are_sensitive_and_hidden() {
        let secret = Secret::new("hunter2");
        for request in [
            Request::get(url()).bearer(&secret).unwrap(),
            Request::get(url()).basic("me", &secret).unwrap(),
            Request::post(url()).form(&[("password", "hunter2")]).query(&[("token", "hunter2")]),
        ] {
            assert!(request.parts.headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_sensitive));
            assert!(!format!("{request:?}").contains("hunter2"));
        }
        let basic = Request::get(url()).basic("me", &secret).unwrap();
        assert_eq!(basic.parts.headers[AUTHORIZATION], "Basic bWU6aHVudGVyMg==");
    }

    #[test]
    fn invalid_token_characters_are_rejected_and_hidden() {
        let error = Request::get(url()).bearer(&Secret::new("hunter2\r\nx: y")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn body_sets_the_content_type() {
        let json = Request::put(url()).json(&[1, 2]).unwrap();
        assert_eq!(
            (json.parts.headers[CONTENT_TYPE].as_bytes(), json.parts.body.unwrap().build().unwrap().as_ref()),
            (&b"application/json"[..], &b"[1,2]"[..])
        );
        let form = Request::post(url()).form(&[("a", "b c"), ("d", "é&")]);
        assert_eq!(form.parts.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(form.parts.body.unwrap().build().unwrap(), "a=b+c&d=%C3%A9%26");
    }
}
