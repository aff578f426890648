//! Measures the cost of a call through idp-bridge and through other gateways, in one run on one machine.
//!
//! `cargo xtask bench` builds and runs it. docs/performance.md explains the figures.

#![expect(clippy::print_stdout, reason = "the report is the output")]

mod contestant;
mod fixture;
mod gateway;
mod instructions;
mod load;
mod process;
mod report;
mod run;
mod stub;
mod tenants;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures idp-bridge beside other gateways.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts each gateway in turn before one fake Keycloak, and prints a table in Markdown.
    Run(run::Options),
    /// Serves the token and the users of a fake Keycloak.
    Stub { listen: SocketAddr },
    /// Serves signed calls with hyper alone.
    Hyper { listen: SocketAddr, stub: SocketAddr },
    /// Serves signed calls with axum and reqwest.
    Axum { listen: SocketAddr, stub: SocketAddr },
    /// Writes the configuration of idp-bridge with a number of tenants into a folder.
    Configure {
        folder: PathBuf,
        listen: SocketAddr,
        stub: SocketAddr,
        #[arg(long, default_value_t = 1)]
        tenants: usize,
    },
    /// Sends signed calls to a gateway, and prints counts and latencies.
    Load(load::Options),
    /// Prints the number of instructions of a call, counted with Valgrind.
    Instructions(instructions::Options),
    /// Measures the start, the memory and a reload with many tenants, and prints a table in Markdown.
    Tenants(tenants::Options),
    /// Measures the verification of signatures, and prints a table in Markdown.
    Verify(verify::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Stub { listen } => block_on(stub::serve(listen)),
        Command::Hyper { listen, stub } => block_on(gateway::hyper::serve(listen, stub)),
        Command::Axum { listen, stub } => block_on(gateway::axum::serve(listen, stub)),
        Command::Configure { folder, listen, stub, tenants } => {
            fixture::write_configuration(&folder, listen, stub, tenants)
        }
        Command::Load(options) => {
            let result = block_on(load::run(options))?;
            println!("{}", serde_json::to_string(&result)?);
            Ok(())
        }
        Command::Instructions(options) => instructions::run(&options),
        Command::Tenants(options) => tenants::run(&options),
        Command::Verify(options) => verify::run(&options),
    }
}

/// Runs a future with one thread.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
