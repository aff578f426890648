//! What a connection may cost, in bytes, seconds and number.

use std::time::Duration;

/// The most bytes of a request's head.
pub(crate) const MAX_HEAD: usize = 16 * 1024;

/// The most header fields of a request.
pub(crate) const MAX_HEADERS: usize = 64;

/// The most bytes of a request's path and query.
pub(crate) const MAX_URI: usize = 2 * 1024;

/// The same where a browser brings an ID token and a state.
pub(crate) const MAX_LOGOUT_URI: usize = 8 * 1024;

/// How long slow callers are waited for, and how many callers at once.
///
/// Sizes are part of the protocol and cannot be set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// The most connections at once; more wait in the system's queue.
    pub connections: usize,
    /// How long the head of a request may take, from its first byte.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a caller may leave an answer unread.
    pub write: Duration,
    /// The time that the answer of a password reset is rounded up to, so that it does not tell how long the look-up took.
    pub reset_step: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(5),
            body: Duration::from_secs(5),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(10),
            reset_step: Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let limits = ServerLimits::default();
        assert_eq!((limits.connections, MAX_HEAD, MAX_HEADERS, MAX_URI), (10_000, 16_384, 64, 2_048));
        assert_eq!([limits.head, limits.body, limits.idle].map(|limit| limit.as_secs()), [5, 5, 75]);
    }
}
