//! The client over real sockets.

// `cfg(test)` is always true here; clippy reads it as leave for the helpers, too, to unwrap.
#[cfg(test)]
mod calls;
#[cfg(test)]
mod server;
