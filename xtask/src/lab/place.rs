//! The files of a lab, and whether it runs.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Description;
use super::server::{Launched, Server, responds};
use crate::{files, status};

/// Time for a server to start. Node.js reads the many files of some packages first.
pub(super) const START_LIMIT: Duration = Duration::from_secs(120);

/// A lab in the folder that all labs share.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The lab.
    pub(crate) lab: &'static Description,
}

impl Place {
    pub(crate) fn new(folder: PathBuf, lab: &'static Description) -> Self {
        Self { folder, lab }
    }

    /// Returns the path of the settings for tests. The file exists while the lab runs.
    pub(crate) fn settings(&self) -> PathBuf {
        self.file("json")
    }

    /// Returns the path of a file that exists while a detached lab runs.
    pub(crate) fn detached(&self) -> PathBuf {
        self.file("detached")
    }

    /// Returns the path of the file with the name of the lab and this extension.
    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.lab.name))
    }

    /// Returns the path of a log.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("log/{name}.log"))
    }

    /// Returns a server of the lab.
    pub(crate) fn server(&self, name: &str) -> Server {
        Server::new(&self.folder, name)
    }

    /// Starts the server with the name of the lab. It is ready when the URL responds.
    pub(crate) fn launch(&self, variables: &[(&str, &str)], command: &[&str], url: &str) -> Result<Launched> {
        let launched = self.server(self.lab.name).launch(variables, command, START_LIMIT, || responds(url));
        launched.with_context(|| format!("cannot start the server of the lab `{}`", self.lab.name))
    }

    /// Locks the lab for a start, and stops servers that a killed run left.
    pub(crate) fn take(&self) -> Result<File> {
        let lock = self.lock()?;
        if self.is_running() {
            status::step("Stopping", "the servers of a run that was killed");
        }
        self.stop_servers()?;
        Ok(lock)
    }

    /// Locks the lab. Fails while the lab runs; servers that a killed run left do not count.
    pub(crate) fn lock(&self) -> Result<File> {
        files::create_folder(&self.folder.join("log"))?;
        let file = File::create(self.file("lock")).context("cannot create the lab's lock file")?;
        let is_taken = match file.try_lock() {
            Ok(()) => self.detached().exists() && self.is_running(),
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the lab"),
        };
        if is_taken {
            let name = self.lab.name;
            bail!("the lab `{name}` runs already; hint: use it, or stop it with `cargo xtask lab {name} --stop`");
        }
        Ok(file)
    }

    /// Stops the lab, if it runs.
    pub(crate) fn stop(&self) -> Result<()> {
        if !self.is_running() {
            status::step("Stopped", format!("already: no lab `{}` runs in this folder", self.lab.name));
            return Ok(());
        }
        let started = Instant::now();
        self.stop_servers()?;
        status::step("Stopped", format!("the lab in {}", status::elapsed(started.elapsed())));
        Ok(())
    }

    /// Returns the servers, in the order in which they are stopped.
    fn servers(&self) -> impl Iterator<Item = Server> {
        std::iter::once(self.lab.name).chain(self.lab.other_server).map(|name| self.server(name))
    }

    fn is_running(&self) -> bool {
        self.servers().any(|server| server.pid().is_some())
    }

    fn stop_servers(&self) -> Result<()> {
        files::remove(&self.settings())?;
        files::remove(&self.detached())?;
        self.servers().try_for_each(|server| server.stop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{cognito, keycloak};

    #[test]
    fn a_lab_runs_once_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::new(home.path().to_owned(), &cognito::LAB);
        let held = place.lock().unwrap();
        let error = place.lock().unwrap_err().to_string();
        assert!(error.contains("runs already") && error.contains("lab cognito --stop"), "{error}");
        Place::new(home.path().to_owned(), &keycloak::LAB).lock().unwrap();
        drop(held);
        place.lock().unwrap();
    }

    #[test]
    fn a_stale_mark_of_a_lab_is_ignored() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::new(home.path().to_owned(), &cognito::LAB);
        files::write(&place.detached(), "").unwrap();
        place.lock().unwrap();
    }
}
