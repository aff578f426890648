//! `cargo xtask screenshots`: takes the pictures of the documentation with the browser tests.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{files, lab, prerequisites, process, status, test};

const FOLDER: &str = "docs/images";
/// The variable with the folder for the pictures. Without it, the tests take none.
const VARIABLE: &str = "IDP_BRIDGE_SCREENSHOTS";
/// The test target, and the first part of the names of the tests that take pictures.
const TEST: &str = "lab";
const FILTER: &str = "federation_browser";

/// Runs these tests with a new Keycloak.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(&prerequisites::ALL)?;
    test::install_example(workspace)?;
    let folder = workspace.root.join(FOLDER);
    files::create_folder(&folder)?;
    let _lab = lab::start(lab::Name::Keycloak, workspace)?;
    let mut command = test::cargo_test(workspace);
    command.args(["--test", TEST, "--", FILTER]).env(VARIABLE, &folder);
    process::run(&mut command)?;
    status::step("Written", format!("`{FOLDER}`"));
    Ok(())
}
