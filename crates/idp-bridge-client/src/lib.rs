//! Signs a call, sends it to a bridge and reads the answer.
//!
//! For the platform, for `idp-bridge call`, and for tests; it works against any bridge that speaks the protocol.
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
//! [`WebhookId`]: the bridge then runs a write at most once and repeats its answer.

mod answer;
mod client;
mod error;
mod signed;

pub use answer::{Answer, MAX_ANSWER};
pub use client::{Client, DEFAULT_TIMEOUT};
pub use error::ClientError;
pub use signed::{SignedCall, WebhookId};

/// The words that a caller needs, of the same versions.
pub use idp_bridge_core::{Call, CallKind, CustomerId, Email, InvalidValue, TenantId, User, UserId};
pub use idp_bridge_protocol::{Code, KeyError, Operation, Problem, ProblemOutcome, SigningKey, answer as answers};
