//! Whether the program builds with any of its connectors left out, and then without what only they need.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, process, status};

const PROGRAM: &str = "idp-bridge";
const CONNECTOR: &str = "idp-bridge-connector-";

/// The connector that brings the AWS SDK, and how the packages of that are called; `aws-lc` is the library for cryptography.
const COGNITO: &str = "cognito";
const AWS: &str = "aws-";
const CRYPTOGRAPHY: &str = "aws-lc";

/// Builds the program with each connector alone and with none, without a warning.
pub(crate) fn check(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let connectors = connectors(workspace);
    for chosen in [""].iter().chain(&connectors) {
        let mut cargo = Command::new(environment::cargo());
        cargo.current_dir(&workspace.root).args(["clippy", "--quiet", "--package", PROGRAM]);
        cargo.args(["--no-default-features", "--features", chosen, "--", "--deny", "warnings"]);
        let with = if chosen.is_empty() { "no connector" } else { chosen };
        process::run(&mut cargo, interrupt).with_context(|| format!("the program does not build with {with} alone"))?;
    }
    without_aws(workspace, &connectors)?;
    status::step("Built", format!("the program with none of {} connectors, and with each alone", connectors.len()));
    Ok(())
}

/// The features of the program that are its connectors.
fn connectors(workspace: &Workspace) -> BTreeSet<&str> {
    let program = workspace.members().iter().filter(|package| package.name == PROGRAM);
    let optional = program.flat_map(|package| &package.dependencies).filter(|dependency| dependency.optional);
    optional.filter_map(|dependency| dependency.name.strip_prefix(CONNECTOR)).collect()
}

fn without_aws(workspace: &Workspace, connectors: &BTreeSet<&str>) -> Result<()> {
    let others: Vec<&str> = connectors.iter().copied().filter(|connector| *connector != COGNITO).collect();
    let chosen = ["--package", PROGRAM, "--edges", "normal", "--no-default-features", "--features", &others.join(",")];
    let built = workspace.built_with(&chosen)?;
    let aws: Vec<&str> = built.iter().map(|package| package.name.as_str()).filter(|name| is_aws(name)).collect();
    if !aws.is_empty() {
        bail!("the program without `{COGNITO}` is built with {}", aws.join(", "));
    }
    Ok(())
}

fn is_aws(package: &str) -> bool {
    package.starts_with(AWS) && !package.starts_with(CRYPTOGRAPHY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connectors_are_the_optional_ones_of_the_program() {
        let workspace = Workspace::read().unwrap();
        let connectors = connectors(&workspace);
        assert!(connectors.contains("memory") && connectors.contains("keycloak"), "{connectors:?}");
    }

    #[test]
    fn the_library_for_cryptography_is_no_part_of_the_sdk() {
        assert!(is_aws("aws-config") && is_aws("aws-smithy-types"));
        assert!(!is_aws("aws-lc-rs") && !is_aws("aws-lc-sys") && !is_aws("serde"));
    }
}
