//! What a diagnosis says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CallKind;

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
        Self { check: check.into(), calls: calls.to_vec(), verdict: Verdict::Ok, detail: None, fix: None }
    }

    /// A check that failed, with the step that mends it.
    pub fn failed(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// A check that a narrow permission hides, with the step that makes it visible.
    pub fn not_visible(check: impl Into<String>, calls: &[CallKind], fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotVisible, fix: Some(fix.into()), ..Self::ok(check, calls) }
    }

    /// The same with what was seen.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
