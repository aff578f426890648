//! Where a request may carry its access token (RFC 6750): in one header, or for userinfo in one form field.

use http::{HeaderMap, header};
use idp_bridge_core::AccessToken;
use idp_bridge_protocol::Code;

use crate::error::Refusal;
use crate::request;

/// The token of the `authorization` header; none if there is no header, or it speaks of something else than a token.
pub(super) fn of_header(headers: &HeaderMap) -> Result<Option<AccessToken>, Refusal> {
    let twice = || Refusal::new(Code::InvalidRequest).with_detail("`authorization` is there twice, or is no text");
    let authorization = request::only(headers, &header::AUTHORIZATION).map_err(|()| twice())?;
    let Some(authorization) = authorization else {
        return Ok(None);
    };
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if scheme.eq_ignore_ascii_case("bearer") { read(token).map(Some) } else { Ok(None) }
}

/// A text that should be a token.
pub(super) fn read(text: &str) -> Result<AccessToken, Refusal> {
    AccessToken::new(text).map_err(|_| Refusal::bad_token())
}

/// The one token of header and form.
pub(super) fn one_of(header: Option<AccessToken>, form: Option<String>) -> Result<AccessToken, Refusal> {
    match (header, form) {
        (Some(token), None) => Ok(token),
        (None, Some(text)) => read(&text),
        (None, None) => Err(Refusal::new(Code::InvalidToken)),
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::InvalidRequest).with_detail("there is a token in the header and one in the form"))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<String>, Code> {
        let values = values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)));
        let found = of_header(&values.collect()).map_err(|refusal| refusal.code())?;
        Ok(found.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn a_header_has_one_token_or_none() {
        assert_eq!(of(&["Bearer a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(of(&["bEARER a"]), Ok(Some("a".into())));
        for none in [&[][..], &["Basic YTpi"], &["DPoP a"], &["Bearerx a"]] {
            assert_eq!(of(none), Ok(None), "{none:?}");
        }
        for bad in ["Bearer", "Bearer ", "Bearer  a", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer\ta"] {
            assert!(matches!(of(&[bad]), Err(Code::InvalidToken) | Ok(None)), "{bad}");
        }
        for twice in [["Bearer a", "Bearer a"], ["Basic a", "Bearer a"]] {
            assert_eq!(of(&twice), Err(Code::InvalidRequest), "{twice:?}");
        }
    }
}
