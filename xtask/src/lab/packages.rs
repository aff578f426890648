//! Packages for Python and Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::prerequisites::{NPM, PYTHON};
use crate::{files, process, status};

/// The file that npm writes last.
const INSTALLED: &str = "node_modules/.package-lock.json";

/// Installs packages in a virtual environment, unless a statement that imports them works. Returns its Python.
pub(crate) fn install_python(home: &Path, packages: &[&str], import: &str, log: &Path) -> Result<PathBuf> {
    let python = home.join("bin/python");
    if process::output(Command::new(&python).args(["-c", import])).is_ok() {
        return Ok(python);
    }
    let names = packages.join(" and ");
    status::step("Installing", format!("{names} with pip"));
    files::remove(home)?;
    process::run_logged(Command::new(PYTHON.path()?).args(["-m", "venv"]).arg(home), log)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]).args(packages);
    process::run_logged(&mut pip, log).with_context(|| format!("cannot install {names}"))?;
    Ok(python)
}

/// Writes the files of a program for Node.js into a folder.
pub(crate) fn write_node(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
    files::create_folder(folder)?;
    for (name, text) in files {
        let path = folder.join(name);
        // An unchanged lock file keeps its time, so that npm does not install again.
        if !fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            files::write(&path, text)?;
        }
    }
    Ok(())
}

/// Returns the version of a package in the text of a `package-lock.json`.
pub(crate) fn locked(lock: &str, package: &str) -> Result<String> {
    let lock: Value = serde_json::from_str(lock)?;
    let entry = lock.get("packages").and_then(|packages| packages.get(format!("node_modules/{package}")));
    let version = entry.and_then(|entry| entry.get("version")).and_then(Value::as_str);
    version.map(str::to_owned).with_context(|| format!("the lock file has no version of `{package}`"))
}

/// Installs the packages of a folder's `package-lock.json`, unless they are installed.
pub(crate) fn install_node(folder: &Path, log: &Path) -> Result<()> {
    let changed = |name: &str| folder.join(name).metadata().and_then(|metadata| metadata.modified());
    if matches!((changed(INSTALLED), changed("package-lock.json")), (Ok(installed), Ok(lock)) if installed >= lock) {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    status::step("Installing", format!("the packages of `{name}` with npm"));
    let mut npm = Command::new(NPM.path()?);
    npm.current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    log.parent().map_or(Ok(()), files::create_folder)?;
    process::run_logged(&mut npm, log).with_context(|| format!("cannot install the packages of `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{better_auth, firebase, oidc};

    #[test]
    fn lock_files_have_no_registry() {
        for (lock, package) in [
            (oidc::LOCK_FILE, "oidc-provider"),
            (better_auth::LOCK_FILE, "better-auth"),
            (firebase::LOCK_FILE, "firebase-tools"),
        ] {
            assert!(locked(lock, package).unwrap().contains('.'));
            assert!(!lock.contains("\"resolved\""));
        }
    }
}
