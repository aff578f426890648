//! `cargo xtask new-connector`: a connector that compiles at once, and whose conformance suite says what is left.

mod name;
mod registration;
mod self_test;
mod template;

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use self::name::Name;
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, files, process, status};

pub(crate) use self::self_test::{lint, test as self_test};

/// What to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The identity provider's name in lower case, such as `zitadel` or `ory-kratos`
    #[arg(required_unless_present = "self_test")]
    name: Option<String>,

    /// Make one in a copy of the workspace, and check that all is green but what is left
    #[arg(long, conflicts_with = "name")]
    self_test: bool,
}

/// Makes the connector, or tries in a copy whether one can be made.
pub(crate) fn run(options: &Options, workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let Some(name) = &options.name else { return self_test::check(workspace, interrupt) };
    let name = Name::parse(name)?;
    make(&workspace.root, &name, interrupt)?;
    let (package, page) = (name.package(), template::page(&name));
    status::step("Wrote", format!("crates/{package} and {page}"));
    status::step("Registered", format!("it in {}", registration::FILES.join(", ")));
    status::plain(format!(
        "\nThe suite is red in what is left:\n\n    cargo test -p {package} --test conformance\n\n\
         docs/connectors/new.md is the walk from there to green."
    ));
    Ok(())
}

/// Writes a connector into a workspace; nothing at all if a part of it cannot be written.
fn make(root: &Path, name: &Name, interrupt: &Interrupt) -> Result<()> {
    refuse_taken(root, name)?;
    let mut written = registration::register(root, name)?;
    written.extend(template::files(name));
    for (path, text) in written {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            files::create_folder(folder)?;
        }
        files::write(&path, &text)?;
    }
    // How lines are broken and imports sorted depends on the name.
    let mut format = Command::new(environment::cargo());
    format.current_dir(root).args(["fmt", "--package", &name.package()]);
    process::run(&mut format, interrupt)
}

fn refuse_taken(root: &Path, name: &Name) -> Result<()> {
    let taken = [format!("crates/{}", name.package()), template::page(name)];
    if let Some(path) = taken.iter().find(|path| root.join(path).exists()) {
        bail!("`{path}` exists already; hint: choose another name, or remove what is there");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_is_there_is_not_overwritten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let error = refuse_taken(&root, &Name::parse("memory").unwrap()).unwrap_err();
        assert!(error.to_string().contains("`crates/idp-bridge-connector-memory` exists already"), "{error}");
        assert!(refuse_taken(&root, &Name::parse("nobodys-idp").unwrap()).is_ok());
    }
}
