//! `cargo xtask codegen`: generates the documents that describe the program from the program itself.

mod logout_table;
mod support_matrix;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{conformance, environment, files, process, status};

/// The program, and an integration test of its package.
const PROGRAM: &str = "idp-bridge";
const TEST: &str = "blackbox";

/// Whether to write or to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if a document is not current
    #[arg(long)]
    check: bool,
}

/// A generated document.
#[derive(Debug)]
struct Document {
    path: PathBuf,
    text: String,
}

/// Writes the documents, or compares them.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    if options.check {
        return check(workspace);
    }
    for document in generate(workspace)? {
        if document.is_current() {
            status::step("Unchanged", environment::readable(&document.path));
            continue;
        }
        files::write(&document.path, &document.text)?;
        status::step("Wrote", environment::readable(&document.path));
    }
    Ok(())
}

/// Fails if a document differs from the generated one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let documents = generate(workspace)?;
    let stale: Vec<_> = documents.iter().filter(|document| !document.is_current()).collect();
    if !stale.is_empty() {
        let paths: Vec<_> = stale.iter().map(|document| environment::readable(&document.path)).collect();
        bail!("not current: {}; hint: run `cargo xtask codegen` and commit what it writes", paths.join(", "));
    }
    status::step("Current", format!("{} generated documents", documents.len()));
    Ok(())
}

impl Document {
    fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }
}

fn generate(workspace: &Workspace) -> Result<Vec<Document>> {
    let program = workspace.build_program(PROGRAM, TEST)?;
    let output = |arguments: &[&str]| process::output(Command::new(&program).args(arguments));
    let docs = workspace.root.join("docs");
    let reports = conformance::read_reports(workspace)?;
    let committed = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let (matrix, logouts) = (docs.join("support-matrix.md"), docs.join("logout-table.md"));
    let matrix_text = support_matrix::render(&output(&["connectors", "--markdown"])?, &reports, &committed(&matrix));
    let logouts_text = logout_table::render(&reports, &committed(&logouts));
    Ok(vec![
        Document { path: docs.join("openapi.json"), text: with_newline(&output(&["schema", "openapi"])?) },
        Document { path: docs.join("configuration.schema.json"), text: with_newline(&output(&["schema", "config"])?) },
        Document { path: matrix, text: matrix_text },
        Document { path: logouts, text: logouts_text },
    ])
}

fn with_newline(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_document_is_equal_byte_by_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openapi.json");
        let document = Document { path: path.clone(), text: with_newline("{}") };
        assert!(!document.is_current());
        std::fs::write(&path, "{}").unwrap();
        assert!(!document.is_current());
        std::fs::write(&path, "{}\n").unwrap();
        assert!(document.is_current());
    }
}
