//! Checks the manifests with the tools that read them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::SOURCES;
use super::kubernetes::{self, Schemas};
use crate::built_tool::{HELM, KUSTOMIZE};
use crate::prerequisites::{self, GO, PROMETHEUS, PYTHON, SYSTEMD};
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The highest exposure that `systemd-analyze security` may report for the unit, of 10.
const MAX_EXPOSURE: f32 = 1.5;

/// The values with which the chart is rendered, beside the defaults.
const VALUES: [&[&str]; 3] = [
    &["secrets={acme}", "ingress.enabled=true", "tls.secretName=tls", "metrics.podMonitor=true", "metrics.rules=true"],
    &["store.type=redis", "replicas=3"],
    &["store.type=redis", "autoscaling.enabled=true", "networkPolicy.enabled=false"],
];

/// A field with a misspelt name, which the schemas refuse.
const MISSPELT: [&str; 2] = ["readOnlyRootFilesystem", "readonlyRootFilesystem"];

/// Runs all checks.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(&[&PROMETHEUS, &SYSTEMD, &GO, &PYTHON])?;
    let sources = workspace.root.join(SOURCES);
    check_rules(&sources).context("the alert rules cannot be used")?;
    check_dashboard(workspace).context("the dashboard cannot be used")?;
    check_unit(&sources).context("the unit cannot be used")?;
    let schemas = Schemas::install(workspace)?;
    let chart = Chart { helm: HELM.ensure(workspace)?, folder: sources.join("helm") };
    chart.check(&schemas).context("the chart cannot be used")?;
    let kustomize = KUSTOMIZE.ensure(workspace)?;
    check_kustomize(&kustomize, &sources, &schemas).context("the kustomize base cannot be used")?;
    status::step(
        "Checked",
        format!("the chart and the kustomize base for Kubernetes {}", kubernetes::VERSIONS.join(", ")),
    );
    Ok(())
}

/// Checks and tests the alert rules. The tests name each alert.
fn check_rules(sources: &Path) -> Result<()> {
    let [rules, tests] = ["alerts.yaml", "alerts.test.yaml"].map(|name| sources.join("monitoring").join(name));
    for (command, file) in [("check", &rules), ("test", &tests)] {
        process::run(Command::new("promtool").args([command, "rules"]).arg(file))?;
    }
    let (rules, tests) = (files::read(&rules)?, files::read(&tests)?);
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let untested: Vec<&str> = alerts.filter(|alert| !tests.contains(&format!("\"{alert}\""))).collect();
    if !untested.is_empty() {
        bail!("no test of `alerts.test.yaml` names {}", untested.join(", "));
    }
    Ok(())
}

/// Checks the dashboard against the types of Grafana.
fn check_dashboard(workspace: &Workspace) -> Result<()> {
    let dashboard = workspace.root.join(SOURCES).join("monitoring/dashboard.json");
    let mut go = Command::new(GO.path()?);
    process::run(go.args(["run", "."]).arg(dashboard).current_dir(workspace.root.join("tests/dashboard")))?;
    status::step("Checked", "the dashboard");
    Ok(())
}

/// Renders the base and the example, and checks them against the schemas.
fn check_kustomize(kustomize: &Path, sources: &Path, schemas: &Schemas) -> Result<()> {
    for folder in ["kustomize/base", "kustomize/example-redis"] {
        let manifests = process::output(Command::new(kustomize).arg("build").arg(sources.join(folder)))?;
        schemas.check(&manifests)?;
    }
    Ok(())
}

/// Limits the exposure of the unit.
fn check_unit(sources: &Path) -> Result<()> {
    let unit = sources.join("systemd/idp-bridge.service");
    let mut analyze = Command::new("systemd-analyze");
    let report = process::output(analyze.args(["security", "--offline=true", "--no-pager"]).arg(&unit))?;
    let exposure = exposure(&report).context("the report of `systemd-analyze security` has no exposure level")?;
    if exposure > MAX_EXPOSURE {
        bail!("the exposure of `{}` is {exposure}, at most {MAX_EXPOSURE}", unit.display());
    }
    status::step("Checked", format!("the unit: exposure {exposure} of 10"));
    Ok(())
}

/// Parses the last line of the report, such as `→ Overall exposure level for idp-bridge.service: 1.4 OK`.
fn exposure(report: &str) -> Option<f32> {
    let line = report.lines().rfind(|line| line.contains("Overall exposure level"))?;
    line.split_once(".service: ")?.1.split_whitespace().next()?.parse().ok()
}

/// The chart, and the program that renders it.
struct Chart {
    helm: PathBuf,
    folder: PathBuf,
}

impl Chart {
    /// Renders the chart with several values, and checks the manifests against the schemas.
    fn check(&self, schemas: &Schemas) -> Result<()> {
        process::run(Command::new(&self.helm).args(["lint", "--strict", "--quiet"]).arg(&self.folder))?;
        for values in VALUES {
            let manifests = self.render(values)?;
            schemas.check(&manifests).with_context(|| format!("with the values {}", values.join(" ")))?;
            let [name, misspelt] = MISSPELT;
            if !manifests.contains(name) || schemas.check(&manifests.replace(name, misspelt)).is_ok() {
                bail!("the schemas accept the unknown field `{misspelt}`");
            }
        }
        let refused = self.render(&["replicas=2"]);
        if !refused.is_err_and(|error| error.to_string().contains("several replicas need")) {
            bail!("the chart accepts several replicas with one file");
        }
        Ok(())
    }

    fn render(&self, values: &[&str]) -> Result<String> {
        let mut helm = Command::new(&self.helm);
        // A build of Helm from source assumes an old version of Kubernetes.
        helm.args(["template", "idp-bridge", "--namespace", "idp-bridge", "--kube-version", kubernetes::VERSIONS[0]]);
        process::output(helm.arg(&self.folder).args(values.iter().flat_map(|value| ["--set", value])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposure_is_parsed() {
        let report = "✓ UMask=  …\n\n→ Overall exposure level for idp-bridge.service: 1.4 OK 🙂\n";
        assert_eq!(exposure(report), Some(1.4));
        assert_eq!(exposure("nothing"), None);
    }
}
