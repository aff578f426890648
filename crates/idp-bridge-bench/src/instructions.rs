//! Counts the instructions of a call with Valgrind. The count hardly depends on the machine and its load.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::fixture::{self, Upstream};
use crate::load::Message;
use crate::process::{Process, unused_address};
use crate::run::{GATEWAY_CORE, send};
use crate::stub;

/// The calls of the two runs. Their difference leaves out the start.
const CALLS: [usize; 2] = [100, 500];

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The program of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// A definition that describes Keycloak, to count a call of the connector `http`.
    #[arg(long)]
    definition: Option<PathBuf>,
}

/// Prints the number of instructions of a call in user mode.
pub(crate) fn run(options: &Options) -> Result<()> {
    let [few, many] = CALLS;
    let difference = count(options, many)?.saturating_sub(count(options, few)?);
    println!("{}", difference / (many - few) as u64);
    Ok(())
}

/// Returns the number of instructions of the start and a number of calls.
fn count(options: &Options, calls: usize) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let (stub, listen) = (Upstream::plain(unused_address()?), unused_address()?);
    let _keycloak = stub::start(&stub, folder.path())?;
    fixture::write_configuration(folder.path(), listen, &stub, 1)?;
    let config = folder.path().join("idp-bridge.toml");
    if let Some(definition) = &options.definition {
        fixture::use_definition(&config, &stub, definition)?;
    }
    let arguments = [
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
        options.bridge.to_str().context("the path of the program is not UTF-8")?,
        "serve",
        "--config",
        config.to_str().context("the temporary folder is not UTF-8")?,
    ]
    .map(str::to_owned);
    let output = tempfile::NamedTempFile::new()?;
    let mut gateway = Process::start(GATEWAY_CORE, "idp-bridge", Path::new("valgrind"), &arguments, output.path())?;
    gateway.wait_for(listen)?;
    let measured = send(listen, Message::Webhook, calls, 1, None)?;
    ensure!(measured.failed == 0, "{} of {} calls failed", measured.failed, measured.calls);
    // Valgrind writes the count when the program ends.
    drop(gateway);
    let text = fs::read_to_string(output.path())?;
    let count = text.lines().find_map(|line| line.split_once("I   refs:")).context("Valgrind wrote no count")?;
    count.1.trim().replace(',', "").parse().context("Valgrind's count is not a number")
}
