//! Real Redis servers and Sentinels for tests: started on a free port, killed, paused and restarted.
//!
//! They panic where a test should fail.

#![expect(clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod client;
mod sentinel;
mod server;

pub use sentinel::Sentinel;
pub use server::RedisServer;
