//! Builds the site of the documentation with mdBook. `tidy` checks the links of its pages.

use std::process::Command;

use anyhow::Result;

use crate::built_tool::MDBOOK;
use crate::workspace::Workspace;
use crate::{files, process, status};

/// The folder of the site, in the target folder.
const SITE: &str = "book";

/// Builds the site.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let site = workspace.target_directory.join(SITE);
    files::remove(&site)?;
    let mdbook = MDBOOK.ensure(workspace)?;
    process::output(Command::new(mdbook).arg("build").arg(&workspace.root).arg("--dest-dir").arg(&site))?;
    status::step("Built", format!("the site in `{}`", site.display()));
    Ok(())
}
