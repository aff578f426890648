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
