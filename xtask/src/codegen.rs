//! `cargo xtask codegen`: the documents that are generated from the program, so that they cannot be wrong about it.

mod logout_table;
mod support_matrix;
mod target;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{conformance, environment, files, process, status};

/// What to do with the documents.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if a document is not what would be written
    #[arg(long)]
    check: bool,
}

/// A generated document.
#[derive(Debug)]
struct Document {
    path: PathBuf,
    text: String,
}

/// Writes the documents, or checks them.
pub(crate) fn run(options: &Options, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    if options.check {
        return check(workspace, interrupt);
    }
    for document in generate(workspace, interrupt)? {
        if document.is_current() {
            status::step("Unchanged", environment::readable(&document.path));
            continue;
        }
        if let Some(folder) = document.path.parent() {
            files::create_folder(folder)?;
        }
        files::write(&document.path, &document.text)?;
        status::step("Wrote", environment::readable(&document.path));
    }
    Ok(())
}

/// Fails if a document is not what would be written.
pub(crate) fn check(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let documents = generate(workspace, interrupt)?;
    let stale: Vec<_> = documents.iter().filter(|document| !document.is_current()).collect();
    if !stale.is_empty() {
        let paths: Vec<_> = stale.iter().map(|document| environment::readable(&document.path)).collect();
        bail!("not up to date: {}; hint: run `cargo xtask codegen` and commit what it writes", paths.join(", "));
    }
    status::step("Current", format!("{} generated documents", documents.len()));
    Ok(())
}

impl Document {
    fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
    }
}

fn generate(workspace: &Workspace, interrupt: &Interrupt) -> Result<Vec<Document>> {
    let program = build(workspace, interrupt)?;
    let docs = workspace.root.join("docs");
    let ask = |arguments: &[&str]| process::output(Command::new(&program).args(arguments));
    let connectors = support_matrix::read_connectors(&ask(&["connectors", "--json"])?)?;
    let reports = conformance::read(workspace)?;
    let committed = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let (matrix, logouts) = (docs.join("support-matrix.md"), docs.join("logout-table.md"));
    let matrix_text = support_matrix::render(&connectors, &reports, &committed(&matrix));
    let logouts_text = logout_table::render(&reports, &committed(&logouts));
    Ok(vec![
        Document { path: docs.join("openapi.json"), text: with_newline(ask(&["schema", "openapi"])?) },
        Document { path: docs.join("configuration.schema.json"), text: with_newline(ask(&["schema", "config"])?) },
        Document { path: matrix, text: matrix_text },
        Document { path: logouts, text: logouts_text },
    ])
}

/// Builds the program with every connector; answers where it is.
fn build(workspace: &Workspace, interrupt: &Interrupt) -> Result<PathBuf> {
    let mut cargo = Command::new(environment::cargo());
    cargo.current_dir(&workspace.root).args(["build", "--quiet", "--package", "idp-bridge"]);
    process::run(&mut cargo, interrupt).context("cannot build the program that the documents are generated from")?;
    Ok(workspace.target_directory.join(Path::new("debug/idp-bridge")))
}

fn with_newline(text: String) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_current_only_if_every_byte_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openapi.json");
        let document = Document { path: path.clone(), text: with_newline("{}".to_owned()) };
        assert!(!document.is_current());
        std::fs::write(&path, "{}").unwrap();
        assert!(!document.is_current());
        std::fs::write(&path, "{}\n").unwrap();
        assert!(document.is_current());
    }
}
