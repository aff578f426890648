//! `completions` and `man`: the command line, as shells and manuals describe it.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::report::{Ended, Exit, print};

/// Prints the completions of a shell.
pub(crate) fn shell(shell: Shell) -> Ended {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "idp-bridge", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}

/// Prints the manual page.
pub(crate) fn man() -> Ended {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Done)
}
