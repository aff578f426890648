//! The client against real sockets: how often it asks, when it stops, and what it says of it.

// `cfg(test)` is always true here; clippy reads it as leave for the helpers, too, to unwrap.
#[cfg(test)]
mod client;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod token;
#[cfg(test)]
mod transport;
