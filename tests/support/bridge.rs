//! A bridge that runs, on a port of its own.

use std::io::{BufRead as _, BufReader, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::program;

/// How long anything may take that should take no time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running bridge; stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Bridge {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    address: String,
}

impl Bridge {
    /// Serves the demo.
    pub(crate) fn demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start(program::command(folder.path()).args(["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Serves a configuration.
    pub(crate) fn of(config: &Path) -> Self {
        Self::with(config, &[])
    }

    /// Serves a configuration with more options.
    pub(crate) fn with(config: &Path, options: &[&str]) -> Self {
        let folder = config.parent().unwrap();
        let mut command = program::command(folder);
        Self::start(command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).args(options))
    }

    /// Serves a configuration with a log that nobody reads, and returns the pipe.
    pub(crate) fn unread_log(config: &Path) -> (Self, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        (Self::with_log(config, writer.into()), reader)
    }

    /// Serves a configuration with the log going there.
    pub(crate) fn with_log(config: &Path, log: Stdio) -> Self {
        let mut command = program::command(config.parent().unwrap());
        let mut child =
            command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (stdout, stderr) = (Lines::of(child.stdout.take().unwrap()), Lines::of(std::io::empty()));
        let line = stdout.wait_for("listening on ").unwrap();
        let address = line.trim_start_matches("listening on http://").to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Serves a configuration with standard output going there; the address is read from the log.
    pub(crate) fn with_output(config: &Path, output: Stdio) -> Self {
        let mut command = program::command(config.parent().unwrap());
        let mut child =
            command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::of(std::io::empty()), Lines::of(child.stderr.take().unwrap()));
        let line = stderr.wait_for("\"message\":\"serving\"").unwrap();
        let (_, address) = line.split_once("\"address\":\"").unwrap();
        let address = address.split('"').next().unwrap().to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Starts the program with a command that serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        let line = stdout.wait_for("listening on ").unwrap_or_else(|| panic!("no start: {:?}", stderr.all()));
        let address = line.trim_start_matches("listening on http://").to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line on standard output that holds this text, which must come.
    #[track_caller]
    pub(crate) fn said(&self, text: &str) -> String {
        self.stdout.wait_for(text).unwrap_or_else(|| panic!("no {text:?} in {:?}", self.stdout.all()))
    }

    /// The first line of the log that holds this text, which must come.
    #[track_caller]
    pub(crate) fn logged(&self, text: &str) -> String {
        self.stderr.wait_for(text).unwrap_or_else(|| panic!("no {text:?} in {:?}", self.stderr.all()))
    }

    /// The whole log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// Resident memory, in kilobytes.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and answers how it ended.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap()).unwrap_or_else(|| panic!("it runs on: {:?}", self.stderr.all()))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a program writes, read as they come so that it never waits for its reader.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let writer = lines.clone();
        std::thread::spawn(move || {
            let (written, changed) = &*writer.0;
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                written.lock().unwrap().lines.push(line);
                changed.notify_all();
            }
            written.lock().unwrap().ended = true;
            changed.notify_all();
        });
        lines
    }

    /// The first line that holds this text, if it comes.
    pub(crate) fn wait_for(&self, text: &str) -> Option<String> {
        let (written, changed) = &*self.0;
        let find = |written: &Written| written.lines.iter().find(|line| line.contains(text)).cloned();
        let guard = written.lock().unwrap();
        let waiting = |written: &mut Written| find(written).is_none() && !written.ended;
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, waiting).unwrap();
        find(&guard)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }
}

/// Asks until there is an answer, but not for ever.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if started.elapsed() > PATIENCE {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
