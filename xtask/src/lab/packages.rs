//! Packages for Python and Node.js.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

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
