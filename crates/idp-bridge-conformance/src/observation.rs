//! What the suite saw to die at a logout: no promise, but what people want to know before they rely on one.

use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_core::serde::{self, Deserialize, Serialize};

use crate::Alive;

/// A thing that lived before a logout, and whether it lived afterwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Observation {
    /// Which logout, such as `with the refresh token`.
    pub logout: String,
    /// What was looked at, such as `access token at userinfo`.
    pub what: String,
    /// Whether it lived afterwards.
    pub lives: bool,
}

/// What one case saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observations(Arc<Mutex<Vec<Observation>>>);

impl Observations {
    /// Notes what became of each thing that lived before.
    pub(crate) fn note(&self, logout: &str, whose: &str, before: Alive, after: Alive) {
        let things = [
            ("access token at userinfo", before.userinfo, after.userinfo),
            ("access token at introspection", before.introspection, after.introspection),
            ("refresh token", before.refresh, after.refresh),
        ];
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, before, after) in things {
            if let (Some(true), Some(lives)) = (before, after) {
                seen.push(Observation { logout: logout.to_owned(), what: format!("{whose}{what}"), lives });
            }
        }
    }

    pub(crate) fn take(&self) -> Vec<Observation> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lived_before_and_was_looked_at_again_is_noted() {
        let seen = Observations::default();
        let before = Alive { userinfo: Some(true), introspection: Some(false), refresh: Some(true) };
        seen.note("alone", "", before, Alive { userinfo: Some(false), introspection: Some(false), refresh: None });
        let noted = Observation { logout: "alone".into(), what: "access token at userinfo".into(), lives: false };
        assert_eq!(seen.take(), [noted]);
    }
}
