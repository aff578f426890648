//! The command `connectors`: lists the connectors of this program.

mod markdown;

use clap::Args;
use idp_bridge_core::{Registry, RegistryEntry};
use serde_json::{Value, json};

use crate::config::connector_settings;
use crate::report::{CommandResult, Exit, print, print_json};
use crate::show;

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the capabilities as Markdown tables
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// Prints the capabilities and settings of each connector.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    if options.json {
        let connectors: Vec<Value> = registry.iter().map(to_json).collect();
        print_json(&connectors)?;
    } else if options.markdown {
        print(&markdown::render(registry))?;
    } else {
        let connectors: Vec<String> = registry.iter().map(to_text).collect();
        print(&connectors.join("\n"))?;
    }
    Ok(Exit::Done)
}

fn to_json(connector: &RegistryEntry) -> Value {
    json!({"type": connector.kind(), "capabilities": connector.capabilities(), "schema": connector.schema()})
}

fn to_text(connector: &RegistryEntry) -> String {
    let mut text = format!("{}\n{}", connector.kind(), show::format_capabilities(&connector.capabilities()));
    text += "  settings\n";
    for setting in connector_settings(connector) {
        let required = if setting.required { " (required)" } else { "" };
        text += &format!("    {:<24}{}{required}\n", setting.key, setting.summary);
    }
    text
}
