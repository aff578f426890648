//! Runs a write with an idempotency key once. Concurrent and later calls with an equal key get the result of the first.

mod memory;
mod store;

use std::time::Instant;

use bytes::Bytes;
use idp_bridge_core::Outcome;
use idp_bridge_protocol::Code;

use crate::error::Refusal;

pub use memory::MemoryStore;
pub use store::{Begin, Claim, Failed, Fingerprint, IdempotencyStore, KEPT, Key, WriteResult};

/// The decision about a write with an idempotency key.
pub(crate) enum Begun {
    /// The write runs now.
    Run(Box<dyn Claim>),
    /// An equal write succeeded with this body.
    Replay(Bytes),
    /// The write must not run.
    Refused(Refusal),
}

/// Claims a key for a write, or waits until the deadline for the running write with an equal key.
pub(crate) async fn begin(
    store: &dyn IdempotencyStore,
    key: Key,
    fingerprint: Fingerprint,
    deadline: Instant,
) -> Begun {
    match store.begin(key, fingerprint, deadline).await {
        Ok(Begin::Run(claim)) => Begun::Run(claim),
        Ok(Begin::Ended(Ok(body))) => Begun::Replay(body),
        Ok(Begin::Ended(Err(Failed(refusal)))) => Begun::Refused(refusal),
        Ok(Begin::Reused) => Begun::Refused(Refusal::new(Code::WebhookIdReused)),
        // The running write may still succeed.
        Ok(Begin::StillRunning) => Begun::Refused(Refusal::new(Code::RequestInProgress).with_outcome(Outcome::Unknown)),
        Err(error) => Begun::Refused(Refusal::from_error(&error, Outcome::NotApplied)),
    }
}
