//! `schema`: documents for editors and code generators.

use clap::{Args, ValueEnum};
use idp_bridge_core::{Registry, User};

use crate::config;
use crate::report::{Ended, Exit, print_json};

/// Which document.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which document
    document: Document,
}

/// A document.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// JSON schema of the configuration, with the settings of every built-in connector
    Config,
    /// OpenAPI description of what the bridge serves
    Openapi,
    /// JSON schema of a user
    User,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> Ended {
    match options.document {
        Document::Config => print_json(&config::schema(registry))?,
        Document::Openapi => print_json(&idp_bridge_server::openapi())?,
        Document::User => print_json(&schemars::schema_for!(User))?,
    }
    Ok(Exit::Done)
}
