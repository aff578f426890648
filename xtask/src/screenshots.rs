//! `cargo xtask screenshots`: the pictures of the documentation, taken by the browser tests.

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{federation_app, files, lab, prerequisites, process, status, test};

const FOLDER: &str = "docs/images";
/// Names the folder for the pictures to the tests, which take none without it.
const VARIABLE: &str = "IDP_BRIDGE_SCREENSHOTS";
/// The test target, and the beginning of the names of the tests that take pictures.
const TEST: &str = "lab";
const FILTER: &str = "federation_browser";

/// Runs those tests against a Keycloak of their own.
pub(crate) fn run(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let (tools, node) = prerequisites::ensure_all(interrupt)?;
    federation_app::install(workspace, &node, interrupt)?;
    let folder = workspace.root.join(FOLDER);
    files::create_folder(&folder)?;
    let _lab = lab::start_keycloak(workspace, &tools, interrupt)?;
    let mut command = test::cargo_test(workspace);
    command.args(["--test", TEST, "--", FILTER]).env(VARIABLE, &folder);
    process::run(&mut command, interrupt)?;
    status::step("Written", format!("`{FOLDER}`"));
    Ok(())
}
