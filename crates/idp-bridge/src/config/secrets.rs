//! Fetches secrets from files and environment variables.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::environment;
use super::inputs::{InputFile, Stamp};
use super::regular::read_text;

/// Maximum size of a file with a secret in bytes.
pub(crate) const MAX_SECRET: u64 = 64 * 1024;
/// The prefix of the variables that are allowed if tenants bring their own settings.
const PREFIX: &str = "IDP_BRIDGE_SECRET_";

/// The files and variables that a configuration may read.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    folder: PathBuf,
    reach: Reach,
    variable: fn(&str) -> Option<String>,
    /// The files that were read so far.
    files: RefCell<Vec<InputFile>>,
}

/// The scope of the files and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All files and variables: the operator wrote the configuration.
    Everything,
    /// The files in this folder and the variables with a prefix: tenants bring their own settings.
    Folder(Option<PathBuf>),
}

/// The reason why a secret cannot be fetched, and the next step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

impl FetchError {
    fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

impl Sources {
    /// Creates sources with relative paths starting from a folder.
    pub(crate) fn new(folder: &Path, reach: Reach) -> Self {
        Self { folder: folder.to_owned(), reach, variable: environment::variable, files: RefCell::default() }
    }

    /// Returns the files that were read, with their contents at that time.
    pub(crate) fn into_files(self) -> Vec<InputFile> {
        self.files.into_inner()
    }

    /// Resolves a path, and checks that it is allowed.
    fn resolve(&self, text: &str) -> Result<PathBuf, FetchError> {
        let path = self.folder.join(text);
        let Reach::Folder(allowed) = &self.reach else { return Ok(path) };
        let Some(allowed) = allowed else {
            return Err(FetchError::new(
                "files are not allowed here, since `outbound.private_networks` is `deny` and `server.secrets_dir` is not set",
                "set `server.secrets_dir` to the folder of the tenants' files",
            ));
        };
        // Links and `..` are resolved before the comparison.
        let real = path.canonicalize().map_err(|error| {
            FetchError::new(
                format!("`{}` cannot be read: {error}", path.display()),
                "check the path and its permissions",
            )
        })?;
        let allowed = allowed.canonicalize().map_err(|error| {
            FetchError::new(
                format!("`server.secrets_dir` cannot be read: {error}"),
                "check that the folder exists and that the bridge may read it",
            )
        })?;
        if real.starts_with(&allowed) {
            return Ok(real);
        }
        Err(FetchError::new(
            format!("`{}` is not under `{}`, the `server.secrets_dir`", path.display(), allowed.display()),
            "move the file there: with `outbound.private_networks = \"deny\"` other files are not read",
        ))
    }

    /// Resolves the path of a file or folder that a connector reads. It need not exist yet.
    pub(crate) fn resolve_file(&self, text: &str) -> Result<PathBuf, FetchError> {
        self.files.borrow_mut().push(InputFile::read(self.folder.join(text)));
        let path = self.resolve(text)?;
        match path.metadata() {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Err(FetchError::new(
                format!("`{}` cannot be read: it is not a regular file", path.display()),
                "name a file or a folder",
            )),
            _ => Ok(path),
        }
    }

    /// Reads the secret in a file, without the newline at its end.
    pub(crate) fn read_file(&self, text: &str) -> Result<String, FetchError> {
        // The path is kept with its links, since a mounted volume replaces them.
        let named = self.folder.join(text);
        let stamp = Stamp::read(&named);
        let secret = self.resolve(text).and_then(|path| {
            let text = read_text(&path, MAX_SECRET).map_err(|error| {
                FetchError::new(
                    format!("`{}` cannot be read: {error}", path.display()),
                    "check the path and the permissions of the file",
                )
            });
            Ok((text?, path))
        });
        let input = match &secret {
            Ok((secret, _)) => InputFile::with_contents(named, stamp, secret.as_bytes()),
            // A later reload reads it again, and its folder is watched until then.
            Err(_) => InputFile::unreadable(named),
        };
        self.files.borrow_mut().push(input);
        let (mut secret, path) = secret?;
        let shown = path.display();
        // Editors add a newline to the end of a file, which is not part of the secret.
        let length = secret.trim_end_matches(['\r', '\n']).len();
        secret.truncate(length);
        if secret.is_empty() {
            return Err(FetchError::new(format!("`{shown}` is empty"), "write the secret into it"));
        }
        Ok(secret)
    }

    /// Reads the secret in a variable.
    pub(crate) fn read_variable(&self, name: &str) -> Result<String, FetchError> {
        if matches!(self.reach, Reach::Folder(_)) && !name.starts_with(PREFIX) {
            return Err(FetchError::new(
                format!("the environment variable does not begin with `{PREFIX}`"),
                "rename it: with `outbound.private_networks = \"deny\"` other variables are not read",
            ));
        }
        (self.variable)(name).ok_or_else(|| {
            FetchError::new(
                format!("the environment variable `{name}` is not set, or empty"),
                format!("set it in the bridge's environment: `export {name}=…`"),
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
    fn file_is_read_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s 1 \r\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let all = sources(folder.path(), Reach::Everything);
        assert_eq!(all.read_file("secret").unwrap(), "s 1 ");
        assert_eq!(all.read_file(folder.path().join("secret").to_str().unwrap()).unwrap(), "s 1 ");
        assert!(all.read_file("empty").unwrap_err().reason.contains("is empty"));
        assert!(all.read_file("nothing").unwrap_err().reason.contains("cannot be read"));
        assert!(all.read_file(".").unwrap_err().reason.contains("cannot be read"));
        std::fs::write(folder.path().join("large"), "x".repeat(100_000)).unwrap();
        assert!(all.read_file("large").unwrap_err().reason.contains("64 KiB"));
    }

    #[test]
    fn restricted_reach_needs_folder_and_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = folder.path().join("secrets");
        std::fs::create_dir(&allowed).unwrap();
        std::fs::write(allowed.join("own"), "own").unwrap();
        std::fs::write(folder.path().join("other"), "other").unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), allowed.join("link")).unwrap();
        let restricted = sources(folder.path(), Reach::Folder(Some(allowed)));
        assert_eq!(restricted.read_file("secrets/own").unwrap(), "own");
        for outside in ["other", "secrets/../other", "secrets/link", "/etc/hostname"] {
            assert!(restricted.read_file(outside).unwrap_err().reason.contains("is not under"), "{outside}");
        }
        assert!(restricted.read_variable("OTHER_KEY").is_err());
        assert_eq!(restricted.read_variable("IDP_BRIDGE_SECRET_KEY").unwrap(), "of the environment");
        assert!(sources(folder.path(), Reach::Folder(None)).read_file("secrets/own").is_err());
    }

    #[test]
    fn unset_variable_is_named() {
        let all = sources(Path::new(""), Reach::Everything);
        assert_eq!(all.read_variable("A_KEY").unwrap(), "of the environment");
        assert!(all.read_variable("NOTHING").unwrap_err().reason.contains("`NOTHING` is not set"));
    }
}
