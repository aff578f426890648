//! Static bearer tokens of REST.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::constant_time;

use super::caller::{Caller, Scope};
use crate::digest::sha256;

/// A static bearer token of REST.
#[derive(Clone)]
pub struct RestToken {
    /// The name of its holder in the log.
    pub name: String,
    /// The SHA-256 of the token. The token itself is not stored.
    pub sha256: [u8; 32],
    /// The scopes of its holder.
    pub scopes: BTreeSet<Scope>,
}

impl RestToken {
    /// Finds a token by its text. Compares each digest in constant time.
    pub(crate) fn find<'a>(tokens: &'a [Self], text: &[u8]) -> Option<&'a Self> {
        let digest = sha256(text);
        let mut found = None;
        for token in tokens {
            if constant_time::verify_slices_are_equal(&digest, &token.sha256).is_ok() {
                found = Some(token);
            }
        }
        found
    }
}

impl From<&RestToken> for Caller {
    fn from(token: &RestToken) -> Self {
        Self { name: token.name.clone(), key: format!("token {}", token.name), scopes: token.scopes.clone() }
    }
}

impl fmt::Debug for RestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestToken").field("name", &self.name).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_not_printed() {
        let token = RestToken { name: "one".into(), sha256: [0; 32], scopes: [Scope::Read].into() };
        assert!(!format!("{token:?}").contains("sha256"));
    }
}
