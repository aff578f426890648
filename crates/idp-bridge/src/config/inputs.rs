//! What a tenant was read from, so that a reload can keep a tenant without changes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use super::regular::{MAX_FILE, read_file};

/// A hash of settings or of a file, which stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Hashes parts of the settings.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A file that a tenant's settings name, with its contents when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    /// `None` for a folder, and for a file that could not be read.
    contents: Option<u64>,
}

impl InputFile {
    /// Reads the file.
    pub(crate) fn read(path: PathBuf) -> Self {
        let contents = read_file(&path, MAX_FILE).ok().map(|bytes| hash(&bytes));
        Self { path, contents }
    }

    /// Creates the record of a file that was read.
    pub(crate) fn with_contents(path: PathBuf, contents: &[u8]) -> Self {
        Self { path, contents: Some(hash(contents)) }
    }

    /// Returns whether the file has changed since it was read.
    pub(crate) fn has_changed(&self) -> bool {
        Self::read(self.path.clone()) != *self
    }
}

fn hash(contents: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}

/// All that a tenant was read from.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// The tenant's settings, and those of the bridge that apply to tenants.
    pub(crate) settings: Digest,
    pub(crate) files: Vec<InputFile>,
}

impl Inputs {
    /// Returns whether settings and files are still as they were.
    pub(crate) fn are_current(&self, settings: Digest) -> bool {
        self.settings == settings && !self.files.iter().any(InputFile::has_changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let missing = InputFile::read(path.clone());
        assert!(!missing.has_changed());
        std::fs::write(&path, "one").unwrap();
        assert!(missing.has_changed());
        let read = InputFile::read(path.clone());
        assert_eq!(read, InputFile::with_contents(path.clone(), b"one"));
        std::fs::write(&path, "one").unwrap();
        assert!(!read.has_changed(), "written again with equal contents");
        std::fs::write(&path, "two").unwrap();
        assert!(read.has_changed());
    }
}
