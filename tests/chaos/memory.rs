//! Folders in memory: a slow disk of this machine is not a fault of the tables.

use std::path::Path;

/// The file system in memory of Linux.
const MEMORY: &str = "/dev/shm";

/// Keeps the temporary folders of this process in memory, also those of the servers that it starts.
pub(crate) fn keep_folders_in_memory() {
    let memory = Path::new(MEMORY);
    if memory.is_dir() {
        tempfile::env::override_temp_dir(memory).unwrap();
    }
}
