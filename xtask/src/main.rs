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
    /// Run every test, those on a real Keycloak included.
    ///
    /// First makes sure of Java, Maven, Python, Node.js and Chromium, and installs them on Debian as root.
    /// Then tests the workspace, starts the lab, runs the tests that need it, and stops it again.
    Test,
    /// Run what CI runs: format, tidiness, dependencies, clippy, documentation, tests, generated files.
    ///
    /// Every step runs, even after one failed, and the end says which failed.
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
    /// Hold recorded Auth0 traffic and Auth0's API description against the connector and its fake.
    Auth0Contract(auth0_contract::Options),
    /// Check the rules of this repository that no compiler checks.
    Tidy,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Interrupt::install().and_then(|interrupt| {
        // What an interrupted step failed with says less than that it was interrupted.
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
