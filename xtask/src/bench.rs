//! `cargo xtask bench`: measures idp-bridge beside other gateways. docs/performance.md explains the figures.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::lab::packages;
use crate::workspace::Workspace;
use crate::{files, process, status};

const PACKAGE: &str = "idp-bridge-bench";
const PEERS: &str = "crates/idp-bridge-bench/peers";

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Options of the measurement, such as `--rounds 3`, `--only hyper` or `--json`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    measurement: Vec<String>,
}

/// Builds the gateways and measures them.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    status::step("Building", "idp-bridge and the measurement, in release");
    process::run(&mut workspace.cargo(&["build", "--release", "--package", "idp-bridge", "--package", PACKAGE]))?;
    let folder = workspace.target_directory.join("bench");
    files::create_folder(&folder)?;
    let peers = workspace.root.join(PEERS);
    let mut arguments = vec!["run".to_owned()];
    let mut add = |name: &str, path: PathBuf| arguments.extend([name.to_owned(), path.display().to_string()]);
    add("--bridge", workspace.target_directory.join("release/idp-bridge"));
    if is_installed("go", "version") {
        let program = folder.join("gateway");
        process::run(Command::new("go").args(["build", "-o"]).arg(&program).arg(peers.join("gateway.go")))?;
        add("--go", program);
    }
    if is_installed("node", "--version") {
        packages::install_node(&peers.join("node"), &folder.join("npm.log"))?;
        add("--node", peers.join("node/gateway.mjs"));
    }
    for (program, option, package) in [("nginx", "-v", "nginx-light"), ("taskset", "--version", "util-linux")] {
        if !is_installed(program, option) {
            bail!("`{program}` is missing; hint: `apt-get install {package}`, or your distribution's package");
        }
    }
    arguments.extend(options.measurement.iter().cloned());
    process::run(Command::new(workspace.target_directory.join("release").join(PACKAGE)).args(arguments))
}

fn is_installed(program: &str, option: &str) -> bool {
    let missing = process::output(Command::new(program).arg(option)).is_err();
    if missing {
        status::note(format!("`{program}` is not installed, and its gateway is not measured"));
    }
    !missing
}
