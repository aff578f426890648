//! Reads regular files of bounded size, so that a pipe or a device cannot block the program.

use std::fs::File;
use std::io::{Error, Read as _, Result};
use std::path::Path;

/// Maximum size of a configuration or certificate file in bytes.
pub(crate) const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Reads a regular file of at most `max_bytes`. Links are followed.
pub(crate) fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    // The type is checked before opening, since opening a pipe would wait for a writer.
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(Error::other("it is a folder"));
    }
    if !metadata.is_file() {
        return Err(Error::other("it is not a regular file"));
    }
    // Not more than the file has, unless it grows: a large buffer that doubles would leave much memory to the allocator.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(max_bytes) + 1).unwrap_or_default());
    File::open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(Error::other(format!("it is larger than {} KiB", max_bytes / 1024)));
    }
    Ok(bytes)
}

/// Reads a regular UTF-8 file of at most `max_bytes`.
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> Result<String> {
    String::from_utf8(read_file(path, max_bytes)?).map_err(|_| Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("data"), "secret").unwrap();
        // Kubernetes mounts a secret as a link to a file behind a link to a folder.
        symlink(folder.path(), path("..data")).unwrap();
        symlink("..data/data", path("link")).unwrap();
        assert_eq!(read_text(&path("link"), 6).unwrap(), "secret");
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        for (name, reason) in [
            ("pipe", "it is not a regular file"),
            ("/dev/zero", "it is not a regular file"),
            (".", "it is a folder"),
            ("data", "it is larger than 0 KiB"),
        ] {
            assert_eq!(read_text(&path(name), 5).unwrap_err().to_string(), reason, "{name}");
        }
        std::fs::write(path("latin"), [0xe4]).unwrap();
        assert_eq!(read_text(&path("latin"), 5).unwrap_err().to_string(), "it is not UTF-8");
    }
}
