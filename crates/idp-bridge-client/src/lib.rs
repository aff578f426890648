//! A client for idp-bridge: signs calls, sends them and parses the responses.
//!
//! Used by the platform, `idp-bridge call` and tests.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use idp_bridge_client::{Answer, Call, Client, Email, SigningKey, TenantId};
//!
//! let key = SigningKey::parse("whsk_…")?;
//! let client = Client::new("https://bridge.acme.example", TenantId::new("acme")?, vec![key])?;
//! match client.call(Call::GetByEmail(Email::new("ada@acme.example")?)).await? {
//!     Answer::User(answer) => assert_eq!(answer.user.tenant.as_str(), "acme"),
//!     other => unreachable!("a get answers a user, not {other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client sends a call once. To send it again after [`ClientError::is_retryable`], use [`Client::call_with_id`] with the same
//! [`WebhookId`]. The bridge then executes a write at most once and repeats its response.

mod answer;
mod client;
mod error;
mod raw;
mod signed;

pub use answer::{Answer, MAX_ANSWER};
pub use client::{Client, DEFAULT_TIMEOUT};
pub use error::ClientError;
pub use raw::{RawAnswer, RawClient, RawRequest};
pub use signed::{SignedCall, WebhookId};

/// Re-exported for callers, so that their versions match this crate's.
pub use idp_bridge_core::{Call, CallKind, CustomerId, Email, InvalidValue, TenantId, User, UserId};
pub use idp_bridge_protocol::{Code, KeyError, Operation, Problem, ProblemOutcome, SigningKey, answer as answers};
