//! The project's own tasks: `cargo xtask --help` lists them.

mod auth0_contract;
mod ci;
mod codegen;
mod conformance;
mod dependencies;
mod environment;
mod features;
mod federation_app;
mod files;
mod interrupt;
mod lab;
mod new_connector;
mod npm;
mod out_of_tree;
mod pid;
mod prerequisites;
mod process;
mod screenshots;
mod status;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupt;
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
    /// Run what CI runs: format, tidy, dependencies, clippy, documentation, tests, generated files, features.
    ///
    /// Every step runs, even after one failed; the last line names those that failed.
    Ci,
    /// Run an identity provider on this machine, or what stands in for it, to try the bridge against.
    #[command(subcommand)]
    Lab(lab::Command),
    /// Write the documents under `docs/` that are generated from the program.
    Codegen(codegen::Options),
    /// Write the pictures under `docs/images`: the browser test takes them as it runs.
    Screenshots,
    /// Write a new connector, whose conformance suite says what is left to write.
    NewConnector(new_connector::Options),
    /// Compare the Auth0 connector and its fake with recorded traffic and Auth0's API description.
    Auth0Contract(auth0_contract::Options),
    /// Check the rules of this repository that neither the compiler nor clippy checks.
    Tidy,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Interrupt::install().and_then(|interrupt| {
        // Replaces the error of an interrupted step.
        run(cli, &interrupt).map_err(|error| interrupt.check().err().unwrap_or(error))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            status::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, interrupt: &Interrupt) -> Result<()> {
    let workspace = Workspace::read()?;
    match cli.task {
        Task::Test => test::run(&workspace, interrupt),
        Task::Ci => ci::run(&workspace, interrupt),
        Task::Lab(command) => lab::run(command, &workspace, interrupt),
        Task::Codegen(options) => codegen::run(&options, &workspace, interrupt),
        Task::Screenshots => screenshots::run(&workspace, interrupt),
        Task::NewConnector(options) => new_connector::run(&options, &workspace, interrupt),
        Task::Auth0Contract(options) => auth0_contract::run(&options, &workspace, interrupt),
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
