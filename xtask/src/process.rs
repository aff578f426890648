//! Runs other programs. Each has a process group of its own, which ends when a signal arrives.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::status::Progress;
use crate::{files, status};

/// Interval between two checks of a process.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);
/// Time for an interrupted program to end, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// Time for the last lines of a program that has ended to arrive.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Whether Ctrl-C or another signal to end has arrived.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Records signals to end, so that these tasks stop their servers first.
pub(crate) fn catch_signals() -> Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)).context("cannot handle signals")?;
    }
    Ok(())
}

/// Returns whether a signal to end has arrived.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Fails if a signal to end has arrived.
pub(crate) fn check_interrupt() -> Result<()> {
    if is_interrupted() { bail!("interrupted") } else { Ok(()) }
}

/// Waits until the next check of a process.
pub(crate) fn pause() {
    thread::park_timeout(INTERVAL);
}

/// Runs a program with visible output. Fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let child = spawn(command)?;
    let status = wait(child, &INTERRUPTED, || {})?;
    expect_success(command, status)
}

/// Runs a program and writes its output to a log. Fails unless it succeeds; the error has the end of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    files::create_parent(log)?;
    let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
    let child = spawn(command.stdout(file.try_clone()?).stderr(file))?;
    let mut progress = Progress::new("Running");
    let status = wait(child, &INTERRUPTED, || progress.show())?;
    expect_success(command, status)
        .with_context(|| format!("see `{}`, which ends with\n{}", log.display(), files::tail(log)))
}

/// Runs a program, and prints and reads each line of its standard output. Fails unless it succeeds.
pub(crate) fn run_read(command: &mut Command, mut read: impl FnMut(&str)) -> Result<()> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let output = BufReader::new(child.stdout.take().context("the program has no standard output")?);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut handle = |line: String| {
        status::child_output(&line);
        read(&line);
    };
    let status = wait(child, &INTERRUPTED, || lines.try_iter().for_each(&mut handle))?;
    // Limited, since a process that the program left behind may hold the pipe open.
    while let Ok(line) = lines.recv_timeout(LAST_LINES) {
        handle(line);
    }
    expect_success(command, status)
}

/// Runs a program and returns its standard output. Fails unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", title(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", title(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("the output of {} is not UTF-8", title(command)))
}

/// Starts a program in a process group of its own.
pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.stdin(Stdio::null()).process_group(0).spawn();
    child.with_context(|| format!("cannot run {}", title(command)))
}

/// Waits for the end of a program. Ends its process group if a signal arrives.
fn wait(mut child: Child, interrupted: &AtomicBool, mut meanwhile: impl FnMut()) -> Result<ExitStatus> {
    while !interrupted.load(Ordering::SeqCst) {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        meanwhile();
        pause();
    }
    // Errors are ignored: the group may have ended.
    let group = Pid::from_child(&child);
    let _ = kill_process_group(group, Signal::TERM);
    let ending = Instant::now();
    while child.try_wait()?.is_none() && ending.elapsed() < GRACE {
        pause();
    }
    let _ = kill_process_group(group, Signal::KILL);
    child.wait()?;
    bail!("interrupted")
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("{} failed with {status}", title(command)) }
}

/// Returns the program and its arguments, as in a shell.
fn title(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy());
    format!("`{}`", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn failures_name_the_program() {
        let error = run(&mut shell("exit 7")).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 7` failed with exit status: 7");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `no-such-program`");
    }

    #[test]
    fn all_lines_are_read() {
        let mut lines = Vec::new();
        run_read(&mut shell("echo one; echo two"), |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_failed_logged_run_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let error = run_logged(&mut shell("echo why >&2; exit 1"), &folder.path().join("log")).unwrap_err();
        assert!(error.to_string().contains("    why\n"), "{error}");
    }

    #[test]
    fn an_interrupt_ends_the_whole_group() {
        let mut child = spawn(shell("sleep 600 & echo; exec sleep 600").stdout(Stdio::piped())).unwrap();
        let mut output = child.stdout.take().unwrap();
        output.read_exact(&mut [0]).unwrap();
        let error = wait(child, &AtomicBool::new(true), || {}).unwrap_err();
        assert_eq!(error.to_string(), "interrupted");
        let (sender, end) = mpsc::channel();
        thread::spawn(move || sender.send(output.read(&mut [0])));
        let read = end.recv_timeout(GRACE).expect("no process of the group holds the output");
        assert_eq!(read.unwrap(), 0);
    }
}
