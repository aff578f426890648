//! Checks rendered manifests against the schemas of Kubernetes, which the Python package `kubernetes-validate` contains.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{files, lab};

const PACKAGE: &str = "kubernetes-validate==1.37.0";
/// The oldest version of Kubernetes that the manifests support, and the newest one that the package contains.
pub(super) const VERSIONS: [&str; 2] = ["1.31.0", "1.37.0"];
/// The kinds of the Prometheus Operator, which Kubernetes has no schema of.
const OTHER_KINDS: [&str; 2] = ["PodMonitor", "PrometheusRule"];

/// The schemas of Kubernetes.
#[derive(Debug)]
pub(super) struct Schemas {
    python: PathBuf,
}

impl Schemas {
    /// Installs the schemas, unless they are installed.
    pub(super) fn install(workspace: &Workspace) -> Result<Self> {
        let folder = lab::folder(workspace);
        let (home, log) = (folder.join("kubernetes-validate"), folder.join("log/pip-kubernetes-validate.log"));
        let python = lab::packages::install_python(&home, &[PACKAGE], "import kubernetes_validate", &log)?;
        Ok(Self { python })
    }

    /// Checks rendered manifests in all versions.
    pub(super) fn check(&self, manifests: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("manifests.yaml");
        files::write(&file, manifests)?;
        for version in VERSIONS {
            let mut validate = Command::new(&self.python);
            validate.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", version]).arg(&file);
            let output = validate.output().context("cannot run kubernetes-validate")?;
            let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            let problems = problems(&report);
            if !problems.is_empty() || !output.status.success() {
                bail!("Kubernetes {version} refuses a manifest\n  {}", problems.join("\n  "));
            }
        }
        Ok(())
    }
}

/// Returns the lines that report neither a valid manifest nor a kind of the Prometheus Operator.
fn problems(report: &str) -> Vec<&str> {
    let is_other = |line: &str| {
        line.starts_with("WARN ") && OTHER_KINDS.iter().any(|kind| line.contains(&format!("schema for kind {kind} ")))
    };
    report.lines().filter(|line| !line.starts_with("INFO ") && !is_other(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_unknown_kinds_are_problems() {
        let report = "INFO a.yaml passed for resource service/a against version 1.31\n\
            WARN Couldn't find schema for kind PodMonitor with api version monitoring.coreos.com/v1\n\
            WARN Couldn't find schema for kind Deploymnt with api version apps/v1\n\
            ERROR a.yaml did not validate for resource deployment/a against version 1.31: …\n";
        let problems = problems(report);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("Deploymnt") && problems[1].starts_with("ERROR"), "{problems:?}");
    }
}
