//! The sources of a tenant's settings, so that a reload can keep a tenant without changes.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::regular::{MAX_FILE, read_file};

/// A hash of settings or of files, which stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// Hashes parts of the settings.
    pub(crate) fn new(parts: &[&str]) -> Self {
        Self(hash(parts))
    }

    /// Hashes the contents of files.
    pub(crate) fn from_files(files: &[&[u8]]) -> Self {
        Self(hash(files))
    }
}

fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The age from which the time of a file's last change proves that it has not changed since.
///
/// A file system may record times in steps, so a file that was changed shortly before it was read could change again
/// without a new time. The largest common step is that of FAT, two seconds.
pub(crate) const SETTLED: Duration = Duration::from_secs(3);

/// The identity and the time of a file, after which links were followed. Equal stamps mean equal contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also changes when the modification time is set by hand.
    changed: (i64, i64),
}

impl Stamp {
    /// Reads the stamp of a file before its contents. Returns `None` if a later change could leave it as it is.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let age = SystemTime::now().duration_since(latest_change(&metadata)?).ok()?;
        (age >= SETTLED).then(|| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns whether the file is still the one that was read.
    pub(crate) fn is_current(self, path: &Path) -> bool {
        path.metadata().is_ok_and(|metadata| Self::new(&metadata) == self)
    }
}

fn latest_change(metadata: &Metadata) -> Option<SystemTime> {
    let changed = Duration::new(u64::try_from(metadata.ctime()).ok()?, u32::try_from(metadata.ctime_nsec()).ok()?);
    Some(metadata.modified().ok()?.max(SystemTime::UNIX_EPOCH + changed))
}

/// A file that a tenant's settings name, with its contents when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    stamp: Option<Stamp>,
    /// `None` for a folder, and for a file that could not be read.
    contents: Option<u64>,
}

impl InputFile {
    /// Reads the file.
    pub(crate) fn read(path: PathBuf) -> Self {
        let stamp = Stamp::read(&path);
        let contents = read_file(&path, MAX_FILE).ok().map(|bytes| hash(bytes.as_slice()));
        Self { path, stamp, contents }
    }

    /// Creates the record of a file that was read, with its stamp from before.
    pub(crate) fn with_contents(path: PathBuf, stamp: Option<Stamp>, contents: &[u8]) -> Self {
        Self { path, stamp, contents: Some(hash(contents)) }
    }

    /// Creates the record of a file that cannot be read.
    pub(crate) fn unreadable(path: PathBuf) -> Self {
        Self { path, stamp: None, contents: None }
    }

    /// Returns whether the file has changed since it was read. Reads it only if its stamp is not conclusive.
    fn has_changed(&mut self) -> bool {
        if self.stamp.is_some_and(|stamp| stamp.is_current(&self.path)) {
            return false;
        }
        let now = Self::read(self.path.clone());
        if now.contents != self.contents {
            return true;
        }
        self.stamp = now.stamp;
        false
    }
}

/// The file of one tenant, when it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnFile {
    pub(crate) stamp: Stamp,
    /// The settings of the bridge that apply to tenants.
    pub(crate) shared: Digest,
}

/// All sources of a tenant's settings.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// The tenant's settings, and those of the bridge that apply to tenants.
    pub(crate) settings: Digest,
    /// The text of its part of the main file, and the settings of the bridge that apply to tenants.
    pub(crate) part: Option<Digest>,
    /// `None` for a tenant in the main file, and if the file's stamp is not conclusive.
    pub(crate) own_file: Option<OwnFile>,
    pub(crate) files: Vec<InputFile>,
}

impl Inputs {
    /// Returns whether all files are still as they were, without a read of the tenant's own one.
    pub(crate) fn are_current_unread(&mut self, path: &Path, shared: Digest) -> bool {
        let is_own_current = self.own_file.is_some_and(|own| own.shared == shared && own.stamp.is_current(path));
        is_own_current && !self.files.iter_mut().any(InputFile::has_changed)
    }

    /// Returns whether the tenant was read from this part of the main file, and all files are still as they were.
    pub(crate) fn is_part_current(&mut self, part: Digest) -> bool {
        self.part == Some(part) && !self.files.iter_mut().any(InputFile::has_changed)
    }

    /// Returns the number of files that the next load reads only if they have changed.
    #[cfg(test)]
    pub(crate) fn count_conclusive(&self) -> usize {
        self.files.iter().filter(|file| file.stamp.is_some()).count() + usize::from(self.own_file.is_some())
    }

    /// Returns whether settings and files are still as they were.
    pub(crate) fn are_current(&mut self, settings: Digest) -> bool {
        self.settings == settings && !self.files.iter_mut().any(InputFile::has_changed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    /// Sets the modification time of a file to a minute ago. The time of the last change stays.
    fn make_old(path: &Path) {
        let minute_ago = SystemTime::now() - Duration::from_secs(60);
        File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(minute_ago)).unwrap();
    }

    #[test]
    fn changed_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let mut missing = InputFile::read(path.clone());
        assert!(!missing.has_changed());
        std::fs::write(&path, "one").unwrap();
        assert!(missing.has_changed());
        let mut read = InputFile::read(path.clone());
        assert_eq!(read.contents, InputFile::with_contents(path.clone(), None, b"one").contents);
        std::fs::write(&path, "one").unwrap();
        assert!(!read.has_changed(), "written again with equal contents");
        std::fs::write(&path, "two").unwrap();
        assert!(read.has_changed());
    }

    #[test]
    fn recent_file_has_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        assert_eq!(Stamp::read(&path), None);
        make_old(&path);
        assert_eq!(Stamp::read(&path), None, "its status has changed just now");
    }

    #[test]
    fn stamp_changes_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        let stamp = Stamp::new(&path.metadata().unwrap());
        assert!(stamp.is_current(&path));
        std::fs::write(folder.path().join("next"), "two").unwrap();
        std::fs::rename(folder.path().join("next"), &path).unwrap();
        assert!(!stamp.is_current(&path), "another file has its name");
        let stamp = Stamp::new(&path.metadata().unwrap());
        make_old(&path);
        assert!(!stamp.is_current(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!stamp.is_current(&path));
    }

    #[test]
    fn current_stamp_spares_the_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        let stamp = Some(Stamp::new(&path.metadata().unwrap()));
        let mut other = InputFile::with_contents(path, stamp, b"other");
        assert!(!other.has_changed());
        other.stamp = None;
        assert!(other.has_changed());
    }
}
