//! The thread that writes the audit.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use idp_bridge_core::Clock;
use tokio::sync::oneshot;

use super::chain::LineDigest;
use super::entry::AuditEntry;
use super::output::Output;
use super::settings::{AuditCounters, AuditSync};

/// The maximum number of lines that are kept while the output fails.
const MAX_KEPT: usize = 10_000;
/// The maximum number of commands that are handled before a sync.
const MAX_BATCH: usize = 256;
/// The interval between syncs of [`AuditSync::Second`], and between attempts to write to an output that fails.
const INTERVAL: Duration = Duration::from_secs(1);

/// A command to the thread.
pub(super) enum Command {
    /// Reserves a line.
    Reserve(oneshot::Sender<io::Result<()>>),
    /// Frees a reserved line.
    Release,
    /// Writes a line.
    Record { entry: Box<AuditEntry>, is_reserved: bool, done: oneshot::Sender<()> },
    /// Opens the file again.
    Reopen,
}

/// Writes the audit.
pub(super) struct Writer {
    output: Box<dyn Output>,
    sync: AuditSync,
    counters: Arc<AuditCounters>,
    clock: Arc<dyn Clock>,
    last: LineDigest,
    /// The number of reserved lines.
    reserved: u64,
    /// The lines that could not be written yet, in their order.
    kept: VecDeque<AuditEntry>,
    /// The time of the first line that is not synced.
    unsynced_since: Option<Instant>,
    /// Whether the last write failed.
    is_failing: bool,
}

impl Writer {
    pub(super) fn new(
        output: Box<dyn Output>,
        sync: AuditSync,
        counters: Arc<AuditCounters>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (last, kept) = (LineDigest::first(), VecDeque::new());
        Self { output, sync, counters, clock, last, reserved: 0, kept, unsynced_since: None, is_failing: false }
    }

    /// Writes the first line, after the lines that are there already.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let tail = self.output.tail()?;
        let is_torn = tail.as_ref().is_some_and(|tail| tail.is_torn);
        if let Some(tail) = tail {
            self.last = LineDigest::from_line(&tail.line);
        }
        if is_torn {
            self.output.write(b"\n")?;
        }
        self.kept.push_back(AuditEntry::start(self.clock.now(), is_torn));
        self.write_kept()
    }

    /// Handles commands until all senders are dropped.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let first = match commands.recv_timeout(INTERVAL) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut written = Vec::new();
            for command in first.into_iter().chain(commands.try_iter()).take(MAX_BATCH) {
                self.handle(command, &mut written);
            }
            if !self.kept.is_empty() {
                // The error is logged.
                let _ = self.write_kept();
            }
            self.sync_if_due();
            for done in written {
                // The caller may have stopped waiting.
                let _ = done.send(());
            }
        }
        if self.write_kept().is_ok() {
            self.sync_now();
        }
    }

    fn handle(&mut self, command: Command, written: &mut Vec<oneshot::Sender<()>>) {
        match command {
            Command::Reserve(done) => {
                let result = self.write_kept().and_then(|()| self.output.reserve(self.reserved.saturating_add(1)));
                if result.is_ok() {
                    self.reserved = self.reserved.saturating_add(1);
                }
                if let Err(Ok(())) = done.send(result) {
                    self.release();
                }
            }
            Command::Release => self.release(),
            Command::Record { entry, is_reserved, done } => {
                if is_reserved {
                    self.release();
                }
                self.keep(*entry);
                // An error is logged, and the line is kept.
                let _ = self.write_kept();
                written.push(done);
            }
            Command::Reopen => self.reopen(),
        }
    }

    fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    fn keep(&mut self, entry: AuditEntry) {
        if self.kept.len() >= MAX_KEPT {
            self.counters.lost.fetch_add(1, Relaxed);
            tracing::error!("a line of the audit is lost: too many could not be written");
            return;
        }
        self.kept.push_back(entry);
    }

    /// Writes the lines that are not written yet, as far as possible.
    fn write_kept(&mut self) -> io::Result<()> {
        while let Some(entry) = self.kept.front() {
            let line = self.last.link(entry);
            if let Err(error) = self.output.write(&line) {
                self.count_failure(&error);
                return Err(error);
            }
            self.last = LineDigest::from_line(line.strip_suffix(b"\n").unwrap_or(&line));
            self.kept.pop_front();
            self.counters.written.fetch_add(1, Relaxed);
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the audit can be written again");
        }
        Ok(())
    }

    fn count_failure(&mut self, error: &io::Error) {
        self.counters.failed.fetch_add(1, Relaxed);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(%error, "the audit cannot be written: its lines are kept in memory");
        }
    }

    fn sync_if_due(&mut self) {
        let is_due = match (self.sync, self.unsynced_since) {
            (AuditSync::Never, _) | (_, None) => false,
            (AuditSync::Each, Some(_)) => true,
            (AuditSync::Second, Some(since)) => since.elapsed() >= INTERVAL,
        };
        if is_due {
            self.sync_now();
        }
    }

    fn sync_now(&mut self) {
        self.unsynced_since = None;
        if let Err(error) = self.output.sync() {
            self.count_failure(&error);
        }
    }

    /// Opens the file again. The first line of another file names the last line of the one before.
    fn reopen(&mut self) {
        // Lines that cannot be written go to the next file.
        let _ = self.write_kept();
        if self.sync != AuditSync::Never {
            self.sync_now();
        }
        match self.output.reopen() {
            Ok(false) => {}
            Ok(true) => {
                self.kept.push_front(AuditEntry::start(self.clock.now(), false));
                // An error is logged, and the line is kept.
                let _ = self.write_kept();
            }
            Err(error) => self.count_failure(&error),
        }
    }
}
