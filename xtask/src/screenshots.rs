//! `cargo xtask screenshots`: takes the pictures of the documentation with the tests of pages.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{files, lab, prerequisites, process, status, test};

const FOLDER: &str = "docs/images";
/// The variable with the folder for the pictures. Without it, the tests take none.
const VARIABLE: &str = "IDP_BRIDGE_SCREENSHOTS";
/// The test targets, and the first parts of the names of the tests that take pictures.
const TESTS: [(&str, &str); 3] = [("lab", "federation_browser"), ("lab", "playground"), ("it", "status::")];

/// Runs these tests with a new Keycloak.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(&prerequisites::ALL)?;
    test::install_example(workspace)?;
    let folder = workspace.root.join(FOLDER);
    files::create_folder(&folder)?;
    let _lab = lab::start(lab::Name::Keycloak, workspace)?;
    for (target, filter) in TESTS {
        let mut command = test::cargo_test(workspace);
        command.args(["--test", target, "--", filter]).env(VARIABLE, &folder);
        process::run(&mut command)?;
    }
    status::step("Written", format!("`{FOLDER}`"));
    Ok(())
}
