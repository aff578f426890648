//! Name resolution that gives only addresses that may be dialled.
//!
//! The check is made on the very addresses that the connection then uses, so that a name cannot answer one address to the
//! check and another one to the dial.

use std::fmt;
use std::net::SocketAddr;

use idp_bridge_core::PrivateNetworks;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address;

/// The system's resolver, with the policy's check behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckedResolver {
    pub(crate) networks: PrivateNetworks,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.networks;
        Box::pin(async move {
            // The port is set by the caller.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?;
            let only_loopback = is_localhost(name.as_str());
            let found = found.filter(|address| !only_loopback || address.ip().is_loopback());
            let allowed = allowed(found, networks)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether a host name means this very host: the one name that plain `http` is spoken to.
pub(crate) fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// Keeps what may be dialled; an error if that is nothing.
fn allowed(
    found: impl Iterator<Item = SocketAddr>,
    networks: PrivateNetworks,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    let mut allowed = Vec::new();
    let mut refused = None;
    for candidate in found {
        match address::check(candidate.ip(), networks) {
            Ok(()) => allowed.push(candidate),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(reason) => Err(reason.into()),
        None => Err(Unresolved(std::io::Error::other("no address")).into()),
    }
}

/// The name has no address, or nobody could say so.
#[derive(Debug)]
pub(crate) struct Unresolved(std::io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host name cannot be resolved")
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
