//! The HTTP server, the HTTP client, the relay and the certificates of the tests.
//!
//! They work on bytes, so that a test can send what no regular client or server sends.
//! They panic where a test should fail.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "for tests only")]

mod certificates;
mod client;
mod message;
mod relay;
mod server;

pub use certificates::{Authority, Certificates};
pub use client::{Connection, TOO_LONG, connect, exchange, until, within};
pub use message::{Answer, Request};
pub use relay::{Fault, Relay, Target};
pub use server::{Received, Reply, Server, answer, unused_address};
