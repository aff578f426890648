//! Packages for Node.js, as a lock file names them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::prerequisites::Node;
use crate::{files, process, status};

/// What npm writes when it has finished, so that what is older than the lock file is not taken for installed.
const INSTALLED: &str = "node_modules/.package-lock.json";

/// Installs what the lock file in this folder names, unless that is there already.
pub(crate) fn install(folder: &Path, node: &Node, log: &Path, interrupt: &Interrupt) -> Result<()> {
    if is_newer(&folder.join(INSTALLED), &folder.join("package-lock.json")) {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    status::step("Installing", format!("what `{name}` needs with npm"));
    let mut npm = Command::new(&node.npm);
    npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    log.parent().map_or(Ok(()), files::create_folder)?;
    process::run_logged(&mut npm, log, interrupt).with_context(|| format!("cannot install what `{name}` needs"))
}

fn is_newer(file: &Path, other: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    matches!((changed(file), changed(other)), (Ok(file), Ok(other)) if file >= other)
}
