//! Fetches secrets that are given as a file or as an environment variable.

use std::path::{Path, PathBuf};

use super::environment;
use super::regular::read_text;

/// A file with a secret is not larger than this.
pub(crate) const MOST: u64 = 64 * 1024;
/// Where tenants bring their own settings, they may name no other variables.
const PREFIX: &str = "IDP_BRIDGE_SECRET_";

/// Which files and variables a configuration may name, and what relative paths start from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    folder: PathBuf,
    reach: Reach,
    variable: fn(&str) -> Option<String>,
}

/// Which files and variables may be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All: who wrote the configuration also runs the bridge.
    Everything,
    /// Files in this folder and variables with a prefix: tenants bring their own settings.
    Folder(Option<PathBuf>),
}

/// Why a secret cannot be fetched, and the next step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotFetched {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

fn not_fetched(reason: impl Into<String>, hint: impl Into<String>) -> NotFetched {
    NotFetched { reason: reason.into(), hint: hint.into() }
}

impl Sources {
    pub(crate) fn new(folder: &Path, reach: Reach) -> Self {
        Self { folder: folder.to_owned(), reach, variable: environment::secret }
    }

    /// The path that a text in the configuration means.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, NotFetched> {
        let path = self.folder.join(text);
        let Reach::Folder(allowed) = &self.reach else { return Ok(path) };
        let Some(allowed) = allowed else {
            return Err(not_fetched(
                "no file may be named here, since `outbound.private_networks` is `deny` and `server.secrets_dir` is not set",
                "set `server.secrets_dir` to the folder that holds the tenants' files",
            ));
        };
        // Links and `..` are followed before they are judged.
        let real = path.canonicalize().map_err(|error| {
            not_fetched(format!("`{}` cannot be read: {error}", path.display()), "check the path and its permissions")
        })?;
        let allowed = allowed.canonicalize().map_err(|error| {
            not_fetched(
                format!("`server.secrets_dir` cannot be read: {error}"),
                "check that the folder exists and that the bridge may read it",
            )
        })?;
        if real.starts_with(&allowed) {
            return Ok(real);
        }
        Err(not_fetched(
            format!("`{}` is not under `{}`, the `server.secrets_dir`", path.display(), allowed.display()),
            "move the file there: with `outbound.private_networks = \"deny\"` no other file is read",
        ))
    }

    /// The path of a file or folder that a connector reads; it need not exist yet.
    pub(crate) fn plain_path(&self, text: &str) -> Result<PathBuf, NotFetched> {
        let path = self.path(text)?;
        match path.metadata() {
            Ok(about) if !about.is_file() && !about.is_dir() => Err(not_fetched(
                format!("`{}` cannot be read: it is not a regular file", path.display()),
                "name a file or a folder",
            )),
            _ => Ok(path),
        }
    }

    /// The text of a file, without the newline at its end.
    pub(crate) fn file(&self, text: &str) -> Result<String, NotFetched> {
        let path = self.path(text)?;
        let shown = path.display();
        let mut secret = read_text(&path, MOST).map_err(|error| {
            not_fetched(
                format!("`{shown}` cannot be read: {error}"),
                "check the path, its permissions and what is there",
            )
        })?;
        // Editors end a file with a newline that is no part of the secret.
        let length = secret.trim_end_matches(['\r', '\n']).len();
        secret.truncate(length);
        if secret.is_empty() {
            return Err(not_fetched(format!("`{shown}` is empty"), "write the secret into it"));
        }
        Ok(secret)
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Result<String, NotFetched> {
        if matches!(self.reach, Reach::Folder(_)) && !name.starts_with(PREFIX) {
            return Err(not_fetched(
                format!("the environment variable does not begin with `{PREFIX}`"),
                "rename it: with `outbound.private_networks = \"deny\"` no other variable is read",
            ));
        }
        (self.variable)(name).ok_or_else(|| {
            not_fetched(
                format!("the environment variable `{name}` is not set, or empty"),
                format!("set it where the bridge is started: `export {name}=…`"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(folder: &Path, reach: Reach) -> Sources {
        let variable = |name: &str| (name.ends_with("KEY")).then(|| "of the environment".to_owned());
        Sources { variable, ..Sources::new(folder, reach) }
    }

    #[test]
    fn a_file_is_found_from_the_configurations_folder_and_loses_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s 1 \r\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let all = sources(folder.path(), Reach::Everything);
        assert_eq!(all.file("secret").unwrap(), "s 1 ");
        assert_eq!(all.file(folder.path().join("secret").to_str().unwrap()).unwrap(), "s 1 ");
        assert!(all.file("empty").unwrap_err().reason.contains("is empty"));
        assert!(all.file("nothing").unwrap_err().reason.contains("cannot be read"));
        assert!(all.file(".").unwrap_err().reason.contains("cannot be read"));
        std::fs::write(folder.path().join("large"), "x".repeat(100_000)).unwrap();
        assert!(all.file("large").unwrap_err().reason.contains("64 KiB"));
    }

    #[test]
    fn tenants_with_their_own_settings_reach_only_the_folder_and_the_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = folder.path().join("secrets");
        std::fs::create_dir(&allowed).unwrap();
        std::fs::write(allowed.join("own"), "own").unwrap();
        std::fs::write(folder.path().join("other"), "other").unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), allowed.join("link")).unwrap();
        let narrow = sources(folder.path(), Reach::Folder(Some(allowed)));
        assert_eq!(narrow.file("secrets/own").unwrap(), "own");
        for outside in ["other", "secrets/../other", "secrets/link", "/etc/hostname"] {
            assert!(narrow.file(outside).unwrap_err().reason.contains("is not under"), "{outside}");
        }
        assert!(narrow.variable("OTHER_KEY").is_err());
        assert_eq!(narrow.variable("IDP_BRIDGE_SECRET_KEY").unwrap(), "of the environment");
        assert!(sources(folder.path(), Reach::Folder(None)).file("secrets/own").is_err());
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let all = sources(Path::new(""), Reach::Everything);
        assert_eq!(all.variable("A_KEY").unwrap(), "of the environment");
        assert!(all.variable("NOTHING").unwrap_err().reason.contains("`NOTHING` is not set"));
    }
}
