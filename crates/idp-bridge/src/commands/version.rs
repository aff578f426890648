//! The command `version`, and the option `--version`: the version, the commit and the connectors of this program.

use idp_bridge_core::Registry;

use crate::report::{CommandResult, Exit, print};

/// The commit that the program was built from. Builds from a package of the registry have none.
const COMMIT: Option<&str> = option_env!("IDP_BRIDGE_COMMIT");

/// Prints the version.
pub(crate) fn run(registry: &Registry) -> CommandResult {
    print(&format!("idp-bridge {}", describe(registry)))?;
    Ok(Exit::Done)
}

/// Returns the version, and the built-in parts of the program.
pub(crate) fn describe(registry: &Registry) -> String {
    let connectors: Vec<&str> = registry.iter().map(|connector| connector.kind()).collect();
    format!(
        "{}\ncommit      {}\nconnectors  {}",
        env!("CARGO_PKG_VERSION"),
        COMMIT.unwrap_or("unknown"),
        connectors.join(", ")
    )
}
