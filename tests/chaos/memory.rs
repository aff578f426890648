//! Folders in memory: a slow disk of this machine is not a fault of the tables.

use std::path::Path;

use tempfile::TempDir;

/// The file system in memory of Linux.
const MEMORY: &str = "/dev/shm";

/// Creates a folder in memory, or on the disk of another system.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new(MEMORY);
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}
