//! The conformance suite on a server that runs already.
//!
//! `IDP_BRIDGE_LIVE` names it: `pocketbase url=http://127.0.0.1:8090 superuser=… secret:password=…`.

use std::process::ExitCode;

use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::DefinitionHarness;
use idp_bridge_core::Secret;

fn main() -> ExitCode {
    let live = std::env::var("IDP_BRIDGE_LIVE").unwrap_or_default();
    let mut words = live.split_whitespace();
    let Some(name) = words.next() else { return ExitCode::SUCCESS };
    let (mut config, mut smtp_port) = (HttpConfig::new(name), 0);
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        if key == "smtp-port" {
            smtp_port = value.parse().unwrap_or_default();
            continue;
        }
        match key.strip_prefix("secret:") {
            Some(key) => drop(config.secrets.insert(key.to_owned(), Secret::new(value))),
            None => drop(config.settings.insert(key.to_owned(), value.to_owned())),
        }
    }
    let text = catalog::find(name).unwrap_or_default().to_owned();
    idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), DefinitionHarness::start(name.to_owned(), text, config, smtp_port))
}
