//! What the suite found, for people and for the support matrix.

use std::collections::BTreeMap;
use std::fmt;

use idp_bridge_core::Capabilities;
use idp_bridge_core::serde::{self, Deserialize, Serialize};

use crate::Observation;

/// The result of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Report {
    /// What was tested: [`Harness::name`](crate::Harness::name).
    pub harness: String,
    /// What the tested provider declares.
    pub capabilities: Capabilities,
    /// The cases that passed, by name.
    pub passed: Vec<Passed>,
    /// The cases that failed, by name.
    pub failed: Vec<Failed>,
    /// The cases that this identity provider or this environment cannot be put to, by name.
    pub not_applicable: Vec<NotApplicable>,
    /// What was seen to die at a logout, and what to live on.
    #[serde(default)]
    pub observations: Vec<Observation>,
}

/// A case that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Passed {
    /// Its name.
    pub case: String,
    /// The promises that it proves, in the words of the contract.
    pub proves: Vec<String>,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Failed {
    /// Its name.
    pub case: String,
    /// The promises that are broken.
    pub proves: Vec<String>,
    /// What was seen.
    pub reason: String,
}

/// A case that does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct NotApplicable {
    /// Its name.
    pub case: String,
    /// Why, in the words of the harness or of the provider's capabilities.
    pub reason: String,
}

impl Report {
    pub(crate) fn new(harness: impl Into<String>, capabilities: Capabilities) -> Self {
        Self {
            harness: harness.into(),
            capabilities,
            passed: Vec::new(),
            failed: Vec::new(),
            not_applicable: Vec::new(),
            observations: Vec::new(),
        }
    }

    /// The same in an order that does not depend on which case was quicker.
    pub(crate) fn sort(&mut self) {
        self.passed.sort_by(|one, other| one.case.cmp(&other.case));
        self.failed.sort_by(|one, other| one.case.cmp(&other.case));
        self.not_applicable.sort_by(|one, other| one.case.cmp(&other.case));
        self.observations.sort();
        self.observations.dedup();
    }

    /// Panics with the whole report if a case failed, or if none passed: an empty run proves nothing.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.failed.is_empty() && !self.passed.is_empty(), "{self}");
    }

    /// How many cases passed, failed and do not apply, and a line for each reason why some do not.
    pub fn summary(&self) -> String {
        let (passed, failed, beside) = (self.passed.len(), self.failed.len(), self.not_applicable.len());
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &self.not_applicable {
            *reasons.entry(&case.reason).or_default() += 1;
        }
        let reasons: String =
            reasons.iter().map(|(reason, count)| format!("  not applicable, {count} cases: {reason}\n")).collect();
        format!("conformance of {}: {passed} passed; {failed} failed; {beside} not applicable\n{reasons}", self.harness)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        for failed in &self.failed {
            writeln!(f, "  FAILED {}: {}", failed.case, failed.reason)?;
            for promise in &failed.proves {
                writeln!(f, "    promised: {promise}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("toy", Capabilities::all());
        let beside = |case: &str| NotApplicable { case: case.to_owned(), reason: "the toy has no upstream".to_owned() };
        report.not_applicable = vec![beside("b"), beside("a")];
        report.passed = vec![Passed { case: "c".to_owned(), proves: vec!["get: a promise".to_owned()] }];
        report.sort();
        report
    }

    #[test]
    fn the_text_counts_and_groups_what_does_not_apply() {
        let text = report().to_string();
        assert_eq!(
            text,
            "conformance of toy: 1 passed; 0 failed; 2 not applicable\n  not applicable, 2 cases: the toy has no upstream\n"
        );
    }

    #[test]
    fn the_json_is_sorted_and_is_read_again() {
        let report = report();
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.find(r#""case":"a""#) < json.find(r#""case":"b""#));
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    #[should_panic(expected = "0 passed")]
    fn a_run_that_tested_nothing_is_not_ok() {
        Report::new("toy", Capabilities::all()).assert_ok();
    }
}
