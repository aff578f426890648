//! The report of the suite, for people and for the support matrix.

use std::collections::BTreeMap;
use std::fmt;

use idp_bridge_core::Capabilities;
use idp_bridge_core::serde::{self, Deserialize, Serialize};

use crate::Observation;

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Report {
    /// The name of the harness: [`Harness::name`](crate::Harness::name).
    pub harness: String,
    /// The capabilities of the tested provider.
    pub capabilities: Capabilities,
    /// The cases that passed, by name.
    pub passed: Vec<Passed>,
    /// The cases that failed, by name.
    pub failed: Vec<Failed>,
    /// The cases that do not apply to this provider or harness, by name.
    pub not_applicable: Vec<NotApplicable>,
    /// The tokens that logouts ended and left valid.
    #[serde(default)]
    pub observations: Vec<Observation>,
}

/// A case that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Passed {
    /// The name of the case.
    pub case: String,
    /// The promises of the contract that the case proves.
    pub proves: Vec<String>,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct Failed {
    /// The name of the case.
    pub case: String,
    /// The promises that are broken.
    pub proves: Vec<String>,
    /// The failure.
    pub reason: String,
}

/// A case that does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "self::serde")]
#[non_exhaustive]
pub struct NotApplicable {
    /// The name of the case.
    pub case: String,
    /// The reason, from the harness or from the provider's capabilities.
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

    /// Sorts the cases, so that the report does not depend on the order of execution.
    pub(crate) fn sort(&mut self) {
        self.passed.sort_by(|one, other| one.case.cmp(&other.case));
        self.failed.sort_by(|one, other| one.case.cmp(&other.case));
        self.not_applicable.sort_by(|one, other| one.case.cmp(&other.case));
        self.observations.sort();
        self.observations.dedup();
    }

    /// Panics with the report if a case failed or if no case passed.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.failed.is_empty() && !self.passed.is_empty(), "{self}");
    }

    /// Returns the numbers of cases that passed, failed and do not apply, and a line for each reason.
    pub fn summary(&self) -> String {
        let (passed, failed, skipped) = (self.passed.len(), self.failed.len(), self.not_applicable.len());
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &self.not_applicable {
            *reasons.entry(&case.reason).or_default() += 1;
        }
        let reasons: String =
            reasons.iter().map(|(reason, count)| format!("  not applicable, {count} cases: {reason}\n")).collect();
        format!(
            "conformance of {}: {passed} passed; {failed} failed; {skipped} not applicable\n{reasons}",
            self.harness
        )
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
        let not_applicable =
            |case: &str| NotApplicable { case: case.to_owned(), reason: "the toy has no upstream".to_owned() };
        report.not_applicable = vec![not_applicable("b"), not_applicable("a")];
        report.passed = vec![Passed { case: "c".to_owned(), proves: vec!["get: a promise".to_owned()] }];
        report.sort();
        report
    }

    #[test]
    fn the_text_groups_cases_by_reason() {
        let text = report().to_string();
        assert_eq!(
            text,
            "conformance of toy: 1 passed; 0 failed; 2 not applicable\n  not applicable, 2 cases: the toy has no upstream\n"
        );
    }

    #[test]
    fn the_json_is_sorted_and_round_trips() {
        let report = report();
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.find(r#""case":"a""#) < json.find(r#""case":"b""#));
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    #[should_panic(expected = "0 passed")]
    fn an_empty_run_is_not_ok() {
        Report::new("toy", Capabilities::all()).assert_ok();
    }
}
