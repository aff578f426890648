//! Form-encoded fields of a query or a body. A repeated field is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use http::header;
use http::request::Parts;
use http_body::Body as _;
use hyper::body::Incoming;
use idp_bridge_core::Secret;
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::request;

/// The maximum length of a token in a form or a query in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// The unread form of a request, and the time limit for it.
pub(super) struct FormBody {
    pub(super) body: Incoming,
    pub(super) timeout: Duration,
}

/// The fields of a form or a query. An empty value counts as absent (RFC 6749, section 3.1).
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads the form of a request. An empty body is an empty form; a GET must have no body.
    pub(super) async fn read_body(head: &Parts, FormBody { body, timeout }: FormBody) -> Result<Self, Refusal> {
        if body.is_end_stream() {
            return Ok(Self(BTreeMap::new()));
        }
        if head.method == http::Method::GET {
            return Err(Refusal::new(Code::InvalidRequest).with_detail("a GET must have no body"));
        }
        let is_form = request::is_media_type(&head.headers, "application/x-www-form-urlencoded");
        if !is_form || head.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Refusal::new(Code::UnsupportedMediaType));
        }
        let body = request::read_body(body, timeout).await?;
        let text = std::str::from_utf8(&body).map_err(|_| malformed("the body is not UTF-8"))?;
        Self::parse(text)
    }

    /// Parses the query of a request.
    pub(super) fn parse_query(head: &Parts) -> Result<Self, Refusal> {
        Self::parse(head.uri.query().unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).zip(decode(value));
            let (name, value) = decoded.ok_or_else(|| malformed("a field is not percent-encoded UTF-8"))?;
            if fields.insert(name, value).is_some() {
                return Err(malformed("a field is repeated"));
            }
        }
        Ok(Self(fields))
    }

    /// Returns the values of these fields, and ignores others.
    pub(super) fn take<const COUNT: usize>(mut self, names: [&str; COUNT]) -> [Option<String>; COUNT] {
        names.map(|name| self.remove(name))
    }

    /// Returns the values of these fields. Fails if there are others, so that a misspelt `refresh_token` is noticed.
    pub(super) fn take_all<const COUNT: usize>(
        mut self,
        names: [&str; COUNT],
    ) -> Result<[Option<String>; COUNT], Refusal> {
        let values = names.map(|name| self.remove(name));
        if self.0.is_empty() { Ok(values) } else { Err(malformed("the form has an unknown field")) }
    }

    fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }
}

/// Refuses a query that contains a token, since queries are logged, cached and sent as referrers.
pub(super) fn refuse_tokens_in_query(head: &Parts) -> Result<(), Refusal> {
    let names = ["access_token", "refresh_token", "id_token_hint", "logout_token"];
    let query = Fields::parse_query(head)?;
    if names.iter().any(|name| query.0.contains_key(*name)) {
        return Err(malformed("a token must not be in the query"));
    }
    Ok(())
}

/// Parses a token for the identity provider: visible ASCII up to the maximum length.
pub(super) fn parse_token(name: &'static str, value: String) -> Result<Secret, Refusal> {
    if value.len() > MAX_TOKEN || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::invalid(name, format!("`{name}` is not a text of at most 8192 visible ASCII characters")));
    }
    Ok(Secret::new(value))
}

/// Decodes a form-encoded name or value.
fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    request::percent_decode(&text).map(Cow::into_owned)
}

fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidRequest).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Option<Fields> {
        Fields::parse(text).ok()
    }

    #[test]
    fn form_is_decoded() {
        let [a, b, c] = fields("a=x+y%26z&b=%C3%A4%2B&&c").unwrap().take(["a", "b", "c"]);
        assert_eq!((a.as_deref(), b.as_deref(), c), (Some("x y&z"), Some("ä+"), None));
        assert_eq!(fields("a=1=2").unwrap().take(["a"]), [Some("1=2".to_owned())]);
        assert_eq!(fields("a=").unwrap().take(["a"]), [None]);
    }

    #[test]
    fn repeated_field_is_refused() {
        for repeated in ["a=1&a=1", "a=1&a=2", "a&a", "a=&a=1", "a=1&%61=2"] {
            assert!(fields(repeated).is_none(), "{repeated}");
        }
    }

    #[test]
    fn invalid_encoding_is_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%C3", "a=%ED%A0%80"] {
            assert!(fields(bad).is_none(), "{bad}");
        }
    }
}
