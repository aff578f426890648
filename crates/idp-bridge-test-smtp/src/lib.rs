//! Real mail servers for tests (aiosmtpd): with STARTTLS or TLS, and with a login.
//!
//! They panic where a test should fail.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "for tests only")]

mod server;

pub use server::{Security, SmtpServer};
