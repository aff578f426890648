//! Where the files of one lab lie, and whether it runs.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::server::Server;
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{files, status};

/// The files of one lab, in a folder that all labs share.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    settings: PathBuf,
    kind: &'static Kind,
}

/// What tells one lab from another.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name on the command line, and the beginning of its files' names.
    pub(crate) name: &'static str,
    /// Its servers, in the order in which they are stopped.
    pub(crate) servers: &'static [&'static str],
}

impl Place {
    /// The lab of this kind in the workspace.
    pub(crate) fn new(workspace: &Workspace, kind: &'static Kind) -> Self {
        Self::in_folder(super::folder(workspace), kind)
    }

    fn in_folder(folder: PathBuf, kind: &'static Kind) -> Self {
        let settings = folder.join(format!("{}.json", kind.name));
        Self { folder, settings, kind }
    }

    /// The lab's name.
    pub(crate) fn name(&self) -> &'static str {
        self.kind.name
    }

    /// The folder that all labs share.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The settings: the file is there while the lab runs.
    pub(crate) fn settings(&self) -> &Path {
        &self.settings
    }

    /// Is there while a lab runs that was left running on purpose.
    pub(crate) fn detached(&self) -> PathBuf {
        self.folder.join(format!("{}.detached", self.kind.name))
    }

    /// A server of the lab.
    pub(crate) fn server(&self, name: &str) -> Server {
        Server::new(&self.folder, name)
    }

    /// Takes the place for a start, and clears it of whatever an earlier run left.
    pub(crate) fn take(&self, interrupt: &Interrupt) -> Result<File> {
        let lock = self.lock()?;
        if self.is_running() {
            status::step("Stopping", "the lab that was left running");
        }
        self.stop_servers(interrupt)?;
        Ok(lock)
    }

    /// Held while a lab runs in the foreground, so that no second one takes its files.
    ///
    /// Fails while any lab of this kind runs that somebody wants; what a killed run left behind is not one of these.
    pub(crate) fn lock(&self) -> Result<File> {
        files::create_folder(&self.folder.join("log"))?;
        let path = self.folder.join(format!("{}.lock", self.kind.name));
        let file = File::create(path).context("cannot make the lab's lock")?;
        let is_taken = match file.try_lock() {
            Ok(()) => self.detached().exists() && self.is_running(),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the lab"),
        };
        if is_taken {
            let name = self.kind.name;
            bail!("a lab runs already; hint: use it, or stop it with `cargo xtask lab {name} --stop`");
        }
        Ok(file)
    }

    /// Stops the lab, if it runs.
    pub(crate) fn stop(&self, interrupt: &Interrupt) -> Result<()> {
        if !self.is_running() {
            status::step("Stopped", format!("already: no {} runs in this folder", self.kind.name));
            return Ok(());
        }
        let started = Instant::now();
        self.stop_servers(interrupt)?;
        status::step("Stopped", format!("the lab in {}", status::elapsed(started.elapsed())));
        Ok(())
    }

    fn is_running(&self) -> bool {
        self.kind.servers.iter().any(|server| self.server(server).running().is_some())
    }

    fn stop_servers(&self, interrupt: &Interrupt) -> Result<()> {
        files::remove(self.settings())?;
        files::remove(&self.detached())?;
        self.kind.servers.iter().try_for_each(|server| self.server(server).stop(interrupt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ONE: Kind = Kind { name: "one", servers: &["server"] };
    static OTHER: Kind = Kind { name: "other", servers: &[] };

    #[test]
    fn one_lab_of_a_kind_runs_at_a_time_and_a_stale_mark_of_one_is_none() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::in_folder(home.path().to_owned(), &ONE);
        files::write(&place.detached(), "").unwrap();
        let held = place.lock().unwrap();
        let error = place.lock().unwrap_err().to_string();
        assert!(error.contains("runs already") && error.contains("lab one --stop"), "{error}");
        Place::in_folder(home.path().to_owned(), &OTHER).lock().unwrap();
        drop(held);
        place.lock().unwrap();
    }
}
