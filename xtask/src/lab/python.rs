//! Virtual environments of Python in the lab's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::{files, process, status};

/// A virtual environment.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    /// Its folder's name.
    pub(crate) name: &'a str,
    /// What pip installs into it.
    pub(crate) packages: &'a [&'a str],
    /// A statement that works if all of that is there.
    pub(crate) probe: &'a str,
}

impl Environment<'_> {
    /// Makes it in the lab's folder, unless a working one is there; answers its folder of programs.
    pub(crate) fn install(&self, lab: &Path, python: &Path, interrupt: &Interrupt) -> Result<PathBuf> {
        let home = lab.join(self.name);
        let programs = home.join("bin");
        let installed = programs.join("python");
        if process::output(Command::new(&installed).args(["-c", self.probe])).is_ok() {
            return Ok(programs);
        }
        let packages = self.packages.join(" and ");
        status::step("Installing", format!("{packages} with pip"));
        files::remove(&home)?;
        let log = lab.join(format!("log/{}.log", self.name));
        process::run_logged(Command::new(python).args(["-m", "venv"]).arg(&home), &log, interrupt)?;
        let mut pip = Command::new(&installed);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]).args(self.packages);
        process::run_logged(&mut pip, &log, interrupt).with_context(|| format!("cannot install {packages}"))?;
        Ok(programs)
    }
}
