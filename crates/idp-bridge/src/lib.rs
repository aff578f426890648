//! The idp-bridge program, and the library that builds a program of one's own connectors:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     let registry = idp_bridge::registry(); // add one's own: `.with::<Mine>()`
//!     idp_bridge::run(registry)
//! }
//! ```

mod cli;
mod commands;
mod config;
mod connectors;
mod demo;
mod log;
mod report;
mod show;

use std::process::ExitCode;

use clap::Parser as _;
pub use connectors::registry;
use idp_bridge_core::Registry;

/// Runs the program with these connectors, as the command line asks.
///
/// The exit code is 0 if it did what was asked, 1 for a negative answer, 2 for wrong usage or configuration.
pub fn run(registry: Registry) -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => {
            let as_json = cli.command.prints_json();
            report::finish(commands::run(cli, &registry), as_json)
        }
        Err(error) => {
            // Help goes to standard output, whose reader may be gone.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
