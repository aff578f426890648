//! The reports that the conformance suite leaves: one for each connector and what it was run against.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::Workspace;

/// One report.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// What was tested, such as `keycloak (fake)`.
    pub(crate) name: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    result: Outcome,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Failed,
    NotApplicable,
}

/// How the cases of a report ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that passed.
    pub(crate) passed: usize,
    /// Those that failed.
    pub(crate) failed: usize,
    /// Those that the environment or the connector cannot have, with a reason.
    pub(crate) not_applicable: usize,
}

impl Counts {
    /// Those that were run.
    pub(crate) fn run(self) -> usize {
        self.passed + self.failed
    }
}

impl Report {
    /// How its cases ended.
    pub(crate) fn counts(&self) -> Counts {
        let count = |outcome| self.cases.iter().filter(|case| case.result == outcome).count();
        Counts {
            passed: count(Outcome::Passed),
            failed: count(Outcome::Failed),
            not_applicable: count(Outcome::NotApplicable),
        }
    }

    /// Why cases were not applicable, and how many for each reason.
    pub(crate) fn not_applicable(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for case in self.cases.iter().filter(|case| case.result == Outcome::NotApplicable) {
            *reasons.entry(case.reason.as_deref().unwrap_or("no reason given")).or_default() += 1;
        }
        reasons
    }
}

/// Where the reports are.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target_directory.join("conformance")
}

/// All reports of the last run, by name.
pub(crate) fn read(workspace: &Workspace) -> Result<Vec<Report>> {
    let Ok(entries) = fs::read_dir(folder(workspace)) else { return Ok(Vec::new()) };
    let mut reports: Vec<Report> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path)?;
            reports.push(serde_json::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))?);
        }
    }
    reports.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(reports)
}

/// A line for each report.
pub(crate) fn summary(reports: &[Report]) -> Vec<String> {
    let line = |report: &Report| {
        let Counts { passed, failed, not_applicable } = report.counts();
        format!("{}: {passed} cases passed, {failed} failed, {not_applicable} not applicable", report.name)
    };
    reports.iter().map(line).collect()
}

#[cfg(test)]
impl Report {
    /// One case of each outcome.
    pub(crate) fn sample() -> Self {
        let json = r#"{"name": "keycloak (fake)", "cases": [
            {"name": "a", "result": "passed"}, {"name": "b", "result": "failed", "reason": "was not found"},
            {"name": "c", "result": "not_applicable", "reason": "no clock to turn"}]}"#;
        serde_json::from_str(json).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_summed_up_in_a_line() {
        let lines = summary(&[Report::sample()]);
        assert_eq!(lines, ["keycloak (fake): 1 cases passed, 1 failed, 1 not applicable"]);
        assert_eq!(Report::sample().not_applicable(), BTreeMap::from([("no clock to turn", 1)]));
    }
}
