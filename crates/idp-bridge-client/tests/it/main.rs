//! Tests of the client with a real server.

// Always true here. It lets clippy accept `unwrap` in helpers, too.
#![cfg(test)]

mod calls;
