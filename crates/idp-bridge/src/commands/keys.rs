//! The command `keys`: generates the keys of signed calls, and prints the public half of a private key for an identity provider.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use idp_bridge_client::SigningKey;
use idp_bridge_core::{Random as _, Secret, SystemRandom};
use idp_bridge_http::{AssertionAlgorithm, PrivateKey};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as ValueError;
use serde_json::json;

use crate::config::{MAX_SECRET, Problem, read_text};
use crate::report::{CommandResult, Exit, Failure, print, print_json};

/// The subcommands of `keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate a key pair: the platform signs with the private half, the bridge verifies with the public half
    New(New),
    /// Print the public half of a connector's `private_key_file` as a JWKS, to register it at the identity provider
    Public(Public),
}

/// The options of `keys new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Generate one key that platform and bridge share, for a platform that cannot sign with Ed25519
    #[arg(long)]
    shared: bool,
    /// Write the keys to `platform.key` and `bridge.key` in this folder (mode 0600) instead of printing them
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `keys public`.
#[derive(Debug, Args)]
pub(crate) struct Public {
    /// The private key (PEM, RSA or P-256)
    #[arg(long, value_name = "PATH")]
    file: PathBuf,
    /// The connector's `private_key_algorithm`, if it is set
    #[arg(long, value_name = "RS256|PS256|ES256", value_parser = parse_algorithm)]
    algorithm: Option<AssertionAlgorithm>,
    /// The connector's `private_key_id`, if it is set
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
}

fn parse_algorithm(text: &str) -> Result<AssertionAlgorithm, String> {
    AssertionAlgorithm::deserialize(text.into_deserializer()).map_err(|error: ValueError| error.to_string())
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> CommandResult {
    match command {
        Command::New(new) => print_new(new),
        Command::Public(public) => print_public(public),
    }
}

fn print_public(Public { file, algorithm, key_id }: &Public) -> CommandResult {
    let pem = read_text(file, MAX_SECRET).map_err(|error| {
        Problem::new(format!("`{}` cannot be read: {error}", file.display()))
            .with_hint("check the path and the permissions of the file")
    })?;
    let key = PrivateKey::from_settings(Some(&Secret::new(pem)), *algorithm, key_id.as_deref());
    let jwk = key.and_then(|key| key.map(|key| key.public_jwk()).transpose()).map_err(|error| {
        let message = error.message().replace("`private_key` is", &format!("`{}` is", file.display()));
        Problem { hint: error.hint().map(str::to_owned), ..Problem::new(message) }
    })?;
    print_json(&json!({"keys": [jwk]}))?;
    Ok(Exit::Done)
}

fn print_new(new: &New) -> CommandResult {
    let key = generate(new.shared)?;
    let (platform, bridge) = (key.to_text(), key.to_verifying_text());
    match &new.out {
        Some(folder) => write_pair(folder, &platform, &bridge, new)?,
        None if new.json => print_json(&json!({"platform": platform.expose(), "bridge": bridge.expose()}))?,
        None if new.shared => print(&format!(
            "for platform and bridge; it can sign calls, so use another one for each tenant and keep it secret:\n\n  {}\n\n\
             for the bridge: set `webhook_keys_file` to the path of a file with this key",
            platform.expose()
        ))?,
        None => print(&format!(
            "for the platform, to sign calls; keep it secret:\n\n  {}\n\n\
             for the bridge, to verify them; public:\n\n  webhook_keys = [\"{}\"]",
            platform.expose(),
            bridge.expose()
        ))?,
    }
    Ok(Exit::Done)
}

/// Generates a key from the system's randomness.
pub(crate) fn generate(shared: bool) -> Result<SigningKey, Failure> {
    let mut bytes = [0; 32];
    let no_key =
        |error: &dyn std::error::Error| Failure::negative(Problem::new(format!("no key can be generated: {error}")));
    SystemRandom.fill(&mut bytes).map_err(|error| no_key(&error))?;
    if shared {
        Ok(SigningKey::from_shared(bytes))
    } else {
        SigningKey::from_seed(bytes).map_err(|error| no_key(&error))
    }
}

fn write_pair(folder: &Path, platform: &Secret, bridge: &Secret, new: &New) -> Result<(), Failure> {
    let (platform_file, bridge_file) = (folder.join("platform.key"), folder.join("bridge.key"));
    std::fs::create_dir_all(folder).map_err(|error| write_error(folder, &error))?;
    write_private(&platform_file, platform)?;
    write_private(&bridge_file, bridge).inspect_err(|_| {
        // The remaining half would make the next attempt fail.
        let _ = std::fs::remove_file(&platform_file);
    })?;
    if new.json {
        return print_json(&json!({"platform": platform_file, "bridge": bridge_file}));
    }
    print(&format!(
        "{}: for the platform, to sign calls; keep it secret\n{}: for the bridge, `webhook_keys_file = [\"{}\"]`",
        platform_file.display(),
        bridge_file.display(),
        bridge_file.display()
    ))
}

/// Writes a new file that only its owner can read. Existing files are never overwritten.
pub(crate) fn write_private(path: &Path, key: &Secret) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{}", key.expose())).map_err(|error| write_error(path, &error))
}

fn write_error(path: &Path, error: &std::io::Error) -> Failure {
    let problem = Problem::new(format!("`{}` cannot be written: {error}", path.display()));
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            problem.with_hint("choose another folder: keys are never overwritten").into()
        }
        _ => problem.into(),
    }
}
