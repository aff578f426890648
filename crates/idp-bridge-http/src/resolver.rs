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

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(
        name: &str,
        networks: PrivateNetworks,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(CheckedResolver { networks }.resolve(name.parse().unwrap()).await?.collect())
    }

    #[tokio::test]
    async fn a_name_of_a_refused_address_has_no_address() {
        for (name, networks) in [
            ("localhost", PrivateNetworks::Deny),
            ("127.0.0.1", PrivateNetworks::Deny),
            ("169.254.169.254", PrivateNetworks::Allow),
            // What the system's resolver reads as 169.254.169.254 where the URL parser would have had no say.
            ("0xa9fea9fe", PrivateNetworks::Allow),
            ("2852039166", PrivateNetworks::Allow),
        ] {
            let error = resolve(name, networks).await.unwrap_err();
            assert!(error.is::<address::Refused>(), "{name}: {error:?}");
        }
    }

    #[tokio::test]
    async fn localhost_is_loopback_and_nothing_else() {
        let found = resolve("localhost", PrivateNetworks::Allow).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert!(is_localhost("LocalHost.") && !is_localhost("localhost.example") && !is_localhost("notlocalhost"));
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_unresolved() {
        // No name server is asked for a label of more than 63 characters.
        let name = format!("{}.invalid", "x".repeat(64));
        let error = resolve(&name, PrivateNetworks::Allow).await.unwrap_err();
        assert!(error.is::<Unresolved>(), "{error:?}");
    }

    #[test]
    fn a_refused_address_among_allowed_ones_is_left_out() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "[fe80::1]:0"].map(|address| address.parse::<SocketAddr>().unwrap());
        let kept = allowed(found.into_iter(), PrivateNetworks::Deny).unwrap();
        assert_eq!(kept, [found[1]]);
        assert!(allowed([found[0]].into_iter(), PrivateNetworks::Deny).is_err());
        assert!(allowed([].into_iter(), PrivateNetworks::Deny).is_err());
    }
}
