//! Checks the manifests with the tools that read them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, status};

/// The highest exposure that `systemd-analyze security` may report for the unit, of 10.
const MAX_EXPOSURE: f32 = 1.5;

/// The values with which the chart is rendered, beside the defaults.
const VALUES: [&[&str]; 3] = [
    &["secrets={acme}", "ingress.enabled=true", "tls.secretName=tls", "metrics.podMonitor=true", "metrics.rules=true"],
    &["store.type=redis", "replicas=3"],
    &["store.type=redis", "autoscaling.enabled=true", "networkPolicy.enabled=false"],
];

/// A check of a part of the folder, and the program that it needs.
struct Check {
    part: &'static str,
    program: &'static str,
    /// The arguments with which the program succeeds.
    probe: &'static [&'static str],
    hint: &'static str,
    run: fn(&Path) -> Result<()>,
}

const CHECKS: [Check; 4] = [
    Check {
        part: "alert rules",
        program: "promtool",
        probe: &["--version"],
        hint: "promtool is in the package `prometheus` of Debian",
        run: check_rules,
    },
    Check {
        part: "unit",
        program: "systemd-analyze",
        probe: &["--version"],
        hint: "systemd-analyze is in the package `systemd` of Debian",
        run: check_unit,
    },
    Check {
        part: "chart",
        program: "helm",
        probe: &["version"],
        hint: "`go install helm.sh/helm/v3/cmd/helm@v3.19.0` installs Helm",
        run: check_chart,
    },
    Check {
        part: "kustomize base",
        program: "kustomize",
        probe: &["version"],
        hint: "`go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1` installs kustomize",
        run: check_kustomize,
    },
];

/// Runs all checks. A check without its program fails, or is named and left out.
pub(super) fn check(sources: &Path, is_complete: bool) -> Result<()> {
    for Check { part, program, probe, hint, run } in CHECKS {
        if process::output(Command::new(program).args(probe)).is_ok() {
            run(sources).with_context(|| format!("the {part} cannot be used"))?;
            status::step("Checked", format!("{part} with {program}"));
        } else if is_complete {
            bail!("{program} is not installed, which checks the {part}; hint: {hint}");
        } else {
            status::note(format!("{program} is not installed, so the {part} is not checked; hint: {hint}"));
        }
    }
    Ok(())
}

fn check_rules(sources: &Path) -> Result<()> {
    process::run(Command::new("promtool").args(["check", "rules"]).arg(sources.join("monitoring/alerts.yaml")))
}

fn check_kustomize(sources: &Path) -> Result<()> {
    for folder in ["kustomize/base", "kustomize/example-redis"] {
        process::output(Command::new("kustomize").arg("build").arg(sources.join(folder)))?;
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

/// Renders the chart with several values, and checks that replicas over a file are refused.
fn check_chart(sources: &Path) -> Result<()> {
    let chart = &sources.join("helm");
    process::run(Command::new("helm").args(["lint", "--strict", "--quiet"]).arg(chart))?;
    for values in VALUES {
        process::output(helm_template(chart, values).args(["--namespace", "idp-bridge"]))?;
    }
    let refused = process::output(&mut helm_template(chart, &["replicas=2"]));
    if !refused.is_err_and(|error| error.to_string().contains("several replicas need")) {
        bail!("the chart accepts several replicas with one file");
    }
    Ok(())
}

fn helm_template(chart: &Path, values: &[&str]) -> Command {
    let mut helm = Command::new("helm");
    // A build of Helm from source assumes an old version of Kubernetes.
    helm.args(["template", "idp-bridge", "--kube-version", "1.31.0"]).arg(chart);
    helm.args(values.iter().flat_map(|value| ["--set", value]));
    helm
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
