//! Counts the connections of each peer, so that one client cannot take all places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The minimum time between two log lines about refused connections.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// The open connections of each peer.
#[derive(Debug)]
pub(super) struct Peers {
    open: Mutex<HashMap<IpAddr, usize>>,
    /// The maximum number of open connections of a peer.
    max: usize,
    /// The time of the last log line about a refused connection.
    last_warning: Mutex<Option<Instant>>,
}

/// The place of an open connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct PeerPlace {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// Creates an empty map with a limit for each peer.
    pub(super) fn new(max: usize) -> Self {
        Self { open: Mutex::default(), max: max.max(1), last_warning: Mutex::new(None) }
    }

    /// Takes a place. Returns `None`, and logs it, if the peer has too many connections.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<PeerPlace> {
        let place = self.take(peer_of(address));
        if place.is_none() {
            self.warn(|| {
                tracing::warn!(peer = %address, limit = self.max, "a peer has too many connections: further ones are closed");
            });
        }
        place
    }

    /// Writes a line about a refused connection, unless there was one a short time ago.
    pub(super) fn warn(&self, write: impl FnOnce()) {
        let mut last = self.last_warning.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WARNING_INTERVAL) {
            *last = Some(Instant::now());
            write();
        }
    }

    fn take(self: &Arc<Self>, peer: IpAddr) -> Option<PeerPlace> {
        let mut open = self.lock();
        let count = open.entry(peer).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(PeerPlace { peers: Arc::clone(self), peer })
    }

    /// Locks the map. A poisoned lock is fine, since the map is consistent after every statement.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Returns the address that identifies the peer. A host commonly has a whole IPv6 network of 64 bits.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn peer_has_a_share_of_the_places() {
        let peers = Arc::new(Peers::new(2));
        let enter = |text: &str| peers.enter(address(text));
        let (first, second) = (enter("192.0.2.1"), enter("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none(), "the share is taken");
        assert!(enter("192.0.2.2").is_some());
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        drop(second);
        assert!(peers.lock().is_empty(), "peers without connections are removed");
    }

    #[test]
    fn ipv6_network_is_one_peer() {
        let peers = Arc::new(Peers::new(1));
        let taken = peers.enter(address("2001:db8:0:1::1"));
        assert!(taken.is_some());
        assert!(peers.enter(address("2001:db8:0:1:ffff::2")).is_none());
        assert!(peers.enter(address("2001:db8:0:2::1")).is_some());
    }
}
