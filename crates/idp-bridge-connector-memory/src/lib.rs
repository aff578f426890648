//! The reference connector: users from a JSON file, kept in process.
//!
//! Serves the demo and the tests of the layers above, and shows the smallest [`UserStore`](idp_bridge_core::UserStore).
//! Writes stay in memory; mails are recorded instead of sent.

mod config;
mod outbox;
mod store;
mod user;

pub use config::MemoryConfig;
pub use outbox::Mail;
pub use store::Memory;
pub use user::{Customers, MemoryUser, sample_users};
