//! Runs the conformance suite on a server that runs already.
//!
//! The variable `IDP_BRIDGE_LIVE` has the definition, its settings and its secrets, separated by spaces:
//! `pocketbase url=http://127.0.0.1:8090 superuser=root@acme.example secret:password=…`.
//! The definition is a name of the catalog, or a file. `smtp-port` is the port that the server sends its mails to, if the stage cannot
//! choose it. The arguments are those of a test program, such as a filter and `--test-threads`.

use std::io::Write as _;
use std::process::ExitCode;

use idp_bridge_conformance::TestResult;
use idp_bridge_connector_http::{HttpConfig, catalog};
use idp_bridge_connector_http_testing::DefinitionHarness;
use idp_bridge_core::Secret;

#[expect(clippy::disallowed_methods, reason = "the arguments are those of a test program")]
fn main() -> ExitCode {
    match read(&std::env::var("IDP_BRIDGE_LIVE").unwrap_or_default()) {
        Ok(Live { name, text, config, smtp_port }) => {
            let folder = std::env::temp_dir().join("idp-bridge-live");
            idp_bridge_conformance::main(folder, DefinitionHarness::start(name, text, config, smtp_port))
        }
        Err(error) => {
            // An error of `stderr` cannot be reported.
            let _ = writeln!(std::io::stderr(), "`IDP_BRIDGE_LIVE`: {error}");
            ExitCode::from(2)
        }
    }
}

struct Live {
    name: String,
    text: String,
    config: HttpConfig,
    smtp_port: u16,
}

fn read(live: &str) -> TestResult<Live> {
    let mut words = live.split_whitespace();
    let name = words.next().ok_or("it is not set; write `NAME KEY=VALUE …`")?.to_owned();
    let text =
        if name.contains(['.', '/']) { std::fs::read_to_string(&name)? } else { catalog::find(&name)?.to_owned() };
    let (mut config, mut smtp_port) = (HttpConfig::default(), 0);
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not `KEY=VALUE`"))?;
        match (key, key.strip_prefix("secret:")) {
            ("smtp-port", _) => smtp_port = value.parse()?,
            (_, Some(key)) => drop(config.secrets.insert(key.to_owned(), Secret::new(value))),
            (_, None) => drop(config.settings.insert(key.to_owned(), value.to_owned())),
        }
    }
    Ok(Live { name, text, config, smtp_port })
}
