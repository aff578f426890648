//! The folder of the file: whether it can be used, and whether a list that was made there is gone.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

use super::FILE_NAME;

/// The file beside the list that says that the list was made.
pub(super) const MARKER: &str = "revocations.made";
const MARKER_TEXT: &str =
    "A revocation list was made beside this file. Without this file, a lost list goes unnoticed.\n";

/// What a folder holds of a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderState {
    /// No list was made there yet.
    New,
    /// A list that no process uses.
    Kept,
    /// A list that a process uses now.
    InUse,
}

/// The list that was made in a folder is gone.
#[derive(Debug, thiserror::Error)]
#[error("a revocation list was made there, and is gone")]
pub(super) struct Lost;

/// Returns whether the list is missing or empty although the marker says that it was made.
pub(super) fn is_lost(folder: &Path) -> io::Result<bool> {
    Ok(folder.join(MARKER).try_exists()? && is_absent(&folder.join(FILE_NAME))?)
}

/// Writes the marker, unless it is there. Its name is on the disk once the folder is.
pub(super) fn set_marker(folder: &Path) -> io::Result<()> {
    let marker = folder.join(MARKER);
    if marker.try_exists()? {
        return Ok(());
    }
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(marker)?;
    file.write_all(MARKER_TEXT.as_bytes())?;
    file.sync_all()
}

/// Removes the marker of a list that is gone; false if none is.
pub(super) fn accept_loss(folder: &Path) -> io::Result<bool> {
    let is_lost = is_lost(folder)?;
    if is_lost {
        fs::remove_file(folder.join(MARKER))?;
    }
    Ok(is_lost)
}

/// Looks at the folder and changes nothing; fails if the list could not be opened.
pub(super) fn inspect(folder: &Path) -> io::Result<FolderState> {
    if !fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
    if is_lost(folder)? {
        return Err(io::Error::other(Lost));
    }
    let path = folder.join(FILE_NAME);
    if is_absent(&path)? {
        return Ok(FolderState::New);
    }
    // The database takes the same lock, for itself alone.
    match File::options().read(true).write(true).open(path)?.try_lock_shared() {
        Ok(()) => Ok(FolderState::Kept),
        Err(fs::TryLockError::WouldBlock) => Ok(FolderState::InUse),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn is_absent(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() == 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
