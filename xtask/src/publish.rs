//! Checks that each published crate can be packaged. The manifests are checked by `tidy`.

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{process, status};

/// Writes the package of each published crate to `target/package`, without building it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let published = workspace.members().iter().filter(|package| package.is_published());
    let names: Vec<&str> = published.map(|package| package.name.as_str()).collect();
    let mut cargo = workspace.cargo(&["package", "--quiet", "--no-verify", "--allow-dirty", "--offline"]);
    let selection = names.iter().flat_map(|name| ["--package", name]);
    // Only failures are of interest: cargo warns about tests outside the package.
    process::output(cargo.args(selection)).context("a published crate cannot be packaged")?;
    status::step("Packaged", format!("{} crates", names.len()));
    Ok(())
}
