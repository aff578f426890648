//! Measures the cost of a call through idp-bridge and through other gateways, in one run on one machine.
//!
//! `cargo xtask bench` builds and runs it. docs/performance.md explains the figures.

#![expect(clippy::print_stdout, reason = "the report is the output")]

mod access_token;
mod contestant;
mod fixture;
mod gateway;
mod instructions;
mod keycloak;
mod load;
mod memory;
mod process;
mod rejections;
mod report;
mod run;
mod stub;
mod tenants;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::fixture::Upstream;

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
    /// Serves the tokens and the users of a fake Keycloak.
    Stub {
        listen: SocketAddr,
        /// Speaks TLS, and writes the certificate of the authority (PEM) to this file.
        #[arg(long)]
        tls: Option<PathBuf>,
    },
    /// Serves signed calls with hyper alone. The URL is that of the fake Keycloak.
    Hyper { listen: SocketAddr, url: String },
    /// Serves signed calls with axum and reqwest. The URL is that of the fake Keycloak.
    Axum { listen: SocketAddr, url: String },
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
    /// Prints the memory of idp-bridge under minutes of load, as a table in Markdown.
    Memory(memory::Options),
    /// Compares reads through idp-bridge with requests to a real Keycloak, and prints a table in Markdown.
    Keycloak(keycloak::Options),
    /// Measures the verification of signatures, and prints a table in Markdown.
    Verify(verify::Options),
    /// Measures whether a running bridge responds to rejected calls after equal times, and prints a table in Markdown.
    Rejections(rejections::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Stub { listen, tls } => block_on(stub::serve(listen, tls.as_deref())),
        Command::Hyper { listen, url } => block_on(gateway::hyper::serve(listen, &url)),
        Command::Axum { listen, url } => block_on(gateway::axum::serve(listen, &url)),
        Command::Configure { folder, listen, stub, tenants } => {
            fixture::write_configuration(&folder, listen, &Upstream::plain(stub), tenants)
        }
        Command::Load(options) => {
            let result = block_on(load::run(options))?;
            println!("{}", serde_json::to_string(&result)?);
            Ok(())
        }
        Command::Instructions(options) => instructions::run(&options),
        Command::Tenants(options) => tenants::run(&options),
        Command::Memory(options) => memory::run(&options),
        Command::Keycloak(options) => block_on(keycloak::run(options)),
        Command::Verify(options) => verify::run(&options),
        Command::Rejections(options) => rejections::run(&options),
    }
}

/// Runs a future with one thread.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
