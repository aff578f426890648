//! `cargo xtask screenshots`: the pictures of the documentation, taken by the test that uses a real browser.

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{federation_app, files, lab, prerequisites, process, status, test};

const FOLDER: &str = "docs/images";
/// Tells the test where to write its pictures; without it, it writes none.
const VARIABLE: &str = "IDP_BRIDGE_SCREENSHOTS";
/// Where the tests are that take pictures, and what their names have in common.
const PACKAGE: &str = "idp-bridge";
const TEST: &str = "lab";
const FILTER: &str = "federation_browser";

/// Runs those tests against a Keycloak of their own.
pub(crate) fn run(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let (tools, node) = prerequisites::ensure_all(interrupt)?;
    federation_app::install(workspace, &node, interrupt)?;
    let folder = workspace.root.join(FOLDER);
    files::create_folder(&folder)?;
    let _lab = lab::start_keycloak(workspace, &tools, interrupt)?;
    let mut command = test::on_labs(workspace, PACKAGE);
    command.args(["--test", TEST, "--", FILTER]).env(VARIABLE, &folder);
    process::run(&mut command, interrupt)?;
    status::step("Written", format!("`{FOLDER}`"));
    Ok(())
}
