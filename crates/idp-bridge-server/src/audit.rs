//! The audit: one line for each write and each logout, in a chain of digests that shows a changed or removed line.
//!
//! A write reserves its line before it runs, and is answered when the line is written. If the disk fills in between, the
//! line is kept in memory and written first when there is space again, and until then further writes are refused.

mod chain;
mod entry;
mod output;
mod settings;
mod verify;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use idp_bridge_core::{Clock, Error, ErrorKind, Result};
use tokio::sync::oneshot;

pub(crate) use self::entry::{AuditEntry, AuditEvent, AuditedCall, AuditedResult};
use self::output::{FileOutput, Output, StderrOutput};
use self::settings::AuditCounters;
pub use self::settings::{AuditSettings, AuditSync};
pub use self::verify::{AuditReport, BrokenLine, verify_audit};
use self::writer::{Command, Writer};

/// The time after which a refused caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The running audit. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    commands: Sender<Command>,
    is_required: bool,
    counters: Arc<AuditCounters>,
}

/// A line that a write may record. Its space is free again if it is dropped.
pub(crate) struct Reservation {
    commands: Sender<Command>,
    is_reserved: bool,
}

/// The numbers of lines of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuditCounts {
    pub(crate) written: u64,
    /// The failed attempts to write a line.
    pub(crate) failed: u64,
    /// The lines that were never written.
    pub(crate) lost: u64,
}

impl Audit {
    /// Opens the audit, and writes its first line.
    ///
    /// Fails if the audit is required and cannot be written.
    pub fn open(settings: &AuditSettings, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let output: Box<dyn Output> = match &settings.file {
            Some(path) => Box::new(FileOutput::open(path)?),
            None => Box::new(StderrOutput),
        };
        Self::start(output, settings, clock)
    }

    fn start(output: Box<dyn Output>, settings: &AuditSettings, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let counters = Arc::<AuditCounters>::default();
        let mut writer = Writer::new(output, settings.fsync, Arc::clone(&counters), clock);
        if let Err(error) = writer.begin()
            && settings.required
        {
            return Err(error);
        }
        let (commands, received) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("audit".into()).spawn(move || writer.run(&received))?;
        Ok(Self { commands, is_required: settings.required, counters })
    }

    /// Opens the file again, after it was renamed.
    pub fn reopen(&self) {
        // Fails only if the thread has ended, which the next reservation reports.
        let _ = self.commands.send(Command::Reopen);
    }

    /// Reserves a line. Fails with `Unavailable` if the audit is required and cannot be written.
    pub(crate) async fn reserve(&self) -> Result<Reservation> {
        let reservation = |is_reserved| Reservation { commands: self.commands.clone(), is_reserved };
        if !self.is_required {
            return Ok(reservation(false));
        }
        let (done, answer) = oneshot::channel();
        let is_sent = self.commands.send(Command::Reserve(done)).is_ok();
        match answer.await {
            Ok(Ok(())) if is_sent => Ok(reservation(true)),
            Ok(Err(cause)) => Err(refused().with_source(cause)),
            _ => Err(refused()),
        }
    }

    /// Returns the numbers of lines since the start.
    pub(crate) fn counts(&self) -> AuditCounts {
        let counters = &*self.counters;
        AuditCounts {
            written: counters.written.load(Relaxed),
            failed: counters.failed.load(Relaxed),
            lost: counters.lost.load(Relaxed),
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("is_required", &self.is_required).finish_non_exhaustive()
    }
}

impl Reservation {
    /// Records the line, and returns when it is written, or at the deadline. It is written later then.
    pub(crate) async fn record(mut self, entry: AuditEntry, deadline: Instant) {
        let (done, written) = oneshot::channel();
        let is_reserved = std::mem::take(&mut self.is_reserved);
        let entry = Box::new(entry);
        if self.commands.send(Command::Record { entry, is_reserved, done }).is_err() {
            tracing::error!("a line of the audit is lost: its thread has ended");
            return;
        }
        if tokio::time::timeout_at(deadline.into(), written).await.is_err() {
            tracing::warn!("a line of the audit is late: its disk is slow");
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.is_reserved {
            let _ = self.commands.send(Command::Release);
        }
    }
}

fn refused() -> Error {
    Error::ours(ErrorKind::Unavailable, "the audit cannot be written, so the write was refused")
        .with_retry_after(Some(RETRY_AFTER))
        .with_hint("make space for the file of `audit.file`, or check its permissions")
}

#[cfg(test)]
mod tests;
