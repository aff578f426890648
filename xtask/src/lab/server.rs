//! A server of a lab: a script starts it, and its process id is in a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::status::Progress;
use crate::{files, process, status};

/// Time for a server to stop, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The files of a server.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Server {
    /// A script without arguments that becomes the server, on the same ports and data.
    pub(crate) start: PathBuf,
    /// Holds the process id, which the script writes. SIGTERM to this process stops the server.
    pub(crate) pid_file: PathBuf,
    /// The output of the server.
    pub(crate) log: PathBuf,
}

impl Server {
    /// Returns the server of this name in a folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            start: folder.join(format!("start-{name}.sh")),
            pid_file: folder.join(format!("{name}.pid")),
            log: folder.join(format!("log/{name}.log")),
        }
    }

    /// Writes the script, starts it, and waits until the server is ready.
    ///
    /// The environment of the server has only these variables, `PATH` and `HOME`.
    pub(crate) fn launch(
        &self,
        environment: &[(&str, &str)],
        command: &[&str],
        limit: Duration,
        is_ready: impl Fn() -> bool,
    ) -> Result<Launched> {
        self.write_script(environment, command)?;
        files::remove(&self.log)?;
        files::remove(&self.pid_file)?;
        // `sh` reads the script, since a file that was just written may be too busy to be executed.
        let mut shell = Command::new("sh");
        let child = process::spawn(shell.arg(&self.start).stdout(Stdio::null()).stderr(Stdio::null()))?;
        let mut launched = Launched { server: self.clone(), child, leave_running: false };
        launched.wait_until(limit, is_ready)?;
        Ok(launched)
    }

    fn write_script(&self, environment: &[(&str, &str)], command: &[&str]) -> Result<()> {
        let variables = environment.iter().map(|(name, value)| format!("{name}={}", quote(value)));
        let words: Vec<String> = variables.chain(command.iter().map(|word| quote(word))).collect();
        let script = format!(
            "#!/bin/sh\n# Becomes the server. SIGTERM to the process id in the file stops it.\n\
             echo $$ > {}\nexec >> {} 2>&1\nexec env -i PATH=\"$PATH\" HOME=\"$HOME\" {}\n",
            quote(&self.pid_file.to_string_lossy()),
            quote(&self.log.to_string_lossy()),
            words.join(" ")
        );
        files::write_with_mode(&self.start, &script, files::EXECUTABLE)
    }

    /// Stops the server, if it runs.
    pub(crate) fn stop(&self) -> Result<()> {
        let started = Instant::now();
        // Errors are ignored: the process may have ended.
        if let Some(pid) = self.pid() {
            // Only to this process: `kc.sh` forwards SIGTERM to its Java. SIGKILL would leave Java running (26.7.3).
            let _ = kill_process(pid, Signal::TERM);
        }
        while let Some(pid) = self.pid() {
            if started.elapsed() > STOP_LIMIT {
                status::note(format!("`{}` does not stop, and is killed", self.start.display()));
                let _ = kill_process_group(pid, Signal::KILL);
                break;
            }
            process::pause();
        }
        files::remove(&self.pid_file)
    }

    /// Returns the process id of the server, if it runs. An unrelated process with that id does not count.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let pid = fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()?;
        let id = sysinfo::Pid::from_u32(u32::try_from(pid).ok()?);
        let with_command = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
        let mut system = System::new().ok()?;
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), true, with_command);
        let process = system.process(id)?;
        let folder = self.pid_file.parent()?.to_string_lossy();
        let is_own = process.cmd().iter().any(|word| word.to_string_lossy().contains(&*folder));
        let has_ended = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
        Pid::from_raw(pid).filter(|_| is_own && !has_ended)
    }
}

/// A server that is stopped when dropped.
#[derive(Debug)]
pub(crate) struct Launched {
    server: Server,
    child: Child,
    leave_running: bool,
}

impl Launched {
    /// Leaves the server running when dropped.
    pub(crate) fn leave_running(&mut self) {
        self.leave_running = true;
    }

    fn wait_until(&mut self, limit: Duration, is_ready: impl Fn() -> bool) -> Result<()> {
        let mut progress = Progress::new("Starting");
        let log = &self.server.log;
        let see_log = || format!("see `{}`, which ends with\n{}", log.display(), files::tail(log));
        while !is_ready() {
            process::check_interrupt()?;
            if self.child.try_wait()?.is_some() {
                bail!("the server ended while starting: {}", see_log());
            }
            if progress.elapsed() > limit {
                bail!("the server was not ready within {}: {}", status::elapsed(limit), see_log());
            }
            progress.show();
            process::pause();
        }
        Ok(())
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.leave_running {
            return;
        }
        if let Err(error) = self.server.stop().context("cannot stop a server") {
            status::error(&error);
        }
    }
}

/// Quotes a word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns whether a request to this URL succeeds.
pub(crate) fn responds(url: &str) -> bool {
    get(url).is_ok()
}

/// Returns the JSON at this URL.
pub(crate) fn get_json<T: DeserializeOwned>(url: &str) -> Result<T> {
    parse(url, get(url))
}

/// Posts JSON to this URL, and returns the JSON of the response.
pub(crate) fn post_json<T: DeserializeOwned>(url: &str, body: &Value) -> Result<T> {
    parse(url, agent().post(url).content_type("application/json").send(body.to_string()))
}

/// Posts a form to this URL, and returns the JSON of the response.
pub(crate) fn post_form<T: DeserializeOwned>(url: &str, form: [(&str, &str); 3]) -> Result<T> {
    parse(url, agent().post(url).send_form(form))
}

fn parse<T: DeserializeOwned>(url: &str, response: Result<Response<Body>, ureq::Error>) -> Result<T> {
    let text = response.and_then(|mut response| response.body_mut().read_to_string());
    Ok(serde_json::from_str(&text.with_context(|| format!("cannot read `{url}`"))?)?)
}

fn get(url: &str) -> Result<Response<Body>, ureq::Error> {
    agent().get(url).call()
}

fn agent() -> Agent {
    Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).proxy(None).build().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn server() -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        files::create_folder(&folder.path().join("log")).unwrap();
        let server = Server::new(folder.path(), "sample");
        (folder, server)
    }

    #[test]
    fn a_launched_server_runs_until_dropped() {
        let (folder, server) = server();
        let script = "echo \"$GREETING, ${CARGO-no cargo}\"; while :; do sleep 1; done";
        let command = ["sh", "-c", script, &folder.path().display().to_string()];
        let is_ready = || files::tail(&server.log).contains("it's me, no cargo");
        let launched = server.launch(&[("GREETING", "it's me")], &command, LIMIT, is_ready).unwrap();
        assert!(server.pid().is_some());
        drop(launched);
        assert_eq!(server.pid(), None);
    }

    #[test]
    fn failed_starts_show_the_log() {
        let (_folder, server) = server();
        let error = server.launch(&[], &["sh", "-c", "echo port is taken; exit 1"], LIMIT, || false).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("ended while starting") && error.contains("port is taken"), "{error}");
    }

    #[test]
    fn an_unrelated_process_is_not_stopped() {
        let (_folder, server) = server();
        let mut unrelated = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        fs::write(&server.pid_file, unrelated.id().to_string()).unwrap();
        server.stop().unwrap();
        assert!(unrelated.try_wait().unwrap().is_none(), "it still runs");
        unrelated.kill().unwrap();
        unrelated.wait().unwrap();
    }
}
