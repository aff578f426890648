//! Compares recorded traffic and an OpenAPI document with the connector and its fake. Run by `cargo xtask auth0-contract`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use idp_bridge_connector_auth0_testing::contract::{self, Report};

const USAGE: &str = "usage: auth0-contract --recordings DIR --openapi FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let (Some(recordings), Some(openapi), 4) = (value("--recordings"), value("--openapi"), arguments.len()) else {
        let _ = writeln!(std::io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    match run(Path::new(recordings), Path::new(openapi)) {
        Ok(report) => {
            let written = writeln!(std::io::stdout(), "{report}");
            if written.is_ok() && report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(recordings: &Path, openapi: &Path) -> Result<Report, Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(contract::run(recordings, openapi))
}
