//! The server over real sockets, with well-behaved and hostile callers.

use idp_bridge_test_http as http;

// `cfg(test)` is always true here. It lets clippy accept `unwrap` in helpers, too.
#[cfg(test)]
mod access_tokens;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bridge;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod proxied;
#[cfg(test)]
mod resets;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod shared_store;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod status;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod user_cache;
#[cfg(test)]
mod verify_email;
