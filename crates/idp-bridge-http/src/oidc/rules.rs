//! The rules for accepting tokens.

use std::time::Duration;

use idp_bridge_core::{Error, Result};

use super::algorithm::Algorithm;

/// The rules for tokens of one kind. The issuer must be the provider's, and `exp` is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The accepted algorithms. A key may restrict them further.
    pub algorithms: Vec<Algorithm>,
    /// The accepted `typ` headers, without `application/` and in any case.
    pub types: &'static [&'static str],
    /// Whether tokens without `typ` are accepted.
    pub allow_untyped: bool,
    /// The maximum time since the expiry of a token.
    pub expiry_tolerance: Duration,
}

/// The tolerated clock difference for `iat` and `nbf`. Not applied to `exp`.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

impl Rules {
    /// Creates rules for access tokens: `typ` is `at+jwt`, `JWT` (older identity providers) or missing (Cognito).
    ///
    /// Many identity providers use `JWT` for ID tokens too. Their connectors must distinguish them.
    pub fn access_token() -> Self {
        Self { allow_untyped: true, ..Self::with_types(&["at+jwt", "JWT"]) }
    }

    /// Creates rules for access tokens of RFC 9068: `typ` is `at+jwt`.
    pub fn rfc9068() -> Self {
        Self::with_types(&["at+jwt"])
    }

    /// Creates rules for tokens with one of these `typ` headers, any asymmetric algorithm, and no expiry tolerance.
    pub fn with_types(types: &'static [&'static str]) -> Self {
        Self { algorithms: Algorithm::ALL.to_vec(), types, allow_untyped: false, expiry_tolerance: Duration::ZERO }
    }

    /// Accepts tokens that expired at most this long ago.
    #[must_use]
    pub fn with_expiry_tolerance(mut self, tolerance: Duration) -> Self {
        self.expiry_tolerance = tolerance;
        self
    }

    /// Checks a `typ` header, given without `application/`.
    pub(super) fn check_type(&self, typ: Option<&str>) -> Result<()> {
        let is_accepted =
            typ.map_or(self.allow_untyped, |typ| self.types.iter().any(|own| own.eq_ignore_ascii_case(typ)));
        if is_accepted { Ok(()) } else { Err(Error::invalid_token("the token is of another kind (`typ`)")) }
    }
}
