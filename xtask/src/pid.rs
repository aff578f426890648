//! Asking about processes that need not be children of these tasks.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, test_kill_process};

use crate::process;

/// Whether it runs. One that ended and was not yet waited for by its parent does not.
pub(crate) fn is_alive(pid: Pid) -> bool {
    if test_kill_process(pid).is_err() {
        return false;
    }
    match fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        // `X` shows for a moment while its parent waits for it.
        Ok(stat) => !matches!(state(&stat), Some('Z' | 'X')),
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

/// The words it was started with, separated by spaces; empty if it does not run.
pub(crate) fn command_line(pid: Pid) -> String {
    let pid = pid.as_raw_nonzero();
    if Path::new("/proc/self").exists() {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&words).replace('\0', " ");
    }
    process::output(Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()])).unwrap_or_default()
}

/// The state letter of Linux's `stat`: it follows the name, which is in parentheses and may itself contain some.
fn state(stat: &str) -> Option<char> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_that_was_not_waited_for_counts_as_ended() {
        let mut child = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(is_alive(pid));
        // The system fills the words in a moment after the program began.
        while !command_line(pid).contains("600") {
            std::thread::yield_now();
        }
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        while is_alive(pid) {
            std::thread::yield_now();
        }
        assert!(test_kill_process(pid).is_ok(), "the system still knows it, since nobody waited for it");
        child.wait().unwrap();
        assert!(!is_alive(pid));
    }

    #[test]
    fn the_state_is_found_behind_a_hostile_name() {
        assert_eq!(state("42 (a) Z (b)) S 1 42"), Some('S'));
        assert_eq!(state("garbage"), None);
    }
}
