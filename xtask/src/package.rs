//! `cargo xtask package`: builds the archives and the Debian package, and checks the files in `packaging/`.

mod build;
mod components;
mod installation;
mod kubernetes;
mod layout;
mod manifests;

use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{environment, files, status};

/// The folder of the sources.
const SOURCES: &str = "packaging";
/// The folder of the results, in the target folder.
const RESULTS: &str = "package/idp-bridge";

/// The task: build or check.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Check the unit, the chart, the kustomize base, the alert rules and the dashboard with their own tools; build nothing
    #[arg(long)]
    check: bool,
}

/// Builds the packages, or checks the manifests.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    if options.check {
        return check(workspace);
    }
    let results = workspace.target_directory.join(RESULTS);
    files::remove(&results)?;
    files::create_folder(&results)?;
    let tree = build::install(workspace, &results)?;
    layout::check(&tree, &results.join("image"))?;
    build::archive(workspace, &tree, &results)?;
    let package = build::debian(workspace, &tree, &results)?;
    installation::check(workspace, &package, &results.join("debian"))?;
    components::write(workspace, &results)?;
    build::checksums(&results)?;
    for path in list(&results)? {
        status::step("Packaged", environment::readable(&results.join(path)));
    }
    Ok(())
}

/// Checks the unit, the chart, the kustomize base, the alert rules and the dashboard.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    manifests::check(workspace)
}

/// Returns the names of the files in a folder, sorted.
fn list(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
