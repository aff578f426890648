//! The access token of a request (RFC 6750): in the `authorization` header, or for userinfo in a form field.

use http::HeaderMap;
use idp_bridge_core::AccessToken;
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::request;

/// Returns the token of the `authorization` header, or `None` if the header is absent or has another scheme.
pub(super) fn from_header(headers: &HeaderMap) -> Result<Option<AccessToken>, Refusal> {
    let token = request::bearer_token(headers)
        .map_err(|_| Refusal::new(Code::InvalidRequest).with_detail("`authorization` is repeated or not text"))?;
    token.map(parse).transpose()
}

fn parse(text: &str) -> Result<AccessToken, Refusal> {
    AccessToken::new(text).map_err(|_| Refusal::bad_token())
}

/// Returns the token of header or form. Fails if there is none, or one in each.
pub(super) fn single(header: Option<AccessToken>, form: Option<String>) -> Result<AccessToken, Refusal> {
    match (header, form) {
        (Some(token), None) => Ok(token),
        (None, Some(text)) => parse(&text),
        (None, None) => Err(Refusal::new(Code::InvalidToken)),
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::InvalidRequest).with_detail("there is a token in the header and one in the form"))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    fn parse_headers(values: &[&'static str]) -> Result<Option<String>, Code> {
        let values = values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)));
        let token = from_header(&values.collect()).map_err(|refusal| refusal.code())?;
        Ok(token.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn header_contains_at_most_one_token() {
        assert_eq!(parse_headers(&["Bearer a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(parse_headers(&["bEARER a"]), Ok(Some("a".into())));
        for other in [&[][..], &["Basic YTpi"], &["DPoP a"], &["Bearerx a"]] {
            assert_eq!(parse_headers(other), Ok(None), "{other:?}");
        }
        for bad in ["Bearer", "Bearer ", "Bearer  a", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer\ta"] {
            assert!(matches!(parse_headers(&[bad]), Err(Code::InvalidToken) | Ok(None)), "{bad}");
        }
        for repeated in [["Bearer a", "Bearer a"], ["Basic a", "Bearer a"]] {
            assert_eq!(parse_headers(&repeated), Err(Code::InvalidRequest), "{repeated:?}");
        }
    }
}
