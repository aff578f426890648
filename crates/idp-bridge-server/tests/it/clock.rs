//! A clock that a test sets.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use idp_bridge_core::Clock;
use idp_bridge_core::jiff::Timestamp;

/// The time at which each test begins.
pub(crate) const BEGIN: i64 = 1_800_000_000;

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(BEGIN))
    }
}

impl TestClock {
    pub(crate) fn set(&self, second: i64) {
        self.0.store(second, Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Relaxed)).unwrap()
    }
}
