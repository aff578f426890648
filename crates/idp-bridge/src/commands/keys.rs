//! `keys`: the keys of signed calls.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use idp_bridge_client::SigningKey;
use idp_bridge_core::{Random as _, Secret, SystemRandom};
use serde_json::json;

use crate::config::Problem;
use crate::report::{Ended, Exit, Failure, print, print_json};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key pair: the private half signs at the platform, the public half checks at the bridge
    New(New),
}

/// Which keys, and where to.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Make one key that platform and bridge share, for a platform that cannot sign with Ed25519
    #[arg(long)]
    shared: bool,
    /// Write the keys into this folder (`platform.key`, `bridge.key`, readable by you alone) instead of printing them
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Ended {
    let Command::New(new) = command;
    let key = generate(new.shared)?;
    let (platform, bridge) = (key.to_text(), key.to_verifying_text());
    match &new.out {
        Some(folder) => write(folder, &platform, &bridge, new)?,
        None if new.json => print_json(&json!({"platform": platform.expose(), "bridge": bridge.expose()}))?,
        None if new.shared => print(&format!(
            "for platform and bridge; whoever has it can sign calls, so give each tenant its own:\n\n  {}\n\n\
             for the bridge: `webhook_keys_file` with the path of a file that holds it",
            platform.expose()
        ))?,
        None => print(&format!(
            "for the platform, which signs calls with it; keep it secret:\n\n  {}\n\n\
             for the bridge, which checks them; no secret:\n\n  webhook_keys = [\"{}\"]",
            platform.expose(),
            bridge.expose()
        ))?,
    }
    Ok(Exit::Done)
}

/// Makes a key from the system's randomness.
pub(crate) fn generate(shared: bool) -> Result<SigningKey, Failure> {
    let mut bytes = [0; 32];
    let no_key =
        |error: &dyn std::error::Error| Failure::negative(Problem::new(format!("no key can be made: {error}")));
    SystemRandom.fill(&mut bytes).map_err(|error| no_key(&error))?;
    if shared {
        Ok(SigningKey::from_shared(bytes))
    } else {
        SigningKey::from_seed(bytes).map_err(|error| no_key(&error))
    }
}

fn write(folder: &Path, platform: &Secret, bridge: &Secret, new: &New) -> Result<(), Failure> {
    let (platform_file, bridge_file) = (folder.join("platform.key"), folder.join("bridge.key"));
    std::fs::create_dir_all(folder).map_err(|error| not_written(folder, &error))?;
    write_private(&platform_file, platform)?;
    write_private(&bridge_file, bridge).inspect_err(|_| {
        // Half a pair is of no use, and it would be in the way of the next attempt.
        let _ = std::fs::remove_file(&platform_file);
    })?;
    if new.json {
        return print_json(&json!({"platform": platform_file, "bridge": bridge_file}));
    }
    print(&format!(
        "{}: for the platform, which signs calls with it; keep it secret\n{}: for the bridge, `webhook_keys_file = [\"{}\"]`",
        platform_file.display(),
        bridge_file.display(),
        bridge_file.display()
    ))
}

/// Writes a file that nobody else can read, and never over another one.
fn write_private(path: &Path, key: &Secret) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", key.expose())).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    let problem = Problem::new(format!("`{}` cannot be written: {error}", path.display()));
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => problem.hint("choose another folder: keys are never written over").into(),
        _ => problem.into(),
    }
}
