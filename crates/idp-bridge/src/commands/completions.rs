//! The commands `completions` and `man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::config::Problem;
use crate::report::{CommandResult, Exit, print};

/// The options of the command `man`.
#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// Write the pages of all commands to this folder, which must exist
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints the completion script of a shell.
pub(crate) fn print_completions(shell: Shell) -> CommandResult {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "idp-bridge", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes one page for each command.
pub(crate) fn print_manual(options: &ManOptions) -> CommandResult {
    if let Some(folder) = &options.out {
        clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
            Problem::new(format!("the manual pages cannot be written: {error}"))
                .in_file(folder)
                .with_hint("name an existing folder that you may write to with `--out`")
        })?;
        return Ok(Exit::Done);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|error| Problem::new(format!("the manual page cannot be made: {error}")))?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
