//! The idp-bridge program as a library, for programs with additional connectors:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     let registry = idp_bridge::registry(); // add a connector: `.with::<Mine>()`
//!     idp_bridge::run(registry)
//! }
//! ```

mod certificate;
mod cli;
mod commands;
mod config;
mod connectors;
mod demo;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod log;
mod report;
mod show;
mod sqlite;
mod traces;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
pub use connectors::registry;
use idp_bridge_core::Registry;

/// Runs the program with these connectors and the arguments of the process.
///
/// The exit code is 0 for success, 1 for a negative answer and 2 for wrong usage or configuration.
pub fn run(registry: Registry) -> ExitCode {
    match parse(&registry) {
        Ok(cli) => {
            let as_json = cli.command.prints_json();
            report::finish(commands::run(cli, &registry), as_json)
        }
        Err(error) => {
            // The reader of standard output may have ended.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

/// Parses the arguments of the process. `--version` describes the built-in parts of the program.
fn parse(registry: &Registry) -> Result<cli::Cli, clap::Error> {
    // Clap takes text of the program's lifetime.
    let version: &str = commands::version::describe(registry).leak();
    let mut command = cli::Cli::command().long_version(version);
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    cli::Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}
