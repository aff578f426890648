//! What a status means by itself, whoever gave it: the identity provider, or a proxy before it.

use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::{InvalidResponse, RateLimited, Unavailable};

/// The error that a status without success means where a product has no word of its own about it.
///
/// It is never about the user or the credentials: what 401, 403 and 404 mean is for a connector to know, from the answer's body.
pub fn refused(status: u16) -> Error {
    match status {
        429 => Error::upstream(RateLimited, "the identity provider, or a proxy before it, asks to slow down"),
        500.. => Error::upstream(Unavailable, "the identity provider, or a proxy before it, failed"),
        300..=399 => Error::upstream(InvalidResponse, "the identity provider redirects")
            .with_hint("set the URL that it redirects to, if it is the identity provider's own"),
        _ => Error::upstream(InvalidResponse, "the identity provider answered with an unexpected status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_alone_says_who_must_wait_and_nothing_about_users() {
        for (statuses, kind) in [
            (&[429][..], RateLimited),
            (&[500, 502, 503, 599, 999], Unavailable),
            (&[204, 301, 308, 400, 401, 403, 404, 408, 418, 499], InvalidResponse),
        ] {
            for status in statuses {
                assert_eq!(refused(*status).kind(), kind, "{status}");
            }
        }
        assert!(refused(302).hint().is_some());
    }
}
