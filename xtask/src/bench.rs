//! `cargo xtask bench`: measures idp-bridge beside other gateways. docs/performance.md explains the figures.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::lab::{self, packages};
use crate::workspace::{EVERYTHING, Workspace};
use crate::{files, prerequisites, process, status};

const PACKAGE: &str = "idp-bridge-bench";
const PEERS: &str = "crates/idp-bridge-bench/peers";

/// The file with the expected number of instructions of a call.
const INSTRUCTIONS: &str = "crates/idp-bridge-bench/instructions-per-call.txt";
/// The accepted growth of that number, in per cent.
const MAX_GROWTH: u64 = 5;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only counts the instructions of a call, and compares them with the expected number.
    #[arg(long, exclusive = true)]
    instructions: bool,
    /// Measures the start, the memory and a reload with 10,000 tenants.
    #[arg(long, exclusive = true)]
    tenants: bool,
    /// Compares reads through the bridge with requests to a real Keycloak, which it starts.
    #[arg(long, exclusive = true)]
    keycloak: bool,
    /// Prints the memory under this number of minutes of load.
    #[arg(long, exclusive = true)]
    minutes: Option<u32>,
    /// Options of the measurement, such as `--tls`, `--rounds 3`, `--only hyper` or `--json`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    measurement: Vec<String>,
}

/// Builds the gateways and measures them.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    if options.instructions {
        return check_instructions(workspace);
    }
    status::step("Building", "idp-bridge and the measurement, in release");
    process::run(&mut workspace.cargo(&["build", "--release", "--package", "idp-bridge", "--package", PACKAGE]))?;
    let bridge = workspace.target_directory.join("release/idp-bridge");
    let measurement = || Command::new(workspace.target_directory.join("release").join(PACKAGE));
    if options.tenants {
        return process::run(measurement().args(["tenants", "--bridge"]).arg(bridge));
    }
    if let Some(minutes) = options.minutes {
        return process::run(measurement().args(["memory", "--minutes", &minutes.to_string(), "--bridge"]).arg(bridge));
    }
    if options.keycloak {
        let _lab = lab::start(lab::Name::Keycloak, workspace)?;
        let settings = lab::folder(workspace).join("keycloak.json");
        return process::run(measurement().args(["keycloak", "--lab"]).arg(settings).arg("--bridge").arg(bridge));
    }
    let folder = workspace.target_directory.join("bench");
    files::create_folder(&folder)?;
    let peers = workspace.root.join(PEERS);
    let mut arguments = vec!["run".to_owned()];
    let mut add = |name: &str, path: PathBuf| arguments.extend([name.to_owned(), path.display().to_string()]);
    add("--bridge", bridge);
    if is_installed("go", "version") {
        let program = folder.join("gateway");
        process::run(Command::new("go").args(["build", "-o"]).arg(&program).arg(peers.join("gateway.go")))?;
        add("--go", program);
    } else {
        note_unmeasured("go");
    }
    if is_installed("node", "--version") {
        packages::install_node(&peers.join("node"), &folder.join("npm.log"))?;
        add("--node", peers.join("node/gateway.mjs"));
    } else {
        note_unmeasured("node");
    }
    for (program, option, package) in [("nginx", "-v", "nginx-light"), ("taskset", "--version", "util-linux")] {
        if !is_installed(program, option) {
            bail!("`{program}` is missing; hint: `apt-get install {package}`, or your distribution's package");
        }
    }
    arguments.extend(options.measurement.iter().cloned());
    process::run(measurement().args(arguments))
}

/// Counts the instructions of a call in the build of the tests. Fails if there are over 5 % more than expected.
///
/// An optimized build has a sixth of them, and takes minutes to make.
pub(crate) fn check_instructions(workspace: &Workspace) -> Result<()> {
    prerequisites::ensure(&[&prerequisites::VALGRIND])?;
    let [packages, features] = EVERYTHING;
    process::run(&mut workspace.cargo(&["build", packages, features, "--bins"]))?;
    let folder = workspace.target_directory.join("debug");
    let mut count = Command::new(folder.join(PACKAGE));
    let counted = process::output(count.args(["instructions", "--bridge"]).arg(folder.join("idp-bridge")))?;
    let counted: u64 = counted.trim().parse().context("the count is not a number")?;
    let file = workspace.root.join(INSTRUCTIONS);
    let expected: u64 =
        files::read(&file)?.trim().parse().with_context(|| format!("`{INSTRUCTIONS}` has no number"))?;
    status::step("Counted", format!("{counted} instructions of a call, expected {expected}"));
    if counted > expected + expected * MAX_GROWTH / 100 {
        bail!(
            "a call costs {counted} instructions, over {MAX_GROWTH} % more than the {expected} of `{INSTRUCTIONS}`; hint: make \
             it cheaper, or write the new number and give the reason in the commit"
        );
    }
    if counted < expected - expected * MAX_GROWTH / 100 {
        status::note(format!("a call is cheaper than expected: write {counted} into `{INSTRUCTIONS}`"));
    }
    Ok(())
}

fn is_installed(program: &str, option: &str) -> bool {
    process::output(Command::new(program).arg(option)).is_ok()
}

fn note_unmeasured(program: &str) {
    status::note(format!("`{program}` is not installed, and its gateway is not measured"));
}
