//! `cargo xtask chaos`: runs the program between its callers and identity providers with faults.

use anyhow::Result;

use crate::workspace::{EVERYTHING, Workspace};
use crate::{prerequisites, process};

/// The integration test that injects the faults.
const TEST: &str = "chaos";

/// The test to run: the table of faults, or random schedules.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the cells of the table as JSON.
    #[arg(long, conflicts_with = "seed")]
    json: bool,
    /// Run the random schedule of this seed instead of the table.
    #[arg(long)]
    seed: Option<u64>,
    /// The duration of the random schedule.
    #[arg(long, default_value_t = 10, requires = "seed")]
    minutes: u64,
}

/// Runs the table and writes `docs/reliability.md`, or runs a random schedule. Fails if there are violations.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo(&["test", "--quiet", "--test", TEST]);
    cargo.args(EVERYTHING).arg("--");
    match options.seed {
        Some(seed) => {
            prerequisites::ensure(&[&prerequisites::REDIS])?;
            cargo.args(["--seed", &seed.to_string(), "--minutes", &options.minutes.to_string()])
        }
        None => {
            prerequisites::ensure(&[&prerequisites::REDIS, &prerequisites::POSTGRES, &prerequisites::SLAPD])?;
            cargo.arg("--table")
        }
    };
    cargo.args(options.json.then_some("--json"));
    process::run(&mut cargo)
}
