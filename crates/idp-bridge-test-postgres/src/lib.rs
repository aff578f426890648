//! Real PostgreSQL servers for tests: started on a free port, paused, killed and restarted.
//!
//! They panic where a test should fail.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "for tests only")]

mod server;

pub use server::PostgresServer;
