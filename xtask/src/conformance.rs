//! The reports that the conformance suite leaves: one for each connector and what it was run against.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::files;
use crate::workspace::Workspace;

/// One report, as `idp_bridge_conformance::Report` is written.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// What was tested, such as `keycloak (fake)`.
    pub(crate) harness: String,
    passed: Vec<Case>,
    failed: Vec<Case>,
    not_applicable: Vec<Case>,
    /// What was seen to die at a logout, and what to live on.
    #[serde(default)]
    pub(crate) observations: Vec<Observation>,
}

/// A thing that lived before a logout, and whether it lived afterwards.
#[derive(Debug, Deserialize)]
pub(crate) struct Observation {
    /// Which logout.
    pub(crate) logout: String,
    /// What was looked at.
    pub(crate) what: String,
    /// Whether it lived afterwards.
    pub(crate) lives: bool,
}

#[derive(Debug, Deserialize)]
struct Case {
    case: String,
    #[serde(default)]
    reason: String,
}

impl Report {
    /// How many cases passed.
    pub(crate) fn passed(&self) -> usize {
        self.passed.len()
    }

    /// How many cases were run.
    pub(crate) fn run(&self) -> usize {
        self.passed.len() + self.failed.len()
    }

    /// How many cases about federation passed, and how many were run.
    pub(crate) fn federation(&self) -> (usize, usize) {
        let count = |cases: &[Case]| cases.iter().filter(|case| case.case.starts_with("federation_")).count();
        let passed = count(&self.passed);
        (passed, passed + count(&self.failed))
    }

    /// Why cases were not applicable, and how many for each reason.
    pub(crate) fn not_applicable(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for case in &self.not_applicable {
            *reasons.entry(case.reason.as_str()).or_default() += 1;
        }
        reasons
    }

    /// It all in a line.
    pub(crate) fn summary(&self) -> String {
        let Self { harness, failed, not_applicable, .. } = self;
        let counts = format!("{} cases passed, {} failed", self.passed(), failed.len());
        format!("{harness}: {counts}, {} not applicable", not_applicable.len())
    }
}

/// Where the suite writes its reports: below `CARGO_TARGET_TMPDIR`.
fn written(workspace: &Workspace) -> PathBuf {
    workspace.target_directory.join("tmp/conformance")
}

/// Where the reports of a whole run are kept, apart from those of a run of a few crates.
fn kept(workspace: &Workspace) -> PathBuf {
    workspace.target_directory.join("conformance")
}

/// Forgets all reports: what an earlier run proved is not what the next one proves.
pub(crate) fn forget(workspace: &Workspace) -> Result<()> {
    files::remove(&written(workspace))?;
    files::remove(&kept(workspace))
}

/// Keeps the reports of a run that has just ended well, and answers them.
pub(crate) fn keep(workspace: &Workspace) -> Result<Vec<Report>> {
    if written(workspace).exists() {
        files::copy_flat_folder(&written(workspace), &kept(workspace))?;
    }
    read(workspace)
}

/// All reports of the last whole run, by name; none if there was none.
pub(crate) fn read(workspace: &Workspace) -> Result<Vec<Report>> {
    let Ok(entries) = fs::read_dir(kept(workspace)) else { return Ok(Vec::new()) };
    let mut reports: Vec<Report> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path)?;
            reports.push(serde_json::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))?);
        }
    }
    reports.sort_by(|one, other| one.harness.cmp(&other.harness));
    Ok(reports)
}

#[cfg(test)]
impl Report {
    /// One case of each outcome.
    pub(crate) fn sample(harness: &str) -> Self {
        let json = r#"{"harness": "", "capabilities": {},
            "passed": [{"case": "federation_logout::a", "proves": []}],
            "failed": [{"case": "b", "proves": [], "reason": "was not found"}],
            "not_applicable": [{"case": "c", "reason": "no clock to turn"}],
            "observations": [
                {"logout": "with all its tokens", "what": "access token at userinfo", "lives": false},
                {"logout": "with all its tokens", "what": "another login's refresh token", "lives": true}]}"#;
        Self { harness: harness.to_owned(), ..serde_json::from_str(json).unwrap() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_summed_up_in_a_line() {
        let report = Report::sample("keycloak (fake)");
        assert_eq!(report.summary(), "keycloak (fake): 1 cases passed, 1 failed, 1 not applicable");
        assert_eq!(report.federation(), (1, 1));
        assert_eq!(report.not_applicable(), BTreeMap::from([("no clock to turn", 1)]));
    }
}
