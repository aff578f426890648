//! `cargo xtask new-connector`: creates the crate of a connector from the example out of tree.

mod name;
mod registration;
mod self_test;
mod template;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::name::Name;
use crate::workspace::Workspace;
use crate::{environment, files, process, status};

pub(crate) use self::self_test::{lint, test as self_test};

/// The arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The identity provider's name in lower case, such as `zitadel` or `ory-kratos`
    #[arg(required_unless_present = "self_test")]
    name: Option<String>,

    /// Create one in a copy of the workspace, and check its lints and tests
    #[arg(long, conflicts_with = "name")]
    self_test: bool,
}

/// Creates the connector, or runs the self test.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Some(name) = &options.name else { return self_test::check(workspace) };
    let name = Name::parse(name)?;
    create(&workspace.root, &name)?;
    let (package, page) = (name.package(), template::page(&name));
    status::step("Wrote", format!("crates/{package} and {page}"));
    status::step("Registered", format!("it in {}", registration::FILES.join(", ")));
    status::plain(format!(
        "\nIts identity provider is invented. The suite passes, except for one case that lists what to verify:\n\n    cargo test -p {package} --test conformance\n\n\
         docs/connectors/new.md describes the next steps."
    ));
    Ok(())
}

/// Writes a connector into a workspace. Nothing is written if the registration fails.
fn create(root: &Path, name: &Name) -> Result<()> {
    check_available(root, name)?;
    let mut written = registration::register(root, name)?;
    written.extend(template::files(name)?);
    for (path, text) in written {
        files::write(&root.join(path), &text)?;
    }
    let license = root.join("crates").join(name.package()).join("LICENSE");
    std::os::unix::fs::symlink("../../LICENSE", &license)
        .with_context(|| format!("cannot create the link `{}`", license.display()))?;
    // Line breaks and the order of imports depend on the name.
    let mut format = Command::new(environment::cargo());
    format.current_dir(root).args(["fmt", "--package", &name.package()]);
    process::run(&mut format)
}

fn check_available(root: &Path, name: &Name) -> Result<()> {
    let taken = [format!("crates/{}", name.package()), template::page(name)];
    if let Some(path) = taken.iter().find(|path| root.join(path).exists()) {
        bail!("`{path}` exists already; hint: choose another name, or remove it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_connector_is_not_overwritten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let error = check_available(&root, &Name::parse("memory").unwrap()).unwrap_err();
        assert!(error.to_string().contains("`crates/idp-bridge-connector-memory` exists already"), "{error}");
        assert!(check_available(&root, &Name::parse("unused-name").unwrap()).is_ok());
    }
}
