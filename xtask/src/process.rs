//! Running other programs: each in a process group of its own, ended with all that it started when a signal comes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt::Interrupt;
use crate::{files, status};

/// How often a running child is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How often a long step says that it still runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long an interrupted child may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long the last lines of a child that ended may take to arrive.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Runs a program whose output people see. Fails unless it succeeds.
pub(crate) fn run(command: &mut Command, interrupt: &Interrupt) -> Result<()> {
    let child = spawn(command)?;
    let status = wait(child, interrupt, || {})?;
    expect_success(command, status)
}

/// Runs a program whose output goes to a log. Fails unless it succeeds, and then shows the end of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path, interrupt: &Interrupt) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let child = spawn(command)?;
    let (started, mut last_sign) = (Instant::now(), Instant::now());
    let status = wait(child, interrupt, || {
        if last_sign.elapsed() >= SIGN_OF_LIFE {
            last_sign = Instant::now();
            status::step("Running", format!("still, after {}", status::elapsed(started.elapsed())));
        }
    })?;
    expect_success(command, status)
        .with_context(|| format!("see `{}`, which ends with\n{}", log.display(), files::tail(log, 15)))
}

/// Runs a program, hands its standard output through and shows every line of it to `on_line`. Fails unless it succeeds.
pub(crate) fn run_read<Read>(command: &mut Command, interrupt: &Interrupt, on_line: Read) -> Result<()>
where
    Read: FnMut(&str) + Send + 'static,
{
    command.stdout(Stdio::piped());
    let mut child = spawn(command)?;
    let output = child.stdout.take().context("the child has no standard output")?;
    let mut on_line = on_line;
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            status::child_output(&line);
            on_line(&line);
        }
    });
    let status = wait(child, interrupt, || {})?;
    // Something that the child left running may hold the pipe open for ever: its lines are not waited for.
    let ended = Instant::now();
    while !reader.is_finished() && ended.elapsed() < LAST_LINES {
        interrupt.rest(GLANCE);
    }
    expect_success(command, status)
}

/// Runs a program quietly and answers its standard output. Fails unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {}", title(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", title(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not answer in UTF-8", title(command)))
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).process_group(0);
    command.spawn().with_context(|| format!("cannot run {}", title(command)))
}

fn wait(mut child: Child, interrupt: &Interrupt, mut meanwhile: impl FnMut()) -> Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            interrupt.check()?;
            return Ok(status);
        }
        match asked {
            None if interrupt.is_raised() => {
                signal_group(&child, Signal::TERM);
                asked = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GRACE => signal_group(&child, Signal::KILL),
            _ => meanwhile(),
        }
        interrupt.rest(GLANCE);
    }
}

/// A child that has just ended needs no signal, so a failure to send one is none.
fn signal_group(child: &Child, signal: Signal) {
    let _ = kill_process_group(Pid::from_child(child), signal);
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    match (status.code(), status.signal()) {
        (Some(code), _) => bail!("{} failed with exit code {code}", title(command)),
        (None, Some(signal)) => bail!("{} was ended by signal {signal}", title(command)),
        (None, None) => bail!("{} failed", title(command)),
    }
}

/// The program and its arguments, as people would type them.
fn title(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy());
    format!("`{}`", words.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_the_program_and_its_exit_code() {
        let error = run(&mut shell("exit 7"), &Interrupt::default()).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 7` failed with exit code 7");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program"), &Interrupt::default()).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `no-such-program`");
    }

    #[test]
    fn every_line_is_read_before_the_run_ends() {
        let (sender, receiver) = mpsc::channel();
        let on_line = move |line: &str| sender.send(line.to_owned()).unwrap();
        run_read(&mut shell("echo one; echo two"), &Interrupt::default(), on_line).unwrap();
        assert_eq!(receiver.iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_failed_logged_run_shows_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error = run_logged(&mut shell("echo why >&2; exit 1"), &log, &Interrupt::default()).unwrap_err();
        assert!(error.to_string().contains("    why\n"), "{error}");
    }

    #[test]
    fn an_interrupt_ends_the_child_and_what_it_started() {
        let (sender, receiver) = mpsc::channel();
        let interrupt = Interrupt::default();
        let raise = interrupt.clone();
        let on_line = move |line: &str| {
            raise.raise();
            sender.send(line.parse::<i32>().unwrap()).unwrap();
        };
        let error = run_read(&mut shell("sleep 600 & echo $!; wait"), &interrupt, on_line).unwrap_err();
        assert_eq!(error.to_string(), "interrupted");
        let grandchild = Pid::from_raw(receiver.recv().unwrap()).unwrap();
        assert!(!crate::pid::is_alive(grandchild), "the grandchild must have been ended too");
    }
}
