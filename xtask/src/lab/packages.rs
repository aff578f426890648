//! Packages for Python and Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::place::Place;
use super::server::Launched;
use crate::prerequisites::{NODE, NPM, PYTHON};
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

/// A program for Node.js, which reads its settings from a file.
pub(super) struct NodeProgram {
    pub(super) package: &'static str,
    pub(super) lock: &'static str,
    pub(super) script: &'static str,
}

/// Returns the program in a folder.
macro_rules! node_program {
    ($folder:literal) => {
        $crate::lab::packages::NodeProgram {
            package: include_str!(concat!($folder, "/package.json")),
            lock: include_str!(concat!($folder, "/package-lock.json")),
            script: include_str!(concat!($folder, "/server.mjs")),
        }
    };
}
pub(super) use node_program;

impl NodeProgram {
    /// Installs the packages of the program, and starts it as the server of a lab. It is ready when the URL responds.
    pub(super) fn start(&self, place: &Place, title: &str, settings: &Value, url: &str) -> Result<Launched> {
        let name = place.lab.name;
        let folder = place.folder.join(name);
        self.write(&folder)?;
        install_node(&folder, &place.log(&format!("{name}-npm")))?;
        status::step("Starting", format!("{title} at {url}"));
        let file = folder.join("settings.json");
        files::write_with_mode(&file, &settings.to_string(), files::PRIVATE)?;
        let command = [NODE.path()?, folder.join("server.mjs"), file].map(|path| path.to_string_lossy().into_owned());
        place.launch(&[], &command.each_ref().map(String::as_str), url)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        for (name, text) in [
            ("package.json", self.package),
            ("package-lock.json", self.lock),
            (".npmrc", include_str!("npmrc")),
            ("server.mjs", self.script),
        ] {
            let path = folder.join(name);
            // An unchanged lock file keeps its time, so that npm does not install again.
            if !fs::read_to_string(&path).is_ok_and(|old| old == text) {
                files::write(&path, text)?;
            }
        }
        Ok(())
    }
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
    process::run_logged(&mut npm, log).with_context(|| format!("cannot install the packages of `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{better_auth, firebase, oidc, parse_server};

    #[test]
    fn lock_files_have_no_registry() {
        for (lock, package) in [
            (oidc::PROGRAM.lock, "oidc-provider"),
            (better_auth::PROGRAM.lock, "better-auth"),
            (firebase::PROGRAM.lock, "firebase-tools"),
            (parse_server::PROGRAM.lock, "parse-server"),
        ] {
            assert!(locked(lock, package).unwrap().contains('.'));
            assert!(!lock.contains("\"resolved\""));
        }
    }
}
