//! Prints the memory of idp-bridge under minutes of load.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use crate::fixture::Upstream;
use crate::load::Message;
use crate::process::unused_address;
use crate::run::{WARM_UP, send, start_bridge};
use crate::stub;

/// The calls between two looks at the clock.
const BATCH: usize = 20_000;

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The release build of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// The duration of the load.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// The number of connections.
    #[arg(long, default_value_t = 256)]
    connections: usize,
}

/// Sends signed calls and calls of the REST surface in turn, without a fixed rate, and prints a row for each minute.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (stub, listen) = (Upstream::plain(unused_address()?), unused_address()?);
    let _keycloak = stub::start(&stub, folder.path())?;
    let bridge = start_bridge(&options.bridge, folder.path(), listen, &stub)?;
    println!("| minutes | calls | memory |");
    println!("|---|---|---|");
    let print = |minutes, calls: usize| -> Result<()> {
        println!("| {minutes} | {calls} | {:.1} MiB |", bridge.memory()?.resident_kib as f64 / 1024.0);
        Ok(())
    };
    print(0, 0)?;
    send(listen, Message::Webhook, WARM_UP, 1, None)?;
    let (begun, mut calls) = (Instant::now(), 0);
    for minutes in 1..=options.minutes {
        while begun.elapsed() < Duration::from_secs(60) * minutes {
            for message in [Message::Webhook, Message::Rest] {
                let measured = send(listen, message, BATCH, options.connections, None)?;
                ensure!(measured.failed == 0, "{} of {} calls failed", measured.failed, measured.calls);
                calls += measured.calls;
            }
        }
        print(minutes, calls)?;
    }
    Ok(())
}
