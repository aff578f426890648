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

/// Runs all checks.
pub(super) fn check(sources: &Path) -> Result<()> {
    let rules = sources.join("monitoring/alerts.yaml");
    process::run(Command::new("promtool").args(["check", "rules"]).arg(rules))
        .context("the alert rules are invalid; hint: promtool is in the package `prometheus` of Debian")?;
    check_unit(&sources.join("systemd/idp-bridge.service"))?;
    check_chart(&sources.join("helm"))?;
    for folder in ["kustomize/base", "kustomize/example-redis"] {
        process::output(Command::new("kustomize").arg("build").arg(sources.join(folder)))
            .context("hint: `go install sigs.k8s.io/kustomize/kustomize/v5@latest` installs kustomize")?;
    }
    status::step("Checked", "alert rules, unit, chart and kustomize base");
    Ok(())
}

/// Limits the exposure of the unit.
fn check_unit(unit: &Path) -> Result<()> {
    let mut analyze = Command::new("systemd-analyze");
    let report = process::output(analyze.args(["security", "--offline=true", "--no-pager"]).arg(unit))
        .context("hint: systemd-analyze is in the package `systemd` of Debian")?;
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
fn check_chart(chart: &Path) -> Result<()> {
    const HINT: &str = "hint: `go install helm.sh/helm/v3/cmd/helm@v3.19.0` installs Helm";
    process::run(Command::new("helm").args(["lint", "--strict", "--quiet"]).arg(chart)).context(HINT)?;
    for values in VALUES {
        process::output(helm_template(chart, values).args(["--namespace", "idp-bridge"])).context(HINT)?;
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
