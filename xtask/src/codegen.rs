//! `cargo xtask codegen`: generates the documents that describe the program from the program itself.

mod definition;
mod logout_table;
mod settings;
mod support_matrix;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{conformance, environment, files, process, status};

/// The program, and an integration test of its package.
const PROGRAM: &str = "idp-bridge";
const TEST: &str = "blackbox";

/// The treatment of the files: write or compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if a document is not current
    #[arg(long)]
    check: bool,
}

/// Writes the documents, or compares them.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    if options.check {
        return check(workspace);
    }
    for (path, text) in generate(workspace)? {
        if is_current(&path, &text) {
            status::step("Unchanged", environment::readable(&path));
            continue;
        }
        files::write(&path, &text)?;
        status::step("Wrote", environment::readable(&path));
    }
    Ok(())
}

/// Fails if a document differs from the generated one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let documents = generate(workspace)?;
    let stale = documents.iter().filter(|(path, text)| !is_current(path, text));
    let stale: Vec<_> = stale.map(|(path, _)| environment::readable(path)).collect();
    if !stale.is_empty() {
        bail!("not current: {}; hint: run `cargo xtask codegen` and commit what it writes", stale.join(", "));
    }
    status::step("Current", format!("{} generated documents", documents.len()));
    Ok(())
}

/// Returns whether a file has exactly this text.
fn is_current(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|current| current == text)
}

/// Returns the paths and texts of the documents.
fn generate(workspace: &Workspace) -> Result<[(PathBuf, String); 7]> {
    let program = workspace.build_program(PROGRAM, TEST)?;
    let output = |arguments: &[&str]| process::output(Command::new(&program).args(arguments));
    let reports = conformance::read_reports(workspace)?;
    let [openapi, schema, matrix, logouts, metrics, settings, definition] = [
        "openapi.json",
        "configuration.schema.json",
        "support-matrix.md",
        "logout-table.md",
        "metrics.md",
        "settings.md",
        "connectors/definition-reference.md",
    ]
    .map(|name| workspace.root.join("docs").join(name));
    let committed = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let matrix_text = support_matrix::render(&output(&["connectors", "--markdown"])?, &reports, &committed(&matrix));
    let logouts_text = logout_table::render(&reports, &committed(&logouts));
    let schema_text = with_newline(&output(&["schema", "config"])?);
    let settings_text = settings::render(&schema_text)?;
    Ok([
        (openapi, with_newline(&output(&["schema", "openapi"])?)),
        (schema, schema_text),
        (matrix, matrix_text),
        (logouts, logouts_text),
        (metrics, with_newline(&output(&["schema", "metrics"])?)),
        (settings, settings_text),
        (definition, definition::render(&output(&["schema", "definition"])?)?),
    ])
}

fn with_newline(text: &str) -> String {
    format!("{}\n", text.trim_end())
}
