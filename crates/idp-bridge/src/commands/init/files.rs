//! The files that `init` writes. Only their owner can read them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use idp_bridge_core::Secret;

use crate::config::{FILE_NAME, Problem};

pub(super) const BRIDGE_KEY: &str = "bridge.key";
const PLATFORM_KEY: &str = "platform.key";

/// The files in one folder.
pub(super) struct Files {
    folder: PathBuf,
    secret: String,
}

impl Files {
    /// Creates the folder, and fails if one of the files exists and may not be replaced.
    pub(super) fn new(folder: &Path, kind: &str, force: bool) -> Result<Self, Problem> {
        let files = Self { folder: folder.to_owned(), secret: format!("{kind}.secret") };
        let all = [FILE_NAME, BRIDGE_KEY, PLATFORM_KEY, &files.secret];
        if let Some(existing) = all.into_iter().map(|name| folder.join(name)).find(|path| !force && path.exists()) {
            return Err(Problem::new(format!("`{}` exists", existing.display()))
                .with_hint("choose another folder with `--out`, or replace all files, keys included, with `--force`"));
        }
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        Ok(files)
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    pub(super) fn platform_key(&self) -> PathBuf {
        self.folder.join(PLATFORM_KEY)
    }

    /// Returns the name of the file with the connector's secret.
    pub(super) fn secret_name(&self) -> &str {
        &self.secret
    }

    pub(super) fn write_secret(&self, secret: &Secret) -> Result<(), Problem> {
        self.write(&self.secret, secret.expose())
    }

    pub(super) fn write_keys(&self, platform: &Secret, bridge: &Secret) -> Result<(), Problem> {
        self.write(PLATFORM_KEY, platform.expose())?;
        self.write(BRIDGE_KEY, bridge.expose())
    }

    pub(super) fn write_configuration(&self, text: &str) -> Result<(), crate::report::Failure> {
        Ok(self.write(FILE_NAME, text.trim_end())?)
    }

    /// Lists the files with their purpose.
    pub(super) fn describe(&self, has_secret: bool) -> String {
        let line = |name: &str, purpose: &str| format!("  {:<24} {purpose}\n", self.folder.join(name).display());
        let secret = if has_secret { line(&self.secret, "the secret of the bridge's client") } else { String::new() };
        [
            "wrote:\n".to_owned(),
            line(FILE_NAME, "the configuration"),
            secret,
            line(BRIDGE_KEY, "the bridge's half of the key pair"),
            line(PLATFORM_KEY, "the platform's half: hand it over, and remove it from this host"),
        ]
        .concat()
    }

    /// Replaces a file by a new one that only its owner can read.
    fn write(&self, name: &str, text: &str) -> Result<(), Problem> {
        let path = self.folder.join(name);
        let write = || {
            // An existing file would keep its mode.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            writeln!(file, "{text}")
        };
        write().map_err(|error| cannot_write(&path, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(format!("`{}` cannot be written: {error}", path.display()))
        .with_hint("check the permissions of the folder, or choose another one with `--out`")
}
