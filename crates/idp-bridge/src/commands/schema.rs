//! The command `schema`: prints documents for editors and code generators.

use clap::{Args, ValueEnum};
use idp_bridge_core::{Registry, User};

use crate::config;
use crate::report::{CommandResult, Exit, print, print_json};

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The document to print
    document: Document,
}

/// The documents.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// JSON schema of the configuration, with the settings of each built-in connector
    Config,
    /// OpenAPI document of the bridge's HTTP API
    Openapi,
    /// JSON schema of a user
    User,
    /// Page of the metrics, in Markdown
    Metrics,
    /// JSON schema of a definition of the connector `http`
    #[cfg(feature = "http")]
    Definition,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    match options.document {
        Document::Config => print_json(&config::json_schema(registry))?,
        Document::Openapi => print_json(&idp_bridge_server::openapi())?,
        Document::User => print_json(&schemars::schema_for!(User))?,
        Document::Metrics => print(&idp_bridge_server::metrics_page())?,
        #[cfg(feature = "http")]
        Document::Definition => print_json(&schemars::schema_for!(idp_bridge_connector_http::Definition))?,
    }
    Ok(Exit::Done)
}
