//! `cargo xtask auth0-contract`: compares the Auth0 connector and its fake with recorded traffic and Auth0's API description.
//!
//! The recordings and the description belong to other projects and are not in this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{environment, process};

/// The connector's testing package, the program in it that compares, and an integration test of it.
const PACKAGE: &str = "idp-bridge-connector-auth0-testing";
const PROGRAM: &str = "auth0-contract";
const TEST: &str = "conformance";
/// The default folder of the material, relative to the root of the workspace.
const BESIDE: &str = "../shared/fixtures/auth0";

/// The material to compare with.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of recorded exchanges [default: ../shared/fixtures/auth0/recorded, beside the checkout]
    #[arg(long, value_name = "DIR")]
    recordings: Option<PathBuf>,
    /// Auth0's OpenAPI document, or a part of it [default: ../shared/fixtures/auth0/auth0-subset.openapi.json]
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
}

/// Recordings and API description that exist.
#[derive(Debug)]
pub(crate) struct Material {
    recordings: PathBuf,
    openapi: PathBuf,
}

/// Runs the tests of the program that compares, then compares.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Material { recordings, openapi } = Material::in_folder(&workspace.root.join(BESIDE));
    let material = Material {
        recordings: options.recordings.clone().unwrap_or(recordings),
        openapi: options.openapi.clone().unwrap_or(openapi),
    };
    if let Some(missing) = material.missing() {
        bail!("`{}` does not exist; hint: use --recordings and --openapi", environment::readable(missing));
    }
    process::run(&mut workspace.cargo(&["test", "--package", PACKAGE, "--test", "it", "contract"]))?;
    compare(&material, workspace)
}

/// Compares: prints the counts of each call, and fails on any mismatch.
pub(crate) fn compare(material: &Material, workspace: &Workspace) -> Result<()> {
    let mut program = Command::new(workspace.build_program(PROGRAM, TEST)?);
    program.arg("--recordings").arg(&material.recordings).arg("--openapi").arg(&material.openapi);
    process::run(&mut program).context("the Auth0 connector does not match its recordings")
}

impl Material {
    /// Returns the material beside the checkout, or a phrase that says what cannot run without it.
    pub(crate) fn beside(workspace: &Workspace) -> Result<Self, String> {
        let material = Self::in_folder(&workspace.root.join(BESIDE));
        match material.missing() {
            None => Ok(material),
            Some(_) => Err(format!("the comparison with recorded Auth0 traffic, since `{BESIDE}` does not exist")),
        }
    }

    fn in_folder(folder: &Path) -> Self {
        Self { recordings: folder.join("recorded"), openapi: folder.join("auth0-subset.openapi.json") }
    }

    fn missing(&self) -> Option<&Path> {
        [&self.recordings, &self.openapi].into_iter().find(|path| !path.exists()).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_needs_recordings_and_description() {
        let folder = tempfile::tempdir().unwrap();
        let material = Material::in_folder(folder.path());
        assert_eq!(material.missing(), Some(&*folder.path().join("recorded")));
        std::fs::create_dir(folder.path().join("recorded")).unwrap();
        assert_eq!(material.missing(), Some(&*folder.path().join("auth0-subset.openapi.json")));
        std::fs::write(folder.path().join("auth0-subset.openapi.json"), "{}").unwrap();
        assert_eq!(material.missing(), None);
    }
}
