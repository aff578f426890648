//! Observations of the tokens that a logout ended. They are not promises.

use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_core::serde::{self, Deserialize, Serialize};

use crate::TokenStatus;

/// A token that was valid before a logout, and whether it was valid afterwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Observation {
    /// The logout, such as `with all its tokens`.
    pub logout: String,
    /// The token and the endpoint, such as `access token at userinfo`.
    pub what: String,
    /// Whether the token was valid afterwards.
    pub is_valid: bool,
}

/// The observations of one case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observations(Arc<Mutex<Vec<Observation>>>);

impl Observations {
    /// Records each token that was valid before. `prefix` describes the login, such as `another login's `.
    pub(crate) fn note(&self, logout: &str, prefix: &str, before: TokenStatus, after: TokenStatus) {
        let tokens = [
            ("access token at userinfo", before.userinfo, after.userinfo),
            ("access token at introspection", before.introspection, after.introspection),
            ("refresh token", before.refresh, after.refresh),
        ];
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, before, after) in tokens {
            if let (Some(true), Some(is_valid)) = (before, after) {
                seen.push(Observation { logout: logout.to_owned(), what: format!("{prefix}{what}"), is_valid });
            }
        }
    }

    pub(crate) fn take(&self) -> Vec<Observation> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
