//! Tests of the client with real servers.

// `cfg(test)` is always true here. Clippy then allows `unwrap` in the helpers too.
#[cfg(test)]
mod client;
#[cfg(test)]
mod client_certificate;
#[cfg(test)]
mod client_proof;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod gated_server;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod token;
#[cfg(test)]
mod transport;
