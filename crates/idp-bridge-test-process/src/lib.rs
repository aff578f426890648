//! Server processes for tests: started with a log, paused, and ended with the test.
//!
//! They panic where a test should fail.

#![expect(clippy::panic, clippy::unwrap_used, reason = "for tests only")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The time limit for anything that should be immediate.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program until the standard input ends, which is when the test ends, however it ends.
const UNTIL_INPUT_ENDS: &str = r#"signal=$1; shift; command -v "$1" >/dev/null || exit 127
"$@" >&2 & server=$!; echo $server; cat >/dev/null; kill -$signal $server; wait $server"#;

/// A running server. It is ended when this is dropped.
#[derive(Debug)]
pub struct ServerProcess {
    shell: Child,
    id: Pid,
    log: PathBuf,
    install: &'static str,
}

impl ServerProcess {
    /// Creates the command of a server, which ends on this signal, such as `KILL`. Arguments and the folder can be added.
    pub fn command(program: impl AsRef<OsStr>, signal: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", UNTIL_INPUT_ENDS, "sh", signal]).arg(program);
        command
    }

    /// Starts a server with its output in a log. `install` is the command that installs a missing program.
    pub fn start(command: &mut Command, log: &Path, install: &'static str) -> Self {
        let output = File::create(log).unwrap();
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(output).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let id = line.trim().parse().ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("{install}"));
        Self { shell, id, log: log.to_owned(), install }
    }

    /// Waits for a condition. Panics with the log if the server ends, or if it takes too long.
    pub fn wait_until(&self, condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(self.status() != 'Z', "the server has ended: {}\n{}", log(), self.install);
            assert!(begun.elapsed() < PATIENCE, "not ready in time: {}", log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Returns the letter of the process's status: `T` while it is paused, and `Z` after its end.
    fn status(&self) -> char {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id.as_raw_nonzero())).unwrap();
        text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap()
    }

    /// Stops the process until [`resume`](Self::resume). Its connections stay open.
    pub fn pause(&self) {
        kill_process(self.id, Signal::STOP).unwrap();
        // A thread of the server may still be answering.
        self.wait_until(|| self.status() == 'T');
    }

    /// Continues the paused process.
    pub fn resume(&self) {
        kill_process(self.id, Signal::CONT).unwrap();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may be paused, or have ended.
        let _ = kill_process(self.id, Signal::CONT);
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Returns a port on which no program listens.
pub fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
