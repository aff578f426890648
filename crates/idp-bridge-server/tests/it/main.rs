//! The server over real sockets, with well-behaved and hostile callers.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

use idp_bridge_test_http as http;

mod access_tokens;
mod audit;
mod bridge;
mod clock;
mod customers;
mod deadlines;
mod deletions;
mod doctor;
mod drain;
mod envelopes;
mod errors;
mod federation;
mod http2;
mod idempotency;
mod isolation;
mod layers;
mod limits;
mod lines;
mod metrics;
mod operations;
mod pages;
mod proxied;
mod resets;
mod rest;
mod scripted;
mod shared_store;
mod signatures;
mod status;
mod tls;
mod user_cache;
mod verify_email;
