//! `cargo xtask auth0-contract`: compares the Auth0 connector and its fake with recorded traffic and Auth0's API description.
//!
//! The recordings and the description belong to other projects and are not in this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{environment, process, status};

/// The connector's testing package, the program in it that compares, and an integration test of it.
const PACKAGE: &str = "idp-bridge-connector-auth0-testing";
const PROGRAM: &str = "auth0-contract";
const TEST: &str = "conformance";
/// The default folder of the material, relative to the root of the workspace.
const BESIDE: &str = "../shared/fixtures/auth0";

/// A note on a comparison that was skipped.
pub(crate) const SKIPPED: &str = "not run: the comparison with recorded Auth0 traffic, which needs a folder beside the \
                                  checkout; `xtask/README.md` describes it";

/// The material to compare with.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Folder of recorded exchanges [default: ../shared/fixtures/auth0/recorded, beside the checkout]
    #[arg(long, value_name = "DIR")]
    recordings: Option<PathBuf>,
    /// Auth0's OpenAPI document, or a part of it [default: ../shared/fixtures/auth0/auth0-subset.openapi.json]
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
}

/// Runs the tests of the program that compares, then compares.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let material = options.find(&workspace.root.join(BESIDE))?;
    process::run(&mut workspace.cargo(&["test", "--package", PACKAGE, "--test", "it", "contract"]))?;
    compare(&material, workspace)
}

/// Compares with the material beside the checkout. Returns whether it exists.
pub(crate) fn compare_if_available(workspace: &Workspace) -> Result<bool> {
    let Ok(material) = Options::default().find(&workspace.root.join(BESIDE)) else {
        status::note(SKIPPED);
        return Ok(false);
    };
    status::step("Comparing", "the Auth0 connector with recorded traffic");
    compare(&material, workspace).map(|()| true)
}

/// Prints the counts of each call, and fails on any mismatch.
fn compare([recordings, openapi]: &[PathBuf; 2], workspace: &Workspace) -> Result<()> {
    let mut program = Command::new(workspace.build_program(PROGRAM, TEST)?);
    program.arg("--recordings").arg(recordings).arg("--openapi").arg(openapi);
    process::run(&mut program).context("the Auth0 connector does not match its recordings")
}

impl Options {
    /// Returns the recordings and the document, which must exist. `folder` has the default ones.
    fn find(&self, folder: &Path) -> Result<[PathBuf; 2]> {
        let options = [(&self.recordings, "recorded"), (&self.openapi, "auth0-subset.openapi.json")];
        let material = options.map(|(chosen, name)| chosen.clone().unwrap_or_else(|| folder.join(name)));
        if let Some(missing) = material.iter().find(|path| !path.exists()) {
            bail!("`{}` does not exist; hint: use --recordings and --openapi", environment::readable(missing));
        }
        Ok(material)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_needs_recordings_and_description() {
        let folder = tempfile::tempdir().unwrap();
        let find = || Options::default().find(folder.path()).map_err(|error| error.to_string());
        assert!(find().unwrap_err().contains("recorded` does not exist"));
        std::fs::create_dir(folder.path().join("recorded")).unwrap();
        assert!(find().unwrap_err().contains("auth0-subset.openapi.json` does not exist"));
        std::fs::write(folder.path().join("auth0-subset.openapi.json"), "{}").unwrap();
        assert_eq!(find().unwrap()[0], folder.path().join("recorded"));
    }
}
