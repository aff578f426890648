//! A server of the lab: started by a script that anyone may run again, stopped by the process id that the script leaves.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;

use crate::interrupt::Interrupt;
use crate::{files, pid, status};

/// How often a server is asked whether it is ready or gone.
const GLANCE: Duration = Duration::from_millis(100);
/// How often a long start says that it still goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a server may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Where a server's script, process id and log are.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Server {
    /// A script without arguments that becomes the server, on the same ports and data.
    pub(crate) start: PathBuf,
    /// The script writes its process id here; a SIGTERM to it stops the server.
    pub(crate) pid_file: PathBuf,
    /// What the server says.
    pub(crate) log: PathBuf,
}

impl Server {
    /// The server of this name in the lab's folder.
    pub(crate) fn new(lab: &Path, name: &str) -> Self {
        Self {
            start: lab.join(format!("start-{name}.sh")),
            pid_file: lab.join(format!("{name}.pid")),
            log: lab.join("log").join(format!("{name}.log")),
        }
    }

    /// Writes the script: the command, in an environment with nothing but these variables and the path.
    pub(crate) fn write_script(&self, environment: &[(&str, &str)], command: &[&str]) -> Result<()> {
        let variables = environment.iter().map(|(name, value)| format!("{name}={}", quote(value)));
        let words: Vec<String> = variables.chain(command.iter().map(|word| quote(word))).collect();
        let script = format!(
            "#!/bin/sh\n# Becomes the server; a SIGTERM to the process id in the file stops it.\n\
             echo $$ > {}\nexec >> {} 2>&1\nexec env -i PATH=\"$PATH\" HOME=\"$HOME\" {}\n",
            quote(&self.pid_file.to_string_lossy()),
            quote(&self.log.to_string_lossy()),
            words.join(" ")
        );
        files::write_executable(&self.start, &script)
    }

    /// Starts it, with a fresh log. Dropping what this answers stops it again.
    pub(crate) fn launch(&self, interrupt: &Interrupt) -> Result<Launched> {
        files::remove(&self.log)?;
        files::remove(&self.pid_file)?;
        // Given to the shell instead of executed: a file that was just written can still be busy in a sibling's fork.
        let mut child = Command::new("sh")
            .arg(&self.start)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run `{}`", self.start.display()))?;
        let pid = Pid::from_child(&child);
        // Somebody must wait for it, or it would never be gone for those who stop it.
        thread::spawn(move || child.wait());
        Ok(Launched { server: self.clone(), first_pid: pid, interrupt: interrupt.clone(), leave_running: false })
    }

    /// Stops it, whoever started it, if it runs.
    pub(crate) fn stop(&self, interrupt: &Interrupt) -> Result<()> {
        let Some(pid) = self.running() else {
            return files::remove(&self.pid_file);
        };
        // SIGTERM to the one process: `kc.sh` hands it to its Java. A SIGKILL would leave that Java running, seen on 26.7.3.
        let _ = kill_process(pid, Signal::TERM);
        let asked = Instant::now();
        while pid::is_alive(pid) {
            if asked.elapsed() > STOP_LIMIT {
                status::note(format!("`{}` does not stop, so it is killed", self.start.display()));
                let _ = kill_process_group(pid, Signal::KILL);
                break;
            }
            interrupt.rest(GLANCE);
        }
        files::remove(&self.pid_file)
    }

    /// Its process id, if it runs. A stranger that got an old process id is not taken for it.
    pub(crate) fn running(&self) -> Option<Pid> {
        let pid = fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok().and_then(Pid::from_raw)?;
        let lab = self.pid_file.parent()?.to_string_lossy();
        (pid::is_alive(pid) && pid::command_line(pid).contains(&*lab)).then_some(pid)
    }
}

/// A server that was started here and is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Launched {
    server: Server,
    first_pid: Pid,
    interrupt: Interrupt,
    leave_running: bool,
}

impl Launched {
    /// Waits until `is_ready` says so. Fails when the server ends or takes longer than `limit`, with the end of its log.
    pub(crate) fn wait_until(&self, limit: Duration, is_ready: impl Fn() -> bool) -> Result<()> {
        let (started, mut last_sign) = (Instant::now(), Instant::now());
        while !is_ready() {
            self.interrupt.check()?;
            let log = || format!("see `{}`, which ends with\n{}", self.server.log.display(), self.log_tail());
            if !pid::is_alive(self.first_pid) {
                bail!("the server ended while starting: {}", log());
            }
            if started.elapsed() > limit {
                bail!("the server was not ready within {}: {}", status::elapsed(limit), log());
            }
            if last_sign.elapsed() > SIGN_OF_LIFE {
                last_sign = Instant::now();
                status::step("Starting", format!("still, after {}", status::elapsed(started.elapsed())));
            }
            self.interrupt.rest(GLANCE);
        }
        Ok(())
    }

    /// Leaves it running when these tasks end.
    pub(crate) fn leave_running(&mut self) {
        self.leave_running = true;
    }

    fn log_tail(&self) -> String {
        files::tail(&self.server.log, 15)
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.leave_running {
            return;
        }
        if let Err(error) = self.server.stop(&self.interrupt) {
            status::error(&error);
        }
    }
}

/// A word as the shell reads it back.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(command: &[&str]) -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        files::create_folder(&folder.path().join("log")).unwrap();
        let server = Server::new(folder.path(), "sample");
        server.write_script(&[("GREETING", "it's me")], command).unwrap();
        (folder, server)
    }

    #[test]
    fn a_launched_server_runs_until_it_is_dropped() {
        let interrupt = Interrupt::default();
        let (folder, server) = server(&[]);
        let mark = folder.path().display().to_string();
        server.write_script(&[], &["sh", "-c", "echo ready; while :; do sleep 1; done", &mark]).unwrap();
        let launched = server.launch(&interrupt).unwrap();
        launched.wait_until(Duration::from_secs(20), || files::tail(&server.log, 1).contains("ready")).unwrap();
        let pid = server.running().expect("it runs");
        drop(launched);
        assert!(!pid::is_alive(pid));
        assert_eq!(server.running(), None);
    }

    #[test]
    fn the_script_passes_its_variables_and_nothing_else() {
        let (_folder, server) = server(&["sh", "-c", "echo \"$GREETING, ${CARGO-no cargo}\""]);
        let launched = server.launch(&Interrupt::default()).unwrap();
        let log = server.log.clone();
        let _ = launched.wait_until(Duration::from_secs(20), || log.exists() && !files::tail(&log, 1).is_empty());
        assert_eq!(files::tail(&server.log, 1), "    it's me, no cargo\n");
    }

    #[test]
    fn a_server_that_ends_while_starting_fails_with_its_last_words() {
        let (_folder, server) = server(&["sh", "-c", "echo port is taken; exit 1"]);
        let launched = server.launch(&Interrupt::default()).unwrap();
        let error = launched.wait_until(Duration::from_secs(20), || false).unwrap_err().to_string();
        assert!(error.contains("ended while starting") && error.contains("port is taken"), "{error}");
    }

    #[test]
    fn a_stranger_with_an_old_process_id_is_left_alone() {
        let (_folder, server) = server(&["true"]);
        let mut stranger = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        fs::write(&server.pid_file, stranger.id().to_string()).unwrap();
        server.stop(&Interrupt::default()).unwrap();
        assert!(stranger.try_wait().unwrap().is_none(), "the stranger still runs");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
