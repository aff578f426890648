//! Writes the list of the program's components (SBOM) in the format CycloneDX, and checks that it is complete.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::build::{PROGRAM, commit_time};
use crate::built_tool::CYCLONEDX;
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The name of the list. cargo-cyclonedx writes one beside each manifest of the workspace.
const NAME: &str = "idp-bridge.cdx";
const FILE: &str = "idp-bridge.cdx.json";

/// The part of the list that is checked.
#[derive(Debug, Deserialize)]
struct List {
    components: Vec<Component>,
}

#[derive(Debug, Deserialize)]
struct Component {
    name: String,
}

/// Writes the list to the folder of the results.
pub(super) fn write(workspace: &Workspace, results: &Path) -> Result<()> {
    let mut cyclonedx = Command::new(CYCLONEDX.ensure(workspace)?);
    cyclonedx.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]);
    cyclonedx.args(["--override-filename", NAME]).current_dir(&workspace.root);
    process::run(cyclonedx.env("SOURCE_DATE_EPOCH", commit_time(workspace)?))?;
    let mut list = None;
    for member in workspace.members() {
        let file = member.manifest_path.with_file_name(FILE);
        if member.name == PROGRAM {
            list = Some(files::read(&file)?);
        }
        files::remove(&file)?;
    }
    let list = list.context("cargo-cyclonedx wrote no list of the program")?;
    let parsed: List = serde_json::from_str(&list).context("the list of components is not CycloneDX")?;
    let packages = built(workspace)?;
    let missing = missing(&parsed, &packages);
    if !missing.is_empty() {
        bail!("the list of components lacks {}", missing.join(", "));
    }
    // The folder of the sources is not part of a reproducible list.
    let list = list.replace(&format!("{}/", workspace.root.display()), "");
    files::write(&results.join(FILE), &list)?;
    status::step("Listed", format!("{} components in `{FILE}`", parsed.components.len()));
    Ok(())
}

/// Returns the names of the packages in the program.
fn built(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let tree = ["tree", "--package", PROGRAM, "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"];
    let lines = process::output(&mut workspace.cargo(&tree))?;
    let names = lines.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != PROGRAM);
    Ok(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Returns the packages that the list lacks.
fn missing<'p>(list: &List, packages: &'p BTreeSet<String>) -> Vec<&'p str> {
    let listed: BTreeSet<&str> = list.components.iter().map(|component| component.name.as_str()).collect();
    packages.iter().map(String::as_str).filter(|name| !listed.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_not_listed_are_missing() {
        let list: List = serde_json::from_str(r#"{"components": [{"name": "serde"}, {"name": "tokio"}]}"#).unwrap();
        let packages = ["serde", "hyper"].map(str::to_owned).into();
        assert_eq!(missing(&list, &packages), ["hyper"]);
    }
}
