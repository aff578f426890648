//! The example of a connector out of tree: a workspace of its own, built with what this workspace has built already.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, process};

const FOLDER: &str = "examples/out-of-tree";
const LOCK_FILE: &str = "Cargo.lock";

/// Checks its format, and clippy's opinion of it.
pub(crate) fn check(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    for arguments in [&["fmt", "--check"][..], &["clippy", "--quiet", "--all-targets", "--", "--deny", "warnings"]] {
        process::run(cargo(workspace)?.args(arguments), interrupt)?;
    }
    Ok(())
}

/// The command that runs its tests.
pub(crate) fn test(workspace: &Workspace) -> Result<Command> {
    let mut command = cargo(workspace)?;
    command.arg("test");
    Ok(command)
}

/// Cargo in its folder, with the versions of this workspace: it has none of its own, and others would be built anew.
fn cargo(workspace: &Workspace) -> Result<Command> {
    let folder: PathBuf = workspace.root.join(FOLDER);
    std::fs::copy(workspace.root.join(LOCK_FILE), folder.join(LOCK_FILE))
        .with_context(|| format!("cannot copy `{LOCK_FILE}` to `{FOLDER}`"))?;
    let mut command = Command::new(environment::cargo());
    command.current_dir(folder).env("CARGO_TARGET_DIR", &workspace.target_directory);
    Ok(command)
}
