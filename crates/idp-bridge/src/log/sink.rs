//! The writer at the end of the log. It may block and fail, counts lost lines, and reports them once writing succeeds again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_appender::non_blocking::ErrorCounter;

/// Size of the lines that are written together, in bytes.
const BATCH: usize = 64 * 1024;
/// The pause between writes, so that a line does not wake this thread for each call.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes lines, and reports lost ones as soon as the queue is empty and writing succeeds.
///
/// Lines that wait in the queue are written together.
pub(super) struct Sink<W> {
    output: W,
    batch: Vec<u8>,
    /// Whether the output ends with a part of a line.
    is_torn: bool,
    /// Logs the number of lost lines.
    report: fn(usize),
    lost: Lost,
    reported: usize,
    failing: bool,
}

/// Counts the lines that were lost because the queue was full or because writing failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    dropped: OnceLock<ErrorCounter>,
    failed: AtomicUsize,
}

impl Lost {
    /// Adds the lines that the queue drops.
    pub(super) fn count_dropped(&self, counter: ErrorCounter) {
        // This is set once, when the log starts.
        let _ = self.0.dropped.set(counter);
    }

    /// Returns the number of lost lines.
    pub(crate) fn total(&self) -> usize {
        let dropped = self.0.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        dropped.saturating_add(self.0.failed.load(Relaxed))
    }
}

impl<W: Write> Sink<W> {
    pub(super) fn new(output: W, report: fn(usize)) -> Self {
        Self { output, batch: Vec::new(), is_torn: false, report, lost: Lost::default(), reported: 0, failing: false }
    }

    /// Writes the batch. Errors are not returned, since the caller cannot handle them: lines that were not written whole are
    /// counted.
    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.is_torn {
            self.batch.insert(0, b'\n');
        }
        let written = write_most(&mut self.output, &self.batch);
        let (done, rest) = self.batch.split_at_checked(written).unwrap_or_default();
        self.failing = !rest.is_empty();
        self.is_torn = if done.is_empty() { self.is_torn } else { !done.ends_with(b"\n") };
        let lost = rest.iter().filter(|byte| **byte == b'\n').count();
        // The end of a torn line is not counted, since its line is counted already.
        let lost = lost.saturating_sub(usize::from(done.is_empty() && self.batch.starts_with(b"\n")));
        self.lost.0.failed.fetch_add(lost, Relaxed);
        self.batch.clear();
    }

    #[expect(clippy::disallowed_methods, reason = "lines of the next milliseconds are written together")]
    fn pause() {
        std::thread::sleep(PAUSE);
    }

    /// Returns a handle to the counters of this sink.
    pub(super) fn lost(&self) -> Lost {
        self.lost.clone()
    }
}

impl<W: Write> Write for Sink<W> {
    /// Adds a whole line to the batch.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.batch.extend_from_slice(line);
        if self.batch.len() >= BATCH {
            self.write_batch();
        }
        Ok(line.len())
    }

    /// Writes the batch and reports lost lines. The worker flushes when the queue is empty, so the report fits into it.
    fn flush(&mut self) -> io::Result<()> {
        self.write_batch();
        let total = self.lost.total();
        if total > self.reported && !self.failing {
            (self.report)(total - self.reported);
            self.reported = total;
        }
        Self::pause();
        Ok(())
    }
}

/// Writes until an error, and returns the number of written bytes.
fn write_most(output: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match output.write(rest) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(length) => written += length,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;

    /// An output that accepts a batch only when the test reads one.
    struct Slow {
        begun: Sender<()>,
        batches: SyncSender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, batch: &[u8]) -> io::Result<usize> {
            self.begun.send(()).map_err(io::Error::other)?;
            self.batches.send(String::from_utf8_lossy(batch).into_owned()).map_err(io::Error::other)?;
            Ok(batch.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn dropped_lines_are_counted_and_reported_once() {
        static REPORTS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        let ((begun, writes), (batches, read)) = (channel(), sync_channel(0));
        let sink = Sink::new(Slow { begun, batches }, |lost| REPORTS.lock().unwrap().push(lost));
        let lost = sink.lost();
        let (mut writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(8).finish(sink);
        lost.count_dropped(writer.error_counter());
        writer.write_all(b"first\n").unwrap();
        writes.recv().unwrap();
        for _ in 0..100 {
            writer.write_all(b"line\n").unwrap();
        }
        assert_eq!(lost.total(), 92, "the queue holds eight lines");
        assert_eq!([read.recv().unwrap(), read.recv().unwrap()], ["first\n".to_owned(), "line\n".repeat(8)]);
        writer.write_all(b"last\n").unwrap();
        assert_eq!(read.recv().unwrap(), "last\n");
        drop(guard);
        assert_eq!(*REPORTS.lock().unwrap(), [92]);
    }

    #[test]
    fn failed_writes_are_reported_after_recovery() {
        static REPORTS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        /// An output that fails for the first two lines.
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 2 { Ok(line.len()) } else { Err(io::ErrorKind::StorageFull.into()) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink::new(Full(0), |lost| REPORTS.lock().unwrap().push(lost));
        for expected in [&[][..], &[], &[2], &[2]] {
            assert_eq!(sink.write(b"line\n").unwrap(), 5);
            sink.flush().unwrap();
            assert_eq!(*REPORTS.lock().unwrap(), expected);
        }
    }

    #[test]
    fn only_unwritten_lines_of_a_batch_are_lost() {
        /// An output with limited space.
        struct Disk {
            space: usize,
            text: Vec<u8>,
        }
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let length = bytes.len().min(self.space - self.text.len());
                if length == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.text.extend_from_slice(&bytes[..length]);
                Ok(length)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink::new(Disk { space: 13, text: Vec::new() }, drop);
        let lost = sink.lost();
        for expected in [2, 6] {
            for line in ["one 1\n", "two 2\n", "three\n", "four4\n"] {
                sink.write_all(line.as_bytes()).unwrap();
            }
            sink.flush().unwrap();
            assert_eq!(lost.total(), expected);
        }
        sink.output.space = 100;
        sink.write_all(b"five5\n").unwrap();
        sink.flush().unwrap();
        assert_eq!(lost.total(), 6);
        assert_eq!(String::from_utf8_lossy(&sink.output.text), "one 1\ntwo 2\nt\nfive5\n");
    }
}
