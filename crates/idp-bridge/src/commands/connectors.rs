//! `connectors`: what this program can connect to.

use clap::Args;
use idp_bridge_core::{Registry, RegistryEntry};
use serde_json::{Value, json};

use crate::config::settings_of;
use crate::report::{Ended, Exit, print, print_json};
use crate::show;

/// How to print them.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> Ended {
    if options.json {
        let connectors: Vec<Value> = registry.iter().map(describe).collect();
        print_json(&connectors)?;
    } else {
        let connectors: Vec<String> = registry.iter().map(text).collect();
        print(&connectors.join("\n"))?;
    }
    Ok(Exit::Done)
}

fn describe(connector: &RegistryEntry) -> Value {
    json!({"type": connector.kind(), "capabilities": connector.capabilities(), "schema": connector.schema()})
}

fn text(connector: &RegistryEntry) -> String {
    let mut text = format!("{}\n{}", connector.kind(), show::capabilities(&connector.capabilities()));
    text += "  settings\n";
    for setting in settings_of(connector) {
        let required = if setting.required { " (required)" } else { "" };
        text += &format!("    {:<24}{}{required}\n", setting.key, setting.summary);
    }
    text
}
