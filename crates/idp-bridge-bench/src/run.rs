//! One run: each gateway in turn, in several rounds, before one fake Keycloak.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::contestant::{self, Contestant, Programs};
use crate::fixture::{self, Upstream};
use crate::load::{Measured, Message};
use crate::process::{Process, unused_address};
use crate::report::{Figures, Report, Saturation};
use crate::stub;

/// The core of the gateway.
pub(crate) const GATEWAY_CORE: usize = 0;
/// The core of everything else.
pub(crate) const OTHER_CORE: usize = 1;
/// The turns of each gateway in a measurement at saturation. They alternate, since the speed of a machine changes meanwhile.
const TURNS: usize = 5;
/// Calls before each measurement, so that connections and the token exist.
pub(crate) const WARM_UP: usize = 2_000;

/// The options of the measurement.
#[derive(Args)]
pub(crate) struct Options {
    /// The release build of idp-bridge.
    #[arg(long)]
    bridge: PathBuf,
    /// The built Go gateway.
    #[arg(long)]
    go: Option<PathBuf>,
    /// The script of the Node gateway.
    #[arg(long)]
    node: Option<PathBuf>,
    /// The number of rounds. Figures are medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The number of calls of each measurement.
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// The connections of the measurements at saturation.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32, 256])]
    connections: Vec<usize>,
    /// The rate of the latency measurement, in calls a second.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Lets the fake Keycloak speak TLS.
    #[arg(long)]
    tls: bool,
    /// Measures only gateways with this text in their name.
    #[arg(long)]
    only: Option<String>,
    /// Prints JSON instead of Markdown.
    #[arg(long)]
    json: bool,
}

/// Measures all gateways and prints the report.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = options.tls.then(|| folder.path().join("authority.pem"));
    let stub = Upstream { address: unused_address()?, authority };
    let _keycloak = stub::start(&stub, folder.path())?;
    let programs = Programs { bridge: options.bridge.clone(), go: options.go.clone(), node: options.node.clone() };
    let mut contestants = contestant::all(&programs, folder.path(), &stub)?;
    contestants.retain(|contestant| options.only.as_deref().is_none_or(|part| contestant.name.contains(part)));
    let mut report = Report::default();
    for round in 1..=options.rounds {
        eprint_progress(round, options.rounds);
        for (contestant, figures) in measure(options, &contestants)? {
            report.add(contestant.name, figures);
        }
    }
    report.print(options.json)
}

#[expect(clippy::print_stderr, reason = "progress of a long run")]
fn eprint_progress(round: usize, rounds: usize) {
    eprintln!("round {round} of {rounds}");
}

/// Starts all gateways, and measures each in turn.
fn measure<'a>(options: &Options, contestants: &'a [Contestant]) -> Result<Vec<(&'a Contestant, Figures)>> {
    let mut running = contestants.iter().map(Running::start).collect::<Result<Vec<_>>>()?;
    for gateway in &running {
        gateway.load(WARM_UP, 1, None)?;
    }
    for &connections in &options.connections {
        let mut saturations = vec![Saturation::default(); running.len()];
        for _ in 0..TURNS {
            for (gateway, saturation) in running.iter().zip(&mut saturations) {
                gateway.saturate(options.calls / TURNS, connections, saturation)?;
            }
        }
        for (gateway, saturation) in running.iter_mut().zip(&saturations) {
            gateway.figures.add_saturation(connections, saturation);
        }
    }
    for gateway in &mut running {
        let calls = options.calls.min(usize::try_from(options.rate)? * 5);
        let measured = gateway.load(calls, 16, Some(options.rate))?;
        gateway.figures.set_latency(&measured);
        gateway.figures.loaded = gateway.process.memory()?;
    }
    Ok(running.into_iter().map(|gateway| (gateway.contestant, gateway.figures)).collect())
}

/// A gateway that runs, and its figures so far.
struct Running<'a> {
    contestant: &'a Contestant,
    process: Process,
    figures: Figures,
}

impl<'a> Running<'a> {
    fn start(contestant: &'a Contestant) -> Result<Self> {
        let Contestant { name, program, arguments, place, .. } = contestant;
        let mut process = Process::start(GATEWAY_CORE, name, program, arguments, &place.log())?;
        let start = process.wait_for(place.listen)?;
        let figures = Figures::new(start, process.memory()?);
        Ok(Self { contestant, process, figures })
    }

    /// Sends calls. Fails if one of them fails.
    fn load(&self, calls: usize, connections: usize, rate: Option<u32>) -> Result<Measured> {
        let Contestant { name, message, place, .. } = self.contestant;
        let measured = send(place.listen, *message, calls.max(connections), connections, rate)?;
        ensure!(measured.failed == 0, "{name} failed {} of {} calls", measured.failed, measured.calls);
        Ok(measured)
    }

    /// Sends calls without a fixed rate, and adds their costs.
    fn saturate(&self, calls: usize, connections: usize, saturation: &mut Saturation) -> Result<()> {
        let before = self.process.cpu()?;
        let measured = self.load(calls, connections, None)?;
        saturation.cpu += self.process.cpu()?.saturating_sub(before);
        saturation.calls += measured.calls;
        saturation.seconds += measured.seconds;
        Ok(())
    }
}

/// Starts idp-bridge with one tenant. Its settings and its log are in this folder.
pub(crate) fn start_bridge(program: &Path, folder: &Path, listen: SocketAddr, stub: &Upstream) -> Result<Process> {
    // Apart from the log, since the bridge watches the folder of its configuration.
    let settings = folder.join("settings");
    std::fs::create_dir_all(&settings)?;
    fixture::write_configuration(&settings, listen, stub, 1)?;
    Ok(serve(program, &settings.join("idp-bridge.toml"), &folder.join("log"), listen)?.0)
}

/// Starts idp-bridge with a configuration, and returns it with the time until it accepted connections.
pub(crate) fn serve(program: &Path, config: &Path, log: &Path, listen: SocketAddr) -> Result<(Process, Duration)> {
    let arguments = ["serve".into(), "--config".into(), config.display().to_string()];
    let mut bridge = Process::start(GATEWAY_CORE, "idp-bridge", program, &arguments, log)?;
    let start = bridge.wait_for(listen)?;
    Ok((bridge, start))
}

/// Sends calls from a process of its own.
pub(crate) fn send(
    address: SocketAddr,
    message: Message,
    calls: usize,
    connections: usize,
    rate: Option<u32>,
) -> Result<Measured> {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &OTHER_CORE.to_string()]).arg(std::env::current_exe()?).arg("load");
    command.arg(address.to_string()).args(["--calls", &calls.to_string()]);
    command.args(["--connections", &connections.to_string()]);
    command.args(["--message", message.name()]);
    if let Some(rate) = rate {
        command.args(["--rate", &rate.to_string()]);
    }
    let output = command.output().context("cannot start the load")?;
    ensure!(output.status.success(), "the load failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
