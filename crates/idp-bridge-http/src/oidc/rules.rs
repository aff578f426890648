//! What a token must keep to be taken: every choice is named here.

use std::time::Duration;

use idp_bridge_core::{Error, Result};

use super::algorithm::Algorithm;

/// How tokens of one kind are judged. The issuer is always the provider's, and `exp` is always required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The algorithms that are taken, as far as the key allows them.
    pub algorithms: Vec<Algorithm>,
    /// The `typ` headers that are taken, without `application/` and without regard to case.
    pub types: &'static [&'static str],
    /// Whether a token without `typ` is taken.
    pub allow_untyped: bool,
    /// How long ago the token may have expired.
    pub expiry_tolerance: Duration,
    /// How far the identity provider's clock may be ahead: for `iat` and `nbf`, never for `exp`.
    pub leeway: Duration,
}

/// How far the identity provider's clock may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(30);

impl Rules {
    /// Access tokens: `typ` is `at+jwt`, or `JWT` as older identity providers say, or absent as Cognito leaves it.
    ///
    /// ID tokens look the same to many identity providers: what tells them apart is for their connectors to know.
    pub fn access_token() -> Self {
        Self { allow_untyped: true, ..Self::with_types(&["at+jwt", "JWT"]) }
    }

    /// Access tokens of RFC 9068, which say that they are: `typ` is `at+jwt`.
    pub fn rfc9068() -> Self {
        Self::with_types(&["at+jwt"])
    }

    /// Tokens with one of these `typ` headers, of any asymmetric algorithm, and not expired.
    pub fn with_types(types: &'static [&'static str]) -> Self {
        Self {
            algorithms: Algorithm::ALL.to_vec(),
            types,
            allow_untyped: false,
            expiry_tolerance: Duration::ZERO,
            leeway: LEEWAY,
        }
    }

    /// The same for tokens that expired at most so long ago.
    #[must_use]
    pub fn with_expiry_tolerance(mut self, tolerance: Duration) -> Self {
        self.expiry_tolerance = tolerance;
        self
    }

    /// Fails unless this `typ` is taken, or its absence is. It is in lower case and without `application/`.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<()> {
        let taken =
            typ.map_or(self.allow_untyped, |typ| self.types.iter().any(|taken| taken.eq_ignore_ascii_case(typ)));
        if taken { Ok(()) } else { Err(Error::invalid_token("the token is of another kind (`typ`)")) }
    }
}
