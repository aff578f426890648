//! Real OpenLDAP servers for tests: started on free ports, paused, killed and restarted.
//!
//! They panic where a test should fail.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod server;

pub use server::SlapdServer;
