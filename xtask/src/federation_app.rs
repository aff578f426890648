//! The example application: a program for Node.js, which a test with a browser runs.

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::prerequisites::Node;
use crate::workspace::Workspace;
use crate::{lab, npm};

const FOLDER: &str = "examples/federation-app";

/// Installs what it needs.
pub(crate) fn install(workspace: &Workspace, node: &Node, interrupt: &Interrupt) -> Result<()> {
    let log = lab::folder(workspace).join("log/federation-app.log");
    npm::install(&workspace.root.join(FOLDER), node, &log, interrupt)
}
