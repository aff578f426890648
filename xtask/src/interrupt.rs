//! Ctrl-C and SIGTERM: remembered, so that what was started is stopped before these tasks end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Whether someone asked these tasks to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes over the signals. Call it on the thread that will [`rest`](Self::rest).
    pub(crate) fn install() -> Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot listen to signals")?;
        let (raised, resting) = (Arc::clone(&interrupt.raised), thread::current());
        thread::spawn(move || {
            for _ in signals.forever() {
                raised.store(true, Ordering::SeqCst);
                resting.unpark();
            }
        });
        Ok(interrupt)
    }

    /// Whether a signal came.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Fails once a signal came.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_raised() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// As if a signal had come, for tests.
    #[cfg(test)]
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// Rests for about this long, or shorter: a signal ends the rest.
    pub(crate) fn rest(&self, time: Duration) {
        thread::park_timeout(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_interrupt_fails_every_later_check() {
        let interrupt = Interrupt::default();
        assert!(interrupt.check().is_ok());
        interrupt.raise();
        assert_eq!(interrupt.check().unwrap_err().to_string(), "interrupted");
        assert!(interrupt.check().is_err());
    }
}
