//! The command `audit`: checks files of the audit.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use idp_bridge_server::{AuditReport, verify_audit};

use crate::config::Problem;
use crate::report::{CommandResult, Exit, Failure, print, print_json};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check that no line of the audit was changed, removed or inserted
    ///
    /// Exits with 1 and names the first line that breaks the chain of digests. The end of the last file cannot be checked:
    /// compare the digest of the last line with one that you noted elsewhere.
    Verify(Verify),
}

/// The options of `audit verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The files, from the oldest to the newest
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> CommandResult {
    let Command::Verify(options) = command;
    let mut files = Vec::new();
    for path in &options.files {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        files.push((path.display().to_string(), BufReader::new(file)));
    }
    let report = verify_audit(files).map_err(|(name, error)| unreadable(Path::new(&name), &error))?;
    if options.json {
        print_json(&report)?
    } else {
        print(&describe(&report))?
    }
    Ok(if report.broken.is_some() { Exit::Negative } else { Exit::Done })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Problem::new(format!("the file cannot be read: {error}")).in_file(path).into()
}

fn describe(report: &AuditReport) -> String {
    if let Some(broken) = &report.broken {
        return format!("broken at {}:{}: {}", broken.file, broken.line, broken.reason);
    }
    let incomplete = match report.incomplete {
        0 => String::new(),
        count => format!(", {count} of them incomplete after a crash"),
    };
    let [begin, end] = [&report.begins_after, &report.ends_with].map(|digest| digest.as_deref().unwrap_or("none"));
    format!("unbroken: {} lines{incomplete}\nbegins after {begin}\nends with    {end}", report.lines)
}
