//! Checks that the program builds with each connector alone and with none.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{EVERYTHING, Workspace};
use crate::{process, status};

const PROGRAM: &str = "idp-bridge";
const CONNECTOR: &str = "idp-bridge-connector-";
/// The connector that needs the AWS SDK.
const COGNITO: &str = "cognito";
/// The HTTP client of the AWS SDK, which only the host's own credentials need.
const AWS_CLIENT: &str = "aws-smithy-http-client";
/// The package with which third-party crates have the features that they have in the whole workspace.
const TEST_FEATURES: &str = "idp-bridge-test-features";

/// Lints the program with each connector alone and with none; without Cognito it must not need the AWS SDK.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let connectors = connectors(workspace);
    for connector in [""].iter().chain(&connectors) {
        // The other packages of the workspace would enable features that the program itself lacks.
        let features = features_with(connector);
        let selection =
            ["--package", PROGRAM, "--package", TEST_FEATURES, "--no-default-features", "--features", &features];
        // Without the dependencies of tests, which such a build does not need.
        check_reuse(workspace, workspace.cargo(&["tree", "--edges=normal,build"]).args(selection))?;
        let name = if connector.is_empty() { "no connector" } else { connector };
        process::run(workspace.cargo(&["clippy", "--quiet"]).args(selection).args(["--", "--deny", "warnings"]))
            .with_context(|| format!("the program does not build with {name} alone"))?;
    }
    let others: Vec<&str> = connectors.iter().copied().filter(|connector| *connector != COGNITO).collect();
    expect_absent(workspace, &others.join(","), is_aws_sdk)?;
    expect_absent(workspace, COGNITO, |package| package == AWS_CLIENT)?;
    status::step("Built", format!("the program with none of {} connectors, and with each alone", connectors.len()));
    Ok(())
}

/// Fails if the program with these features depends on a package.
fn expect_absent(workspace: &Workspace, features: &str, is_unwanted: impl Fn(&str) -> bool) -> Result<()> {
    let selection = ["--package", PROGRAM, "--edges", "normal", "--no-default-features", "--features", features];
    let dependencies = workspace.dependencies(&selection)?;
    let unwanted: Vec<&str> =
        dependencies.iter().map(|package| &*package.name).filter(|name| is_unwanted(name)).collect();
    if !unwanted.is_empty() {
        bail!("the program with only `{features}` depends on {}", unwanted.join(", "));
    }
    Ok(())
}

/// Returns the features of a build with one connector or none.
fn features_with(connector: &str) -> String {
    match connector {
        "" => String::new(),
        COGNITO => format!("{PROGRAM}/{COGNITO},{TEST_FEATURES}/aws"),
        _ => format!("{PROGRAM}/{connector}"),
    }
}

/// Fails if a build needs a third-party crate with other features than the whole workspace, which takes minutes.
///
/// The argument is a `cargo tree` with the selection of the build.
pub(crate) fn check_reuse(workspace: &Workspace, tree: &mut Command) -> Result<()> {
    let built = process::output(workspace.cargo(&["tree"]).args(EVERYTHING).args(FORMAT))?;
    let needed = process::output(tree.args(FORMAT))?;
    let again = missing(&needed, &built);
    if !again.is_empty() {
        let list = again.join("\n  ");
        bail!(
            "third-party crates would be built again, with these features\n  {list}\nhint: list the features of the whole workspace in `crates/{TEST_FEATURES}`"
        );
    }
    Ok(())
}

/// Prints a package with its features on each line.
const FORMAT: [&str; 2] = ["--prefix=none", "--format={p} [{f}]"];

/// Returns the third-party crates that are only in the first of two lists of `cargo tree`.
fn missing<'t>(needed: &'t str, built: &str) -> Vec<&'t str> {
    let clean = |line: &'_ str| line.replace(" (proc-macro)", "").replace(" (*)", "");
    let built: BTreeSet<String> = built.lines().map(clean).collect();
    // A package of a workspace has its path.
    let third_party = needed.lines().filter(|line| !line.contains(" (/") && !line.is_empty());
    let again: BTreeSet<&str> = third_party.filter(|line| !built.contains(&clean(line))).collect();
    again.into_iter().collect()
}

/// Returns the features of the program that enable a connector.
fn connectors(workspace: &Workspace) -> BTreeSet<&str> {
    let program = workspace.members().iter().filter(|package| package.name == PROGRAM);
    let optional = program.flat_map(|package| &package.dependencies).filter(|dependency| dependency.optional);
    optional.filter_map(|dependency| dependency.name.strip_prefix(CONNECTOR)).collect()
}

/// Returns whether a package is part of the AWS SDK. `aws-lc` is the cryptography library, which every build needs.
fn is_aws_sdk(package: &str) -> bool {
    package.starts_with("aws-") && !package.starts_with("aws-lc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_with_other_features_are_found() {
        let built = "serde v1.0.1 [std] (*)\nidp-bridge v0.1.0 (/work) [a]\nsyn v2.0.0 (proc-macro) [full]\n";
        let needed = "idp-bridge v0.1.0 (/work) [b]\nserde v1.0.1 [std]\nsyn v2.0.0 (proc-macro) [full] (*)\n";
        assert!(missing(needed, built).is_empty());
        assert_eq!(missing("serde v1.0.1 [alloc,std]\n", built), ["serde v1.0.1 [alloc,std]"]);
    }

    #[test]
    fn cryptography_is_not_the_aws_sdk() {
        assert!(is_aws_sdk("aws-config") && is_aws_sdk("aws-smithy-types"));
        assert!(!is_aws_sdk("aws-lc-rs") && !is_aws_sdk("aws-lc-sys") && !is_aws_sdk("serde"));
    }
}
