//! The commands, one file each.

pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connectors;
pub(crate) mod doctor;
pub(crate) mod keys;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod users;

use std::path::Path;

use idp_bridge_core::Registry;

use crate::cli::{Cli, Command};
use crate::config::{self, FILE_NAME, Location, Problem, Settings};
use crate::report::{Ended, Exit, Failure};

/// Runs a command.
pub(crate) fn run(cli: Cli, registry: &Registry) -> Ended {
    match cli.command {
        Command::Serve(options) => serve::run(&options, registry),
        Command::Check(options) => check::run(&options, registry),
        Command::Doctor(options) => doctor::run(&options, registry),
        Command::Call { command } => call::run(command),
        Command::Users { command } => users::run(command, registry),
        Command::Connectors(options) => connectors::run(&options, registry),
        Command::Keys { command } => keys::run(&command),
        Command::Schema(options) => schema::run(&options, registry),
        Command::Completions { shell } => completions::shell(shell),
        Command::Man => completions::man(),
    }
}

/// The configuration of a command that cannot do without.
fn load(option: Option<&Path>, registry: &Registry) -> Result<Settings, Failure> {
    match Location::find(option) {
        Location::Path(path) => Ok(config::load(&path, registry)?),
        Location::Nowhere => Err(Problem::new(format!("there is no configuration: no `{FILE_NAME}` in this folder"))
            .hint("name a file or a folder with `--config`")
            .into()),
    }
}

/// A runtime for a command that makes a few requests and ends.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(no_runtime)
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure { exit: Exit::Negative, problems: vec![Problem::new(format!("the system gives no event queue: {error}"))] }
}
