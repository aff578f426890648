//! The challenge of a resource that rejects a bearer token (RFC 6750, section 3).

use http::header::WWW_AUTHENTICATE;

use crate::response::Response;

/// The `Bearer` challenge of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerChallenge {
    /// The error code, such as `invalid_token`.
    pub error: Option<String>,
    /// The error description.
    pub error_description: Option<String>,
}

impl Response {
    /// Returns the first `Bearer` challenge among the `www-authenticate` headers.
    ///
    /// A challenge without a scheme is accepted if it has an `error`, because Cognito documents such a header and authentik
    /// sends one (`protected_resource_view` in its `authentik/providers/oauth2/utils.py`, November 2026).
    pub fn bearer_challenge(&self) -> Option<BearerChallenge> {
        let headers = self.headers.get_all(WWW_AUTHENTICATE).into_iter();
        headers.filter_map(|header| header.to_str().ok()).find_map(parse)
    }
}

fn parse(header: &str) -> Option<BearerChallenge> {
    let (mut challenge, mut is_ours, mut has_scheme) = (BearerChallenge::default(), true, false);
    for part in split(header) {
        let parameter = match split_scheme(part) {
            // The next challenge begins.
            Some(_) if has_scheme && is_ours => break,
            Some((scheme, first)) => {
                (challenge, has_scheme) = (BearerChallenge::default(), true);
                is_ours = scheme.eq_ignore_ascii_case("bearer");
                first
            }
            None => part,
        };
        let Some((name, value)) = parameter.split_once('=').filter(|_| is_ours) else { continue };
        let value = Some(value.trim().trim_matches('"').to_owned());
        match name.trim().to_ascii_lowercase().as_str() {
            "error" => challenge.error = value,
            "error_description" => challenge.error_description = value,
            _ => {}
        }
    }
    (is_ours && (has_scheme || challenge.error.is_some())).then_some(challenge)
}

/// Splits a header at commas outside quotes.
fn split(header: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = header.split(move |character: char| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// Returns the scheme at the start of a part, and the parameter after it.
fn split_scheme(part: &str) -> Option<(&str, &str)> {
    let (first, rest) = part.split_once(' ').map_or((part, ""), |(first, rest)| (first, rest.trim_start()));
    (!first.contains('=') && !rest.starts_with('=')).then_some((first, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_challenges_are_read() {
        let named = |error: &str| Some((Some(error.to_owned()), None));
        let described = |error: &str, why: &str| Some((Some(error.to_owned()), Some(why.to_owned())));
        let table = [
            ("Bearer", Some((None, None))),
            ("bearer realm=\"x\"", Some((None, None))),
            ("Bearer realm=\"a, b\", error=\"invalid_token\"", named("invalid_token")),
            ("Bearer error=invalid_token", named("invalid_token")),
            ("Bearer realm = \"x\" , error = \"invalid_token\"", named("invalid_token")),
            ("Basic realm=\"x\", Bearer error=\"invalid_token\"", named("invalid_token")),
            (
                "Basic realm=\"x\",Bearer realm=\"y\",error=\"invalid_token\", Digest error=\"z\"",
                named("invalid_token"),
            ),
            (
                "Bearer error=\"invalid_token\", error_description=\"gone, ended\"",
                described("invalid_token", "gone, ended"),
            ),
            ("error=\"invalid_token\",error_description=\"gone\"", described("invalid_token", "gone")),
            ("Basic realm=\"x\"", None),
            ("Basic realm=\"x\", error=\"invalid_token\"", None),
            ("Bearerish error=\"invalid_token\"", None),
            ("DPoP error=\"invalid_token\"", None),
            ("Negotiate", None),
            ("realm=\"x\"", None),
            ("\"Bearer", None),
            (",,", None),
            ("", None),
        ];
        for (header, expected) in table {
            let read = parse(header).map(|challenge| (challenge.error, challenge.error_description));
            assert_eq!(read, expected, "{header}");
        }
    }
}
