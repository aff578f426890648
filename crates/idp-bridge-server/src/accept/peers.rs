//! Counts the connections of each peer, so that one client cannot take all places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open connections of each peer.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// The place of an open connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct PeerPlace {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// Takes a place, or returns `None` if the peer has `max` open connections.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<PeerPlace> {
        let peer = peer_of(address);
        let mut open = self.lock();
        let count = open.entry(peer).or_default();
        if *count >= max.max(1) {
            return None;
        }
        *count += 1;
        Some(PeerPlace { peers: Arc::clone(self), peer })
    }

    /// Locks the map. A poisoned lock is fine, since the map is consistent after every statement.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Returns the address that stands for the peer. A host commonly has a whole IPv6 network of 64 bits.
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
        let peers = Arc::new(Peers::default());
        let enter = |text: &str| peers.enter(address(text), 2);
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
        let peers = Arc::new(Peers::default());
        let taken = peers.enter(address("2001:db8:0:1::1"), 1);
        assert!(taken.is_some());
        assert!(peers.enter(address("2001:db8:0:1:ffff::2"), 1).is_none());
        assert!(peers.enter(address("2001:db8:0:2::1"), 1).is_some());
    }
}
