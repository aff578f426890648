//! Tests of the client with real servers.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod client;
mod client_certificate;
mod client_proof;
mod connections;
mod gated_server;
mod oidc;
mod outages;
mod pool;
mod proxy;
mod server;
mod tls;
mod token;
mod transport;
