//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod connectors;
#[cfg(feature = "http")]
pub(crate) mod definition;
pub(crate) mod doctor;
pub(crate) mod explain;
mod hints;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod schema;
pub(crate) mod serve;
mod store;
pub(crate) mod users;
pub(crate) mod verify;
pub(crate) mod version;

use std::path::Path;

use idp_bridge_core::Registry;

use crate::cli::{Cli, Command};
use crate::config::{self, FILE_NAME, Location, Problem, Settings};
use crate::report::{CommandResult, Exit, Failure};

/// Runs the command that the command line selects.
pub(crate) fn run(cli: Cli, registry: &Registry) -> CommandResult {
    match cli.command {
        Command::Serve(options) => serve::run(&options, registry),
        Command::Check(options) => check::run(&options, registry),
        Command::Doctor(options) => doctor::run(&options, registry),
        Command::Init(options) => init::run(&options, registry),
        Command::Explain(options) => explain::run(&options),
        Command::Call { command } => call::run(command),
        Command::Verify(options) => verify::run(&options),
        Command::Users { command } => users::run(command, registry),
        Command::Connectors(options) => connectors::run(&options, registry),
        #[cfg(feature = "http")]
        Command::Definition { command } => definition::run(&command),
        Command::Keys { command } => keys::run(&command),
        Command::Audit { command } => audit::run(&command),
        Command::Schema(options) => schema::run(&options, registry),
        Command::Completions { shell } => completions::print_completions(shell),
        Command::Man(options) => completions::print_manual(&options),
        Command::Version => version::run(registry),
    }
}

/// Loads the configuration of a command that requires one.
fn load(option: Option<&Path>, registry: &Registry) -> Result<Settings, Failure> {
    match Location::find(option) {
        Location::Path(path) => Ok(config::load(&path, registry)?),
        Location::Missing => Err(Problem::new(format!("there is no configuration: no `{FILE_NAME}` in this folder"))
            .with_hint("name a file or a folder with `--config`")
            .into()),
    }
}

/// Creates a single-threaded runtime for a command that makes a few requests and exits.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(runtime_error)
}

fn runtime_error(error: std::io::Error) -> Failure {
    let problem = Problem::new(format!("the runtime cannot be started: {error}"));
    Failure { exit: Exit::Negative, problems: vec![problem] }
}
