//! Names and values as browsers write them, in a query or in a body: each name at most once, or none is believed.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header;
use http::request::Parts;
use http_body::Body as _;
use hyper::body::Incoming;
use idp_bridge_core::Secret;
use idp_bridge_protocol::Code;
use percent_encoding::percent_decode_str;

use crate::error::Refusal;
use crate::request;

/// The most bytes of a token that a form or a query hands on.
const MAX_TOKEN: usize = 8 * 1024;

/// The body of a request, which should be a form, and how long it may take.
pub(super) struct FormBody {
    pub(super) body: Incoming,
    pub(super) timeout: Duration,
}

/// What a request's form or query says. A value that is empty is as good as absent (RFC 6749, section 3.1).
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// The form of a request's body; no body is an empty form. A GET has no form.
    pub(super) async fn of_body(head: &Parts, FormBody { body, timeout }: FormBody) -> Result<Self, Refusal> {
        if body.is_end_stream() {
            return Ok(Self(BTreeMap::new()));
        }
        if head.method == http::Method::GET {
            return Err(Refusal::new(Code::InvalidRequest).with_detail("a GET has no body"));
        }
        let is_form = request::is_media_type(&head.headers, "application/x-www-form-urlencoded");
        if !is_form || head.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Refusal::new(Code::UnsupportedMediaType));
        }
        let body = request::read_body(body, timeout).await?;
        let text = std::str::from_utf8(&body).map_err(|_| malformed("the body is not UTF-8"))?;
        Self::parse(text)
    }

    /// The query of a request.
    pub(super) fn of_query(head: &Parts) -> Result<Self, Refusal> {
        Self::parse(head.uri.query().unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).zip(decode(value));
            let (name, value) = decoded.ok_or_else(|| malformed("a field is not percent-encoded UTF-8"))?;
            if fields.insert(name, value).is_some() {
                return Err(malformed("a field is there twice"));
            }
        }
        Ok(Self(fields))
    }

    /// The values of these fields, whatever other fields are there.
    pub(super) fn take<const COUNT: usize>(mut self, names: [&str; COUNT]) -> [Option<String>; COUNT] {
        names.map(|name| self.remove(name))
    }

    /// The values of these fields, if no other one is there: a misspelt `refresh_token` must not be one that lives on.
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

/// Refuses a request whose query holds a token: queries are logged, cached and sent on as referrers.
pub(super) fn refuse_tokens_in_query(head: &Parts) -> Result<(), Refusal> {
    let names = ["access_token", "refresh_token", "id_token_hint", "logout_token"];
    let query = Fields::of_query(head)?;
    if names.iter().any(|name| query.0.contains_key(*name)) {
        return Err(malformed("a token must not be in the query"));
    }
    Ok(())
}

/// A token that is handed on unread: visible ASCII, and of a size that a header may have.
pub(super) fn token(name: &'static str, value: String) -> Result<Secret, Refusal> {
    if value.len() > MAX_TOKEN || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::invalid(name, format!("`{name}` is not up to 8192 visible ASCII characters")));
    }
    Ok(Secret::new(value))
}

/// What a form's writer meant, if it is UTF-8 and every `%` begins an escape.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_encoded = spaced.split('%').skip(1).all(is_escape);
    let decoded = percent_decode_str(&spaced).decode_utf8().ok().filter(|_| is_encoded)?;
    Some(decoded.into_owned())
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
    fn a_form_is_read_as_browsers_write_it() {
        let [a, b, c] = fields("a=x+y%26z&b=%C3%A4%2B&&c").unwrap().take(["a", "b", "c"]);
        assert_eq!((a.as_deref(), b.as_deref(), c), (Some("x y&z"), Some("ä+"), None));
        assert_eq!(fields("a=1=2").unwrap().take(["a"]), [Some("1=2".to_owned())]);
        assert_eq!(fields("a=").unwrap().take(["a"]), [None]);
    }

    #[test]
    fn a_field_that_is_there_twice_in_any_writing_is_refused() {
        for twice in ["a=1&a=1", "a=1&a=2", "a&a", "a=&a=1", "a=1&%61=2"] {
            assert!(fields(twice).is_none(), "{twice}");
        }
    }

    #[test]
    fn what_is_not_percent_encoded_utf_8_is_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%C3", "a=%ED%A0%80"] {
            assert!(fields(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_where_it_may_be_a_misspelt_one() {
        assert!(fields("refreshToken=x").unwrap().take_all(["refresh_token"]).is_err());
        assert!(fields("refresh_token=x").unwrap().take_all(["refresh_token"]).is_ok());
        assert!(fields("more=").unwrap().take_all(["refresh_token"]).is_err());
    }

    #[test]
    fn a_token_is_visible_ascii_of_a_headers_size() {
        for bad in ["a b", "ä", "a\n", "a\u{7f}", &"x".repeat(MAX_TOKEN + 1)] {
            assert!(token("refresh_token", bad.to_owned()).is_err(), "{bad:?}");
        }
        assert!(token("refresh_token", "x".repeat(MAX_TOKEN)).is_ok());
    }
}
