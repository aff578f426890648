//! The example of a connector outside this workspace, built in this workspace's target folder.

use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{environment, features, files, process};

const FOLDER: &str = "examples/out-of-tree";
const LOCK_FILE: &str = "Cargo.lock";

/// Checks its format and lints it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    for arguments in [&["fmt", "--check"][..], &["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"]] {
        process::run(cargo(workspace)?.args(arguments))?;
    }
    Ok(())
}

/// Returns the command that runs its tests.
pub(crate) fn test(workspace: &Workspace) -> Result<Command> {
    features::check_reuse(workspace, cargo(workspace)?.arg("tree"))?;
    let mut command = cargo(workspace)?;
    command.arg("test");
    Ok(command)
}

/// Returns a cargo command for the example, with this workspace's `Cargo.lock`, so that built dependencies are used again.
fn cargo(workspace: &Workspace) -> Result<Command> {
    let folder = workspace.root.join(FOLDER);
    files::copy(&workspace.root.join(LOCK_FILE), &folder.join(LOCK_FILE))?;
    let mut command = Command::new(environment::cargo());
    command.current_dir(folder).env("CARGO_TARGET_DIR", &workspace.target_directory);
    Ok(command)
}
