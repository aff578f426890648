//! Real directories for tests: OpenLDAP servers, and Samba as a domain controller of Active Directory.
//!
//! They panic where a test should fail.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod samba;
mod server;

pub use samba::SambaServer;
pub use server::SlapdServer;
