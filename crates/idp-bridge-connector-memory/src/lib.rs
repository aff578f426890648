//! The embedded default and reference connector: users from a JSON file, in process.
//!
//! It keeps every promise of [`IdentityProvider`](idp_bridge_core::IdentityProvider) without an identity provider, so it
//! serves the demo, the tests of everything above a connector, and whoever wants to read what a connector has to do.
//! What calls write stays in memory, and mails are recorded instead of sent.

mod config;
mod outbox;
mod provider;
mod user;

pub use config::MemoryConfig;
pub use outbox::{Mail, MailKind};
pub use provider::Memory;
pub use user::{Customers, MemoryUser, sample_users};
