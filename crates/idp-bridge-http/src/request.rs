//! A request to an identity provider, and whether it may be sent twice.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use idp_bridge_core::{Error, ErrorKind, Result, Secret};
use serde::Serialize;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::response::Response;

/// Whether a request changes something, which decides when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing: sent up to three times.
    Read,
    /// It changes something: sent again only if it surely did not run (no connection, 429).
    Write,
}

/// A request to an identity provider.
///
/// `Debug` shows the method and the effect alone, since path, query, headers and body hold ids, addresses and secrets.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) effect: Effect,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Body>,
    pub(crate) reset: Option<HeaderName>,
    pub(crate) judge: Option<fn(&Response) -> StatusCode>,
}

/// What a request sends.
#[derive(Clone)]
pub(crate) enum Body {
    /// The same with each attempt.
    Fixed(Bytes),
    /// Made anew for each attempt.
    Anew(Arc<dyn Fn() -> Result<Bytes> + Send + Sync>),
}

impl Body {
    /// What the next attempt sends.
    pub(crate) fn next(&self) -> Result<Bytes> {
        match self {
            Self::Fixed(bytes) => Ok(bytes.clone()),
            Self::Anew(make) => make(),
        }
    }
}

impl Request {
    /// A `GET`, which is a read.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url, Effect::Read)
    }

    /// A `PUT`, which is a write.
    pub fn put(url: Url) -> Self {
        Self::new(Method::PUT, url, Effect::Write)
    }

    /// A `PATCH`, which is a write.
    pub fn patch(url: Url) -> Self {
        Self::new(Method::PATCH, url, Effect::Write)
    }

    /// A `POST`, which is a write unless it is said to be [(Self::read_only).
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url, Effect::Write)
    }

    /// A `DELETE`, which is a write.
    pub fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url, Effect::Write)
    }

    fn new(method: Method, url: Url, effect: Effect) -> Self {
        Self { method, url, effect, headers: HeaderMap::new(), body: None, reset: None, judge: None }
    }

    /// The same, known to change nothing: a token request, an introspection.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.effect = Effect::Read;
        self
    }

    /// The same with these pairs appended to the query, form-encoded: a space is `+` and a plus is `%2B`.
    #[must_use]
    pub fn query<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: &[(N, V)]) -> Self {
        if !pairs.is_empty() {
            self.url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// The same with a JSON body; `Unexpected` if the value cannot be written as JSON.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self> {
        // The cause is left out: serde's messages may quote the value.
        let body = serde_json::to_vec(value)
            .map_err(|_| Error::ours(ErrorKind::Unexpected, "a request body cannot be written as JSON"))?;
        Ok(self.with_body("application/json", Body::Fixed(body.into())))
    }

    /// The same with a form as the body.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        self.with_body(FORM, Body::Fixed(form_encoded(pairs)))
    }

    /// The same with a form that is made anew for each attempt: for what may be sent only once, such as a client assertion.
    ///
    /// An error of `make` ends the request before the attempt is sent.
    #[must_use]
    pub fn form_with(self, make: impl Fn() -> Result<Vec<(&'static str, String)>> + Send + Sync + 'static) -> Self {
        self.with_body(FORM, Body::Anew(Arc::new(move || Ok(form_encoded(&make()?)))))
    }

    /// The same with these bytes as the body; a [`header`](Self::header) says what they are.
    #[must_use]
    pub fn bytes(mut self, body: Bytes) -> Self {
        self.body = Some(Body::Fixed(body));
        self
    }

    fn with_body(mut self, content_type: &'static str, body: Body) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = Some(body);
        self
    }

    /// The same with a bearer token; `InvalidResponse` if it has characters that no header can carry.
    pub fn bearer(self, token: &Secret) -> Result<Self> {
        self.authorization(&format!("Bearer {}", token.expose()))
    }

    /// The same with a user name and a password (HTTP Basic).
    ///
    /// RFC 6749 wants a client id and secret form-encoded before; whether a product does is for its connector to know.
    pub fn basic(self, user: &str, password: &Secret) -> Result<Self> {
        self.authorization(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
    }

    fn authorization(mut self, text: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            Error::upstream(ErrorKind::InvalidResponse, "a credential has characters that no header can carry")
        })?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// The same with this header, in the place of any other of its name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same, sent to an identity provider that names the end of a rate limit in this header, in seconds since 1970.
    ///
    /// It counts where a 429 has no `retry-after`: see [`Response::retry_after`](crate::Response::retry_after).
    #[must_use]
    pub fn rate_limit_reset(mut self, header: HeaderName) -> Self {
        self.reset = Some(header);
        self
    }

    /// The same, sent to an identity provider that tells with the body what others tell with the status.
    ///
    /// Whether it is sent again, and what the recorder is told of a write, goes by the status that this function gives;
    /// the answer keeps its own.
    #[must_use]
    pub fn classify_with(mut self, judge: fn(&Response) -> StatusCode) -> Self {
        self.judge = Some(judge);
        self
    }

    /// The status that an answer to this request amounts to.
    pub(crate) fn meaning(&self, answer: &Response) -> StatusCode {
        self.judge.map_or(answer.status, |judge| judge(answer))
    }

    /// Whether it changes something.
    pub fn effect(&self) -> Effect {
        self.effect
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form_encoded<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Bytes {
    let pairs = pairs.iter().map(|(name, value)| (name, value));
    Serializer::new(String::new()).extend_pairs(pairs).finish().into()
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("effect", &self.effect).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("https://idp.example/users").unwrap()
    }

    #[test]
    fn query_pairs_are_form_encoded_and_appended() {
        let request =
            Request::get(url()).query(&[("email", "a+b c@d&e=f#g")]).query::<&str, &str>(&[]).query(&[("max", "2")]);
        assert_eq!(request.url.query(), Some("email=a%2Bb+c%40d%26e%3Df%23g&max=2"));
    }

    #[test]
    fn only_a_get_and_what_is_said_to_be_reading_are_reads() {
        assert_eq!(Request::get(url()).effect(), Effect::Read);
        for write in [Request::put(url()), Request::patch(url()), Request::post(url()), Request::delete(url())] {
            assert_eq!(write.effect(), Effect::Write);
        }
        assert_eq!(Request::post(url()).read_only().effect(), Effect::Read);
    }

    #[test]
    fn credentials_are_marked_as_sensitive_and_shown_nowhere() {
        let secret = Secret::new("hunter2");
        for request in [
            Request::get(url()).bearer(&secret).unwrap(),
            Request::get(url()).basic("me", &secret).unwrap(),
            Request::post(url()).form(&[("password", "hunter2")]).query(&[("token", "hunter2")]),
        ] {
            assert!(request.headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_sensitive));
            assert!(!format!("{request:?}").contains("hunter2"));
        }
        let basic = Request::get(url()).basic("me", &secret).unwrap();
        assert_eq!(basic.headers[AUTHORIZATION], "Basic bWU6aHVudGVyMg==");
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_an_invalid_response_and_not_shown() {
        let error = Request::get(url()).bearer(&Secret::new("hunter2\r\nx: y")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_body_says_what_it_is() {
        let json = Request::put(url()).json(&[1, 2]).unwrap();
        assert_eq!(
            (json.headers[CONTENT_TYPE].as_bytes(), json.body.unwrap().next().unwrap().as_ref()),
            (&b"application/json"[..], &b"[1,2]"[..])
        );
        let form = Request::post(url()).form(&[("a", "b c"), ("d", "é&")]);
        assert_eq!(form.headers[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(form.body.unwrap().next().unwrap(), "a=b+c&d=%C3%A9%26");
    }

    #[test]
    fn a_form_that_is_made_anew_is_another_one_each_time() {
        let counter = std::sync::atomic::AtomicU32::new(0);
        let next = move || counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let body = Request::post(url()).form_with(move || Ok(vec![("n", next())])).body.unwrap();
        assert_eq!((body.next().unwrap(), body.next().unwrap()), ("n=0".into(), "n=1".into()));
    }
}
