//! The salt of the hashes of users in the log and in the audit.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use idp_bridge_core::{Random, Secret, SystemRandom};

use crate::config::{Problem, Server};

/// The name of the file in `server.state_dir`.
const FILE_NAME: &str = "user-salt";
/// The length of a created salt in bytes.
const SALT_LENGTH: usize = 64;

/// Returns the configured salt, or the one in `server.state_dir`, which is created if it is missing.
///
/// Returns `None` without both.
pub(super) fn load(settings: &Server) -> Result<Option<Secret>, Problem> {
    if let Some(salt) = &settings.log.user_salt {
        return Ok(Some(Secret::new(salt.expose().trim())));
    }
    let Some(folder) = &settings.state_dir else { return Ok(None) };
    let path = folder.join(FILE_NAME);
    read_or_create(&path).map(Some).map_err(|error| {
        let problem = Problem::new(format!("the salt of the log cannot be kept: {error}")).in_file(&path);
        problem.with_hint("let the bridge write to `server.state_dir`, or set `server.log.user_salt_file`")
    })
}

fn read_or_create(path: &Path) -> io::Result<Secret> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.len() == SALT_LENGTH => return Ok(Secret::new(text)),
        // A start that was interrupted left an incomplete file.
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0; SALT_LENGTH / 2];
    SystemRandom.fill(&mut bytes)?;
    let salt = HEXLOWER.encode(&bytes);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(salt.as_bytes())?;
    file.sync_all()?;
    Ok(Secret::new(salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn created_salt_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let created = read_or_create(&path).unwrap();
        assert_eq!(created.expose().len(), SALT_LENGTH);
        assert_eq!(read_or_create(&path).unwrap().expose(), created.expose());
        std::fs::write(&path, "interrupted").unwrap();
        assert_ne!(read_or_create(&path).unwrap().expose(), created.expose());
    }

    #[test]
    fn configured_salt_wins() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Server { state_dir: Some(folder.path().to_owned()), ..Server::default() };
        let created = load(&settings).unwrap().unwrap();
        settings.log.user_salt = Some(Secret::new("configured-by-operator\n"));
        assert_eq!(load(&settings).unwrap().unwrap().expose(), "configured-by-operator");
        (settings.log.user_salt, settings.state_dir) = (None, Some(folder.path().join("missing")));
        assert!(load(&settings).is_err());
        settings.state_dir = None;
        assert!(load(&settings).unwrap().is_none() && created.expose().len() == SALT_LENGTH);
    }
}
