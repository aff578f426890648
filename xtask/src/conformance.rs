//! The reports of the conformance suite: one for each connector and identity provider that it was run with.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::files;
use crate::workspace::Workspace;

/// A report, as `idp_bridge_conformance::Report` is serialized.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// The connector and its server, such as `keycloak (fake)`.
    pub(crate) harness: String,
    /// The cases that passed.
    pub(crate) passed: Vec<Case>,
    /// The cases that failed.
    pub(crate) failed: Vec<Case>,
    not_applicable: Vec<Case>,
    /// Which tokens were valid after a logout.
    #[serde(default)]
    pub(crate) observations: Vec<Observation>,
}

/// A token that was valid before a logout.
#[derive(Debug, Deserialize)]
pub(crate) struct Observation {
    /// The logout.
    pub(crate) logout: String,
    /// The token and where it was checked.
    pub(crate) what: String,
    /// Whether it was valid afterwards.
    pub(crate) is_valid: bool,
}

/// A case, with the reason why it failed or is not applicable.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) case: String,
    #[serde(default)]
    pub(crate) reason: String,
}

impl Report {
    /// Returns the connector and the server it was tested with: `fake`, the name of a stand-in, or `real`.
    pub(crate) fn target(&self) -> (&str, &str) {
        let named = self.harness.strip_suffix(')').and_then(|name| name.split_once(" ("));
        named.unwrap_or((&self.harness, "real"))
    }

    /// Returns how many cases with this prefix passed, and how many ran.
    pub(crate) fn counts(&self, prefix: &str) -> (usize, usize) {
        let count = |cases: &[Case]| cases.iter().filter(|case| case.case.starts_with(prefix)).count();
        let passed = count(&self.passed);
        (passed, passed + count(&self.failed))
    }

    /// Returns the number of cases that were not applicable, by reason.
    pub(crate) fn not_applicable(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for case in &self.not_applicable {
            *reasons.entry(case.reason.as_str()).or_default() += 1;
        }
        reasons
    }

    /// Returns the counts as one line.
    pub(crate) fn summary(&self) -> String {
        let Self { harness, passed, failed, not_applicable, .. } = self;
        let [passed, failed, skipped] = [passed, failed, not_applicable].map(Vec::len);
        format!("{harness}: {passed} cases passed, {failed} failed, {skipped} not applicable")
    }
}

/// Returns the folder that the suite writes to, and the folder with the reports of the last complete run.
fn folders(workspace: &Workspace) -> [PathBuf; 2] {
    ["tmp/conformance", "conformance"].map(|folder| workspace.target_directory.join(folder))
}

/// Removes the reports of earlier runs.
pub(crate) fn remove_reports(workspace: &Workspace) -> Result<()> {
    folders(workspace).iter().try_for_each(|folder| files::remove(folder))
}

/// Keeps the reports of a complete run that passed, and returns them.
pub(crate) fn keep_reports(workspace: &Workspace) -> Result<Vec<Report>> {
    let [written, kept] = folders(workspace);
    if written.exists() {
        files::copy_flat_folder(&written, &kept)?;
    }
    read_reports(workspace)
}

/// Returns the reports of the last complete run, sorted by name.
pub(crate) fn read_reports(workspace: &Workspace) -> Result<Vec<Report>> {
    let [_, kept] = folders(workspace);
    let Ok(entries) = fs::read_dir(kept) else { return Ok(Vec::new()) };
    let mut reports: Vec<Report> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let report = serde_json::from_str(&files::read(&path)?);
            reports.push(report.with_context(|| format!("cannot parse `{}`", path.display()))?);
        }
    }
    reports.sort_by(|one, other| one.harness.cmp(&other.harness));
    Ok(reports)
}

#[cfg(test)]
impl Report {
    /// Returns a report with one case of each outcome.
    pub(crate) fn sample(harness: &str) -> Self {
        let json = r#"{"harness": "", "capabilities": {},
            "passed": [{"case": "federation_logout::a", "proves": []}],
            "failed": [{"case": "b", "proves": [], "reason": "was not found"}],
            "not_applicable": [{"case": "c", "reason": "no clock to turn"}],
            "observations": [
                {"logout": "with all its tokens", "what": "access token at userinfo", "is_valid": false},
                {"logout": "with all its tokens", "what": "another login's refresh token", "is_valid": true}]}"#;
        Self { harness: harness.to_owned(), ..serde_json::from_str(json).unwrap() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_a_one_line_summary() {
        let report = Report::sample("keycloak (fake)");
        assert_eq!(report.summary(), "keycloak (fake): 1 cases passed, 1 failed, 1 not applicable");
        assert_eq!((report.counts("federation_"), report.counts("")), ((1, 1), (1, 2)));
        assert_eq!(report.not_applicable(), BTreeMap::from([("no clock to turn", 1)]));
    }
}
