//! Checks that the program builds with each connector alone and with none.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{process, status};

const PROGRAM: &str = "idp-bridge";
const CONNECTOR: &str = "idp-bridge-connector-";
/// The connector that needs the AWS SDK.
const COGNITO: &str = "cognito";

/// Lints the program with each connector alone and with none; without Cognito it must not need the AWS SDK.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let connectors = connectors(workspace);
    for connector in [""].iter().chain(&connectors) {
        // The package alone: the other packages of the workspace would enable features that the program itself lacks.
        let selection = ["clippy", "--quiet", "--package", PROGRAM, "--no-default-features", "--features", connector];
        let name = if connector.is_empty() { "no connector" } else { connector };
        process::run(workspace.cargo(&selection).args(["--", "--deny", "warnings"]))
            .with_context(|| format!("the program does not build with {name} alone"))?;
    }
    let others: Vec<&str> = connectors.iter().copied().filter(|connector| *connector != COGNITO).collect();
    let others = others.join(",");
    let selection = ["--package", PROGRAM, "--edges", "normal", "--no-default-features", "--features", &others];
    let dependencies = workspace.dependencies(&selection)?;
    let aws: Vec<&str> = dependencies.iter().map(|package| &*package.name).filter(|name| is_aws_sdk(name)).collect();
    if !aws.is_empty() {
        bail!("the program without `{COGNITO}` depends on {}", aws.join(", "));
    }
    status::step("Built", format!("the program with none of {} connectors, and with each alone", connectors.len()));
    Ok(())
}

/// Returns the features of the program that enable a connector.
fn connectors(workspace: &Workspace) -> BTreeSet<&str> {
    let program = workspace.members().iter().filter(|package| package.name == PROGRAM);
    let optional = program.flat_map(|package| &package.dependencies).filter(|dependency| dependency.optional);
    optional.filter_map(|dependency| dependency.name.strip_prefix(CONNECTOR)).collect()
}

/// Whether a package is part of the AWS SDK. `aws-lc` is the cryptography library, which every build needs.
fn is_aws_sdk(package: &str) -> bool {
    package.starts_with("aws-") && !package.starts_with("aws-lc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cryptography_is_not_the_aws_sdk() {
        assert!(is_aws_sdk("aws-config") && is_aws_sdk("aws-smithy-types"));
        assert!(!is_aws_sdk("aws-lc-rs") && !is_aws_sdk("aws-lc-sys") && !is_aws_sdk("serde"));
    }
}
