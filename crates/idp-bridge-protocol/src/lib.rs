//! The wire format of idp-bridge, shared by server and client.
//!
//! A signed call is an [`Envelope`] with a [`signature`]. A response is one of [`answer`] or a [`Problem`].
//! This crate does no IO and chooses no statuses.

pub mod answer;
mod envelope;
mod json;
mod key;
mod problem;
pub mod signature;

pub use envelope::{Envelope, EnvelopeError, Operation, WireEnvelope};
pub use json::{JsonError, parse_object};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use problem::{Code, MEDIA_TYPE, Problem, ProblemOutcome};
pub use signature::{KeyRing, SignatureError};

/// The protocol version, as returned by `ping`.
pub const PROTOCOL_VERSION: u32 = 1;

/// The maximum size of a body, in bytes.
pub const MAX_BODY: usize = 16 * 1024;
