//! Runs a write with an idempotency key once. Concurrent and later calls with an equal key get the result of the first.

mod leased;
mod memory;
mod store;

use bytes::Bytes;
use idp_bridge_core::{Outcome, Result};
use idp_bridge_protocol::Code;

use crate::error::{Refusal, Rejection};

pub use memory::MemoryStore;
pub use store::{Begin, Claim, Failed, Fingerprint, IdempotencyStore, KEPT, Key, LEASE_GRACE, WriteResult};

pub(crate) use leased::{
    Ending, FAILURE_KEPT, Held, LeaseRequest, LeaseTable, Leased, Record, Status, late, limit_before,
};

/// The decision about a write with an idempotency key.
pub(crate) enum Begun {
    /// The write runs now.
    Run(Box<dyn Claim>),
    /// An equal write succeeded with this body.
    Replay(Bytes),
    /// The write must not run.
    Refused(Rejection),
}

impl Begun {
    /// Interprets the response of a store.
    pub(crate) fn from_store(begin: Result<Begin>) -> Self {
        let refused = |refusal: Refusal| Self::Refused(refusal.into());
        match begin {
            Ok(Begin::Run(claim)) => Self::Run(claim),
            Ok(Begin::Ended(Ok(body))) => Self::Replay(body),
            Ok(Begin::Ended(Err(Failed(refusal)))) => refused(refusal),
            Ok(Begin::Reused) => refused(Refusal::new(Code::WebhookIdReused)),
            // The running write may still succeed.
            Ok(Begin::StillRunning) => refused(Refusal::new(Code::RequestInProgress).with_outcome(Outcome::Unknown)),
            Err(error) => Self::Refused(error.into()),
        }
    }
}
