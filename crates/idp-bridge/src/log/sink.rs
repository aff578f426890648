//! The writer at the end of the log. It may block and fail, counts lost lines, and reports them once writing succeeds again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use tracing_appender::non_blocking::ErrorCounter;

/// Writes lines, and reports lost ones as soon as the queue is empty and writing succeeds.
pub(super) struct Sink<W> {
    output: W,
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
        Self { output, report, lost: Lost::default(), reported: 0, failing: false }
    }

    /// Returns a handle to the counters of this sink.
    pub(super) fn lost(&self) -> Lost {
        self.lost.clone()
    }
}

impl<W: Write> Write for Sink<W> {
    /// Writes a whole line. Errors are counted and not returned, since the caller cannot handle them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.failing = self.output.write_all(line).is_err();
        if self.failing {
            self.lost.0.failed.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    /// Reports lost lines. The worker flushes when the queue is empty, so the report fits into it.
    fn flush(&mut self) -> io::Result<()> {
        let total = self.lost.total();
        if total > self.reported && !self.failing {
            (self.report)(total - self.reported);
            self.reported = total;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use tracing_appender::non_blocking::NonBlockingBuilder;

    use super::*;

    /// An output that accepts a line only when the test reads one.
    struct Slow(SyncSender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(line).into_owned()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Slow, Receiver<String>) {
        let (lines, read) = sync_channel(0);
        (Slow(lines), read)
    }

    #[test]
    fn dropped_lines_are_counted_and_reported_once() {
        static REPORTS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        let (output, read) = slow();
        let sink = Sink::new(output, |lost| REPORTS.lock().unwrap().push(lost));
        let lost = sink.lost();
        let (mut writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(8).finish(sink);
        lost.count_dropped(writer.error_counter());
        for _ in 0..100 {
            writer.write_all(b"line\n").unwrap();
        }
        let dropped = lost.total();
        assert!((91..=92).contains(&dropped), "the queue and the writer hold at most nine lines: {dropped}");
        for _ in 0..100 - dropped {
            assert_eq!(read.recv().unwrap(), "line\n");
        }
        writer.write_all(b"last\n").unwrap();
        assert_eq!(read.recv().unwrap(), "last\n");
        drop(guard);
        assert_eq!(*REPORTS.lock().unwrap(), [dropped]);
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
}
