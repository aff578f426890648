//! `cargo xtask auth0-contract`: recorded Auth0 traffic and Auth0's API description, held against the connector and its fake.
//!
//! Both are other projects' data and no part of this repository, so a checkout alone does not have them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, process};

/// The connector's package, which brings the program that compares.
const PACKAGE: &str = "idp-bridge-connector-auth0";
/// The feature with that program and its own tests, as the command line of the whole workspace names it.
pub(crate) const FEATURE: &str = "idp-bridge-connector-auth0/contract";
/// Where the material lies if it lies beside the checkout, seen from there.
const BESIDE: &str = "../shared/fixtures/auth0";

/// What to compare with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of recorded exchanges [default: ../shared/fixtures/auth0/recorded, beside the checkout]
    #[arg(long, value_name = "DIR")]
    recordings: Option<PathBuf>,
    /// Auth0's OpenAPI document, or a part of it [default: ../shared/fixtures/auth0/auth0-subset.openapi.json]
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
}

/// The recordings and the description, which are there.
#[derive(Debug)]
pub(crate) struct Material {
    recordings: PathBuf,
    openapi: PathBuf,
}

/// Compares, and runs the tests of what compares.
pub(crate) fn run(options: &Options, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let Material { recordings, openapi } = Material::in_folder(&workspace.root.join(BESIDE));
    // Cargo runs the program where the workspace is, and paths are meant from where people are.
    let absolute = |path: &PathBuf| std::path::absolute(path).context("cannot tell the current folder");
    let material = Material {
        recordings: options.recordings.as_ref().map_or(Ok(recordings), absolute)?,
        openapi: options.openapi.as_ref().map_or(Ok(openapi), absolute)?,
    };
    if let Some(missing) = material.missing() {
        bail!("`{}` is not there; hint: name yours with --recordings and --openapi", environment::readable(missing));
    }
    process::run(cargo(workspace, "test").arg("--lib"), interrupt)?;
    compare(&material, workspace, interrupt)
}

/// Compares: prints the counts of each call, and fails on any mismatch.
pub(crate) fn compare(material: &Material, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let mut command = cargo(workspace, "run");
    command.args(["--quiet", "--bin", "auth0-contract", "--", "--recordings"]).arg(&material.recordings);
    command.arg("--openapi").arg(&material.openapi);
    process::run(&mut command, interrupt).context("the Auth0 connector does not fit its recordings")
}

impl Material {
    /// What lies beside the checkout, or a sentence that says that it does not.
    pub(crate) fn beside(workspace: &Workspace) -> Result<Self, String> {
        let material = Self::in_folder(&workspace.root.join(BESIDE));
        match material.missing() {
            None => Ok(material),
            Some(_) => Err(format!("the comparison with recorded Auth0 traffic, since `{BESIDE}` is not there")),
        }
    }

    fn in_folder(folder: &Path) -> Self {
        Self { recordings: folder.join("recorded"), openapi: folder.join("auth0-subset.openapi.json") }
    }

    fn missing(&self) -> Option<&Path> {
        [&self.recordings, &self.openapi].into_iter().find(|path| !path.exists()).map(PathBuf::as_path)
    }
}

fn cargo(workspace: &Workspace, task: &str) -> Command {
    let mut command = Command::new(environment::cargo());
    command.current_dir(&workspace.root).args([task, "--package", PACKAGE, "--features", "contract"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_material_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let material = Material::in_folder(folder.path());
        assert_eq!(material.missing(), Some(&*folder.path().join("recorded")));
        std::fs::create_dir(folder.path().join("recorded")).unwrap();
        assert_eq!(material.missing(), Some(&*folder.path().join("auth0-subset.openapi.json")));
        std::fs::write(folder.path().join("auth0-subset.openapi.json"), "{}").unwrap();
        assert_eq!(material.missing(), None);
    }
}
