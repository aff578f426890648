//! The wire of idp-bridge, as server and client both speak it.
//!
//! A signed call is an [`Envelope`] under a [`Signature`](signature); an answer is one of [`answer`] or a [`Problem`].
//! Nothing here does IO, and nothing here chooses a status.

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

/// The version that a `ping` names.
pub const PROTOCOL_VERSION: u32 = 1;

/// The most bytes that a body may have.
pub const MAX_BODY: usize = 16 * 1024;
