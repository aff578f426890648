//! The file or stream that the audit is written to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// The maximum length of a line in bytes. All members of a line are bounded.
pub(super) const MAX_LINE: u64 = 4 * 1024;
/// The number of bytes that are reserved at once.
const BLOCK: u64 = 64 * 1024;

/// The end of an earlier audit in the same output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last line, without its line break.
    pub(super) line: Vec<u8>,
    /// Whether the last line has no line break.
    pub(super) is_torn: bool,
}

/// A file or stream with lines.
pub(super) trait Output: Send + 'static {
    /// Returns the end of the lines that are there already, or `None` if there are none.
    fn tail(&mut self) -> io::Result<Option<Tail>>;

    /// Makes sure that this number of lines can be written, if the output can know.
    fn reserve(&mut self, lines: u64) -> io::Result<()>;

    /// Writes a whole line, or nothing.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;

    /// Waits until all lines are on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Opens the file at the path again. Returns whether it is another one.
    fn reopen(&mut self) -> io::Result<bool>;
}

/// A file that lines are appended to.
pub(super) struct FileOutput {
    path: PathBuf,
    file: File,
    is_regular: bool,
    /// The end of the reserved space.
    reserved: u64,
}

impl FileOutput {
    /// Opens a file, or creates it. Only its owner may read it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let is_regular = file.metadata()?.is_file();
        Ok(Self { path: path.to_owned(), file, is_regular, reserved: 0 })
    }
}

impl Output for FileOutput {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        let length = self.file.metadata()?.len();
        if !self.is_regular || length == 0 {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(length.saturating_sub(2 * MAX_LINE)))?;
        let mut end = Vec::new();
        (&self.file).take(2 * MAX_LINE).read_to_end(&mut end)?;
        let is_torn = end.last() != Some(&b'\n');
        if !is_torn {
            end.pop();
        }
        let line = end.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
        Ok(Some(Tail { line, is_torn }))
    }

    fn reserve(&mut self, lines: u64) -> io::Result<()> {
        if !self.is_regular {
            return Ok(());
        }
        let length = self.file.metadata()?.len();
        let needed = length.saturating_add(lines.saturating_mul(MAX_LINE));
        if needed <= self.reserved {
            return Ok(());
        }
        let bytes = needed.saturating_sub(length).next_multiple_of(BLOCK);
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, length, bytes) {
            Ok(()) => self.reserved = length.saturating_add(bytes),
            // The file system has no reservations.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = if self.is_regular { Some(self.file.metadata()?.len()) } else { None };
        let written = self.file.write_all(line);
        if let (Err(_), Some(length)) = (&written, length) {
            // A part of the line may be written.
            self.file.set_len(length)?;
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_regular { self.file.sync_data() } else { Ok(()) }
    }

    fn reopen(&mut self) -> io::Result<bool> {
        let next = Self::open(&self.path)?;
        let (old, new) = (self.file.metadata()?, next.file.metadata()?);
        if (old.dev(), old.ino()) == (new.dev(), new.ino()) {
            return Ok(false);
        }
        *self = next;
        Ok(true)
    }
}

/// Standard error.
pub(super) struct StderrOutput;

impl Output for StderrOutput {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        Ok(None)
    }

    fn reserve(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        io::stderr().write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}
