//! A running bridge on a free port.

use std::io::{BufRead as _, BufReader, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{leaks, program};

/// Maximum time for anything that should be immediate.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The environment variable with the filter of the log.
const LOG: &str = "IDP_BRIDGE_LOG";

/// A running bridge. It is stopped when dropped, and its log must have no personal data and no secrets.
#[derive(Debug)]
pub(crate) struct Bridge {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    address: String,
}

impl Bridge {
    /// Serves the demo.
    pub(crate) fn serve_demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start(program::command(folder.path()).env(LOG, "trace").args(["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Serves a configuration, with a log at `trace`.
    pub(crate) fn serve(config: &Path) -> Self {
        Self::serve_with_options(config, &[])
    }

    /// Serves a configuration at this address, with the log that is configured, or else one at `info`.
    pub(crate) fn serve_at(config: &Path, address: &str) -> Self {
        let mut command = program::command(config.parent().unwrap());
        Self::start(command.args(["serve", "--listen", address, "--config"]).arg(config))
    }

    /// Serves a configuration with additional options, with a log at `trace`.
    pub(crate) fn serve_with_options(config: &Path, options: &[&str]) -> Self {
        let folder = config.parent().unwrap();
        let mut command = program::command(folder);
        command.env(LOG, "trace");
        Self::start(command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).args(options))
    }

    /// Serves a configuration with an unread log, and returns the pipe.
    pub(crate) fn serve_with_unread_log(config: &Path) -> (Self, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        (Self::serve_with_log(config, writer.into()), reader)
    }

    /// Serves a configuration with the log going to this output.
    pub(crate) fn serve_with_log(config: &Path, log: Stdio) -> Self {
        let mut command = program::command(config.parent().unwrap());
        let mut child =
            command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (stdout, stderr) = (Lines::read(child.stdout.take().unwrap()), Lines::read(std::io::empty()));
        let line = stdout.wait_for("listening on ").unwrap();
        let address = line.trim_start_matches("listening on http://").to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Serves a configuration with this standard output. The address is read from the log.
    pub(crate) fn serve_with_output(config: &Path, output: Stdio) -> Self {
        let mut command = program::command(config.parent().unwrap());
        let mut child =
            command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::read(std::io::empty()), Lines::read(child.stderr.take().unwrap()));
        let line = stderr.wait_for("\"message\":\"serving\"").unwrap();
        let (_, address) = line.split_once("\"address\":\"").unwrap();
        let address = address.split('"').next().unwrap().to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Starts a command that serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::read(child.stdout.take().unwrap()), Lines::read(child.stderr.take().unwrap()));
        let line = stdout.wait_for("listening on ").unwrap_or_else(|| panic!("no start: {:?}", stderr.all()));
        let (_, address) = line.split_once("://").unwrap();
        let address = address.to_owned();
        Self { child, stdout, stderr, address }
    }

    /// Returns the host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Returns the host and port of the listener for probes.
    #[track_caller]
    pub(crate) fn probes_address(&self) -> String {
        let line = self.wait_for_log("serving probes");
        line.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a line on standard output that contains a text, or panics.
    #[track_caller]
    pub(crate) fn wait_for_output(&self, text: &str) -> String {
        self.stdout.wait_for(text).unwrap_or_else(|| panic!("no {text:?} in {:?}", self.stdout.all()))
    }

    /// Waits for a line of the log that contains a text, or panics.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        self.stderr.wait_for(text).unwrap_or_else(|| panic!("no {text:?} in {:?}", self.stderr.all()))
    }

    /// Returns the log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// Returns the id of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the resident memory in kilobytes.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills the process.
    pub(crate) fn kill(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the exit of the process.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("the bridge did not exit: {:?}", self.stderr.all()))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            let log = self.stderr.wait_for_end();
            let leaks = leaks::find(&log);
            assert!(leaks.is_empty(), "the log has personal data or secrets: {leaks:#?}");
        }
    }
}

/// The lines of a program's output, read continuously so that the program never blocks.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn read(pipe: impl Read + Send + 'static) -> Self {
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

    /// Waits for the first line that contains a text.
    pub(crate) fn wait_for(&self, text: &str) -> Option<String> {
        let (written, changed) = &*self.0;
        let find = |written: &Written| written.lines.iter().find(|line| line.contains(text)).cloned();
        let guard = written.lock().unwrap();
        let waiting = |written: &mut Written| find(written).is_none() && !written.ended;
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, waiting).unwrap();
        find(&guard)
    }

    /// Waits for the end of the output, and returns all lines.
    fn wait_for_end(&self) -> Vec<String> {
        let (written, changed) = &*self.0;
        let guard = written.lock().unwrap();
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, |written| !written.ended).unwrap();
        guard.lines.clone()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }
}

/// Polls until there is a value, for at most [`PATIENCE`].
pub(crate) fn until<T>(mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = poll() {
            return Some(answer);
        }
        if started.elapsed() > PATIENCE {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
