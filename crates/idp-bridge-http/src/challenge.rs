//! The challenge with which a resource refuses a bearer token (RFC 6750, section 3).

use http::header::WWW_AUTHENTICATE;

use crate::response::Response;

/// The `Bearer` challenge of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerChallenge {
    /// The code of the error, such as `invalid_token`, if there is one.
    pub error: Option<String>,
    /// The description of the error, if there is one.
    pub error_description: Option<String>,
}

impl Response {
    /// Returns the first `Bearer` challenge among the `www-authenticate` headers.
    ///
    /// A challenge without a scheme counts if it has an `error`: Cognito documents such a header, and Hydra and authentik send it
    /// (November 2026).
    pub fn bearer_challenge(&self) -> Option<BearerChallenge> {
        let headers = self.headers.get_all(WWW_AUTHENTICATE).into_iter();
        headers.filter_map(|header| header.to_str().ok()).find_map(parse)
    }
}

fn parse(header: &str) -> Option<BearerChallenge> {
    let (mut challenge, mut is_ours, mut has_scheme) = (BearerChallenge::default(), true, false);
    for part in split(header) {
        let parameter = match split_scheme(part) {
            // The challenge of another scheme begins, or the one that was looked for ends.
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

/// Splits at the commas outside of quotes.
fn split(header: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = header.split(move |character: char| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// The scheme that a part begins with, and the parameter after it.
fn split_scheme(part: &str) -> Option<(&str, &str)> {
    let (first, rest) = part.split_once(' ').map_or((part, ""), |(first, rest)| (first, rest.trim_start()));
    (!first.contains('=') && !rest.starts_with('=')).then_some((first, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_challenge_is_read() {
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
