//! The project's own tasks: `cargo xtask --help` lists them.

mod auth0_contract;
mod bench;
mod book;
mod built_tool;
mod chaos;
mod ci;
mod codegen;
mod conformance;
mod dependencies;
mod environment;
mod features;
mod files;
mod lab;
mod live;
mod new_connector;
mod out_of_tree;
mod package;
mod prerequisites;
mod process;
mod publish;
mod screenshots;
mod status;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test, including those on real servers.
    ///
    /// Finds Java, Maven, Python, Node.js and Chromium, or installs them on Debian as root.
    /// Then builds the tests, starts the labs, runs all tests, and stops the labs.
    Test,
    /// Run what CI runs: format, tidy, dependencies, manifests, clippy, documentation, tests, generated files, features.
    ///
    /// Every step runs, even after one failed; the last line names those that failed.
    Ci,
    /// Run an identity provider on this machine, with sample users and a configuration for the bridge, until Ctrl-C.
    ///
    /// Everything is below `.lab/` and listens on 127.0.0.1 only. `xtask/README.md` describes the files.
    Lab(lab::Options),
    /// Run the conformance suite on a server that runs already, with the stage of a definition.
    Live(live::Options),
    /// Write the documents under `docs/` that are generated from the program.
    Codegen(codegen::Options),
    /// Write the pictures under `docs/images`, which the browser tests take.
    Screenshots,
    /// Write a new connector, which its conformance suite helps to complete.
    NewConnector(new_connector::Options),
    /// Compare the Auth0 connector and its fake with recorded traffic and Auth0's API description.
    Auth0Contract(auth0_contract::Options),
    /// Measure the cost of a call through the bridge and through other gateways, in release builds.
    Bench(bench::Options),
    /// Build the site of the documentation in `target/book`.
    Book,
    /// Inject faults between the program and its identity providers, and write `docs/reliability.md`.
    ///
    /// Each fault of the table meets each call of each connector. With `--seed`, a random schedule mixes faults and calls.
    Chaos(chaos::Options),
    /// Build the archive and the Debian package in `target/package/idp-bridge`, or check the files in `packaging/`.
    Package(package::Options),
    /// Check the rules of this repository that neither the compiler nor clippy checks.
    Tidy,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = process::catch_signals().and_then(|()| run(cli));
    // The error of an interrupted step is replaced.
    match result.map_err(|error| process::check_interrupt().err().unwrap_or(error)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            status::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let workspace = Workspace::read()?;
    match cli.task {
        Task::Test => test::run(&workspace),
        Task::Ci => ci::run(&workspace),
        Task::Lab(options) => lab::run(&options, &workspace),
        Task::Live(options) => live::run(&options, &workspace),
        Task::Codegen(options) => codegen::run(&options, &workspace),
        Task::Screenshots => screenshots::run(&workspace),
        Task::NewConnector(options) => new_connector::run(&options, &workspace),
        Task::Auth0Contract(options) => auth0_contract::run(&options, &workspace),
        Task::Bench(options) => bench::run(&options, &workspace),
        Task::Book => book::build(&workspace),
        Task::Chaos(options) => chaos::run(&options, &workspace),
        Task::Package(options) => package::run(&options, &workspace),
        Task::Tidy => tidy::run(&workspace),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
