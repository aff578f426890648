//! Runs the conformance suite on a real server, with the stage of a definition.

mod harness;
mod mail_server;
mod redact;
mod with_definition;

use idp_bridge_conformance::TestResult;
use idp_bridge_connector_http::Definition;

pub use harness::DefinitionHarness;
pub use redact::redact;
pub use with_definition::{Settings, WithDefinition};

/// Parses a definition. The error has all of its problems.
pub fn parse(name: &str, text: &str) -> TestResult<Definition> {
    let listed = |problems: Vec<_>| problems.iter().map(|problem| format!("{name}: {problem}\n")).collect::<String>();
    Ok(Definition::parse(text).map_err(listed)?)
}
