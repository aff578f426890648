//! Tests of the client with a real server.

// `cfg(test)` is always true here. Clippy then allows `unwrap` in the helpers too.
#[cfg(test)]
mod calls;
