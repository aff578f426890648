//! `cargo xtask live`: runs the conformance suite on a server that runs already, with the stage of a definition.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Options of `cargo xtask live`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The definition: a name of the catalog, or a file
    definition: String,
    /// The base URL of the server
    url: String,
    /// Options of the suite, such as `--secret password=…` or `--concurrency 1`; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    suite: Vec<String>,
}

/// Builds and runs the program with the suite.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo(&["run", "--quiet", "--package", "idp-bridge-connector-http-testing", "--"]);
    cargo.args(["--definition", &options.definition, "--url", &options.url]).args(&options.suite);
    process::run(&mut cargo)
}
