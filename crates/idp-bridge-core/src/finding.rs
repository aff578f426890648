//! What a diagnosis says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CallKind, Error, ErrorKind};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was seen to be right.
    Ok,
    /// It was seen to be wrong.
    Failed,
    /// It could not be seen with the rights at hand; this is never taken for right.
    NotVisible,
}

/// One checked thing, the calls that need it, and the step that mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was checked, in a few words.
    pub check: String,
    /// The calls that do not work without it; none if it only adds a field or a warning.
    pub calls: Vec<CallKind>,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the check is about who can set a user's customer. `doctor` does not pass while such a check is not visible.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub authority: bool,
    /// What was seen, without secrets or personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The exact step that mends it, or that makes it visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// A check that passed.
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

    /// A check that failed, with the step that mends it.
    pub fn failed(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// A check that a narrow permission hides, with the step that makes it visible.
    pub fn not_visible(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotVisible, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// A check that failed with this error: `grant` mends a missing right, and the error's own hint most other faults.
    pub fn failed_by(check: impl Into<String>, calls: &[CallKind], error: &Error, grant: String) -> Self {
        let fix = match (error.kind(), error.hint()) {
            (ErrorKind::PermissionDenied, _) => grant,
            (_, Some(hint)) => hint.to_owned(),
            (_, None) => "run the check again; if it stays, look into the identity provider's log".into(),
        };
        Self::failed(check, calls, fix).with_detail(error.to_string())
    }

    /// A check of something that cannot be seen without a right: only its want hides it, any other error [fails](Self::failed_by) it.
    pub fn hidden_by(check: impl Into<String>, calls: &[CallKind], error: &Error, grant: String) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::not_visible(check, calls, grant),
            _ => Self::failed_by(check, calls, error, grant),
        }
    }

    /// Checks of which a failed one hides those after it, each with the step that mends it: the one with the number `failed` shows
    /// what was seen, those before it are ok, and those after it not visible.
    pub fn chain<const N: usize>(
        calls: &[CallKind],
        checks: [(&str, String); N],
        failed: Option<(usize, String)>,
    ) -> Vec<Self> {
        let finding = |(number, (check, fix)): (usize, (&str, String))| match &failed {
            Some((failed, seen)) if number == *failed => Self::failed(check, calls, fix).with_detail(seen.clone()),
            Some((failed, _)) if number > *failed => {
                Self::not_visible(check, calls, "mend what failed before, and check again")
            }
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

    /// Whether the check is about who can set a user's customer, and could not be made.
    pub fn hides_authority(&self) -> bool {
        self.authority && self.verdict == Verdict::NotVisible
    }

    /// Adds what was seen.
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
        let verdicts = |failed| {
            let findings = Finding::chain(&CallKind::ALL, checks(), failed);
            findings.iter().map(|finding| finding.verdict).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(None), [Verdict::Ok; 3]);
        assert_eq!(verdicts(Some((1, "seen".into()))), [Verdict::Ok, Verdict::Failed, Verdict::NotVisible]);
        let findings = Finding::chain(&[], checks(), Some((0, "seen".into())));
        assert_eq!((findings[0].fix.as_deref(), findings[0].detail.as_deref()), (Some("start it"), Some("seen")));
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
    fn a_missing_right_is_to_be_granted_and_any_other_fault_says_what_mends_it() {
        let denied = Error::upstream(ErrorKind::PermissionDenied, "no").with_hint("ask an administrator");
        let refused = Error::upstream(ErrorKind::Unauthenticated, "wrong secret").with_hint("copy it anew");
        let down = Error::upstream(ErrorKind::Unavailable, "down");
        for (error, hidden, fix) in [
            (denied, Verdict::NotVisible, "grant it"),
            (refused, Verdict::Failed, "copy it anew"),
            (down, Verdict::Failed, "run the check again; if it stays, look into the identity provider's log"),
        ] {
            let failed = Finding::failed_by("check", &[], &error, "grant it".into());
            assert_eq!((failed.verdict, failed.fix.as_deref()), (Verdict::Failed, Some(fix)));
            assert_eq!(failed.detail, Some(error.to_string()));
            let found = Finding::hidden_by("check", &[], &error, "grant it".into());
            assert_eq!((found.verdict, found.fix.as_deref()), (hidden, Some(fix)));
        }
    }
}
