//! The folder of the file, with a marker that reveals a missing list.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Access, access};

/// The name of the file in its folder.
pub(super) const FILE_NAME: &str = "revocations.redb";

/// The file that records that a list was created in the folder.
pub(super) const MARKER: &str = "revocations.made";
const MARKER_TEXT: &str =
    "A revocation list was created beside this file. Without this file, a lost list is not noticed.\n";

/// The state of a folder for a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderState {
    /// The folder never had a list.
    New,
    /// A list that no process uses.
    Kept,
    /// A list that a process uses now.
    InUse,
}

/// The error for a list that is missing from its folder.
#[derive(Debug, thiserror::Error)]
#[error("the revocation list of this folder is missing")]
pub(super) struct Lost;

/// Returns whether the marker exists and the list is missing or empty.
pub(super) fn is_lost(folder: &Path) -> io::Result<bool> {
    Ok(folder.join(MARKER).try_exists()? && is_absent(&folder.join(FILE_NAME))?)
}

/// Writes the marker unless it exists. The caller has to sync the folder.
pub(super) fn set_marker(folder: &Path) -> io::Result<()> {
    let marker = folder.join(MARKER);
    if marker.try_exists()? {
        return Ok(());
    }
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(marker)?;
    file.write_all(MARKER_TEXT.as_bytes())?;
    file.sync_all()
}

/// Removes the marker of a missing list. Returns false if no list is missing.
pub(super) fn accept_loss(folder: &Path) -> io::Result<bool> {
    let is_lost = is_lost(folder)?;
    if is_lost {
        fs::remove_file(folder.join(MARKER))?;
    }
    Ok(is_lost)
}

/// Returns the state of the folder without changing it. Fails if the list could not be opened.
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
    // The database holds an exclusive lock on the file.
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
