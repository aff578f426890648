//! The findings of a diagnosis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallKind, Error, ErrorKind};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The check passed.
    Ok,
    /// The check failed.
    Failed,
    /// The bridge's rights do not suffice for the check. Does not count as passed.
    NotVisible,
}

/// The result of one check, the calls that depend on it, and the fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The subject of the check, in a few words.
    pub check: String,
    /// The calls that depend on it. Empty if it affects only a field or a warning.
    pub calls: Vec<CallKind>,
    /// The result.
    pub verdict: Verdict,
    /// Whether the check is about who can set a user's customer. `doctor` does not pass while such a check is not visible.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authority: bool,
    /// The observation, without secrets or personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The exact step that fixes it, or that makes it visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// Creates a passed check.
    pub fn ok(check: impl Into<String>, calls: &[CallKind]) -> Self {
        Self {
            check: check.into(),
            calls: calls.to_vec(),
            verdict: Verdict::Ok,
            authority: false,
            detail: None,
            fix: None,
        }
    }

    /// Creates a failed check with its fix.
    pub fn failed(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// Creates a check that the bridge's rights do not suffice for, with the step that makes it visible.
    pub fn not_visible(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotVisible, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// Creates a check that was not made, since one before it failed.
    pub fn skipped(check: impl Into<String>, calls: &[CallKind]) -> Self {
        Self::not_visible(check, calls, "fix the failed check first, then check again")
    }

    /// Creates a check that failed with this error. `grant` is the fix for a missing right; for other errors it is their hint.
    pub fn failed_by(check: impl Into<String>, calls: &[CallKind], error: &Error, grant: String) -> Self {
        let fix = match (error.kind(), error.hint()) {
            (ErrorKind::PermissionDenied, _) => grant,
            (_, Some(hint)) => hint.to_owned(),
            (_, None) => "run the check again; if it still fails, read the identity provider's log".into(),
        };
        Self::failed(check, calls, fix).with_detail(error.to_string())
    }

    /// Creates a check that is not visible if the error is a missing right, and [failed](Self::failed_by) for other errors.
    pub fn hidden_by(check: impl Into<String>, calls: &[CallKind], error: &Error, grant: String) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::not_visible(check, calls, grant),
            _ => Self::failed_by(check, calls, error, grant),
        }
    }

    /// Returns a finding for each check of a chain in which a failed check hides those after it.
    ///
    /// The first check is that the identity provider can be reached. `failed` has the number of the failed check and its error.
    /// An [unanswered](Error::is_unanswered) request always fails the first check, and its hint is the fix.
    pub fn chain<const N: usize>(
        calls: &[CallKind],
        checks: [(&str, String); N],
        failed: Option<(usize, &Error)>,
    ) -> Vec<Self> {
        let failed = failed.map(|(number, error)| if error.is_unanswered() { (0, error) } else { (number, error) });
        let finding = |(number, (check, fix)): (usize, (&str, String))| match failed {
            Some((failed, error)) if number == failed => {
                let hint = error.hint().filter(|_| error.is_unanswered());
                Self::failed(check, calls, hint.map_or(fix, str::to_owned)).with_detail(error.to_string())
            }
            Some((failed, _)) if number > failed => Self::skipped(check, calls),
            _ => Self::ok(check, calls),
        };
        checks.into_iter().enumerate().map(finding).collect()
    }

    /// Marks the check as one about who can set a user's customer.
    #[must_use]
    pub fn with_authority(mut self) -> Self {
        self.authority = true;
        self
    }

    /// Returns whether the check is about who can set a user's customer, and could not be made.
    pub fn hides_authority(&self) -> bool {
        self.authority && self.verdict == Verdict::NotVisible
    }

    /// Adds the observed result.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_hides_those_after_it() {
        let checks = || [("reachable", "start it".to_owned()), ("known", "make it".into()), ("let in", "pay".into())];
        let seen = || Error::upstream(ErrorKind::Misconfigured, "seen").with_hint("look");
        let verdicts = |failed: Option<(usize, &Error)>| {
            let findings = Finding::chain(&CallKind::ALL, checks(), failed);
            findings.iter().map(|finding| finding.verdict).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(None), [Verdict::Ok; 3]);
        assert_eq!(verdicts(Some((1, &seen()))), [Verdict::Ok, Verdict::Failed, Verdict::NotVisible]);
        let findings = Finding::chain(&[], checks(), Some((0, &seen())));
        assert_eq!((findings[0].fix.as_deref(), findings[0].detail.as_deref()), (Some("start it"), Some("seen")));
        // A request without a response proves nothing about the later checks.
        let findings = Finding::chain(&[], checks(), Some((1, &seen().unanswered())));
        assert_eq!((findings[0].fix.as_deref(), findings[0].detail.as_deref()), (Some("look"), Some("seen")));
    }

    #[test]
    fn only_a_hidden_check_of_authority_hides_authority() {
        let hidden = Finding::not_visible("check", &[], "fix");
        assert!(!hidden.hides_authority());
        assert!(hidden.clone().with_authority().hides_authority());
        assert!(!Finding::ok("check", &[]).with_authority().hides_authority());
        let json = |finding| serde_json::to_value::<Finding>(finding).unwrap();
        assert_eq!(json(hidden.clone()).get("authority"), None);
        assert_eq!(json(hidden.with_authority())["authority"], true);
    }

    #[test]
    fn the_fix_depends_on_the_error_kind() {
        let denied = Error::upstream(ErrorKind::PermissionDenied, "no").with_hint("ask an administrator");
        let refused = Error::upstream(ErrorKind::Unauthenticated, "wrong secret").with_hint("copy it anew");
        let down = Error::upstream(ErrorKind::Unavailable, "down");
        for (error, hidden, fix) in [
            (denied, Verdict::NotVisible, "grant it"),
            (refused, Verdict::Failed, "copy it anew"),
            (down, Verdict::Failed, "run the check again; if it still fails, read the identity provider's log"),
        ] {
            let failed = Finding::failed_by("check", &[], &error, "grant it".into());
            assert_eq!((failed.verdict, failed.fix.as_deref()), (Verdict::Failed, Some(fix)));
            assert_eq!(failed.detail, Some(error.to_string()));
            let found = Finding::hidden_by("check", &[], &error, "grant it".into());
            assert_eq!((found.verdict, found.fix.as_deref()), (hidden, Some(fix)));
        }
    }
}
