//! Name resolution that returns only allowed addresses.
//!
//! The connection uses exactly the checked addresses, so a second lookup cannot return others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io, vec};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts, ServerGroup};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use hyper_util::client::legacy::connect::dns::Name;
use idp_bridge_core::PrivateNetworks;
use tower_service::Service;

use crate::address;

/// Timeout of a name server. Leaves time for a second one within the connect timeout.
const SERVER_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum time for which an address is cached.
const MAX_TTL: Duration = Duration::from_secs(60);
/// Maximum time for which a missing name is cached.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(1);

/// Resolves names with `/etc/hosts` and `/etc/resolv.conf`, and refuses addresses that the policy does not allow.
///
/// Lookups block no thread. `getaddrinfo` would run in the thread pool of all tenants, and one tenant's unresponsive name
/// server would exhaust it.
#[derive(Clone)]
pub(crate) struct CheckedResolver {
    pub(crate) networks: PrivateNetworks,
    /// Created at the first lookup. Has its own cache and connections to name servers.
    dns: Arc<OnceLock<Result<TokioResolver, Arc<NetError>>>>,
}

impl CheckedResolver {
    /// Creates a resolver. The system's configuration is read at the first lookup.
    pub(crate) fn new(networks: PrivateNetworks) -> Self {
        Self { networks, dns: Arc::default() }
    }

    /// Creates a resolver that uses only this name server.
    #[cfg(test)]
    pub(crate) fn with_name_server(networks: PrivateNetworks, server: SocketAddr) -> Self {
        use hickory_resolver::config::NameServerConfig;
        let mut config = NameServerConfig::udp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![config]);
        Self { networks, dns: Arc::new(OnceLock::from(build(config, ResolverOpts::default()))) }
    }

    /// Returns the addresses of a name that the policy allows, with port 0. Fails if there are none.
    pub(crate) async fn resolve_allowed(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.lookup(name).await?.into_iter().map(|address| SocketAddr::new(address, 0));
        allowed(found, self.networks)
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if is_localhost(name) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let dns = self.dns.get_or_init(|| {
            let (config, options) = read_system_conf().unwrap_or_else(|error| {
                tracing::warn!(%error, "`/etc/resolv.conf` cannot be read; using the name server 127.0.0.1");
                let local = ServerGroup { ips: &[IpAddr::V4(Ipv4Addr::LOCALHOST)], server_name: "", path: "" };
                (ResolverConfig::udp_and_tcp(&local), ResolverOpts::default())
            });
            build(config, options)
        });
        let dns = dns.as_ref().map_err(|error| Unresolved(io::Error::other(Arc::clone(error))))?;
        let found = dns.lookup_ip(name).await.map_err(|error| Unresolved(io::Error::other(error)))?;
        Ok(found.iter().collect())
    }
}

fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, Arc<NetError>> {
    options.timeout = options.timeout.min(SERVER_TIMEOUT);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    options.positive_max_ttl = Some(MAX_TTL);
    options.negative_max_ttl = Some(MAX_NEGATIVE_TTL);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.with_options(options).build().map_err(Arc::new)
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedResolver").field("networks", &self.networks).finish_non_exhaustive()
    }
}

impl Service<Name> for CheckedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.resolve_allowed(name.as_str()).await?.into_iter()) })
    }
}

/// Returns whether a host name is `localhost`, the only name that plain `http` is allowed to.
pub(crate) fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// Returns the allowed addresses. Fails if there are none.
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
        None => Err(Unresolved(io::Error::other("no address")).into()),
    }
}

/// The name has no address, or could not be resolved.
#[derive(Debug)]
pub(crate) struct Unresolved(io::Error);

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
        CheckedResolver::new(networks).resolve_allowed(name).await
    }

    #[tokio::test]
    async fn refused_addresses_are_not_returned() {
        for (name, networks) in [
            ("localhost", PrivateNetworks::Deny),
            ("127.0.0.1", PrivateNetworks::Deny),
            ("169.254.169.254", PrivateNetworks::Allow),
        ] {
            let error = resolve(name, networks).await.unwrap_err();
            assert!(error.is::<address::Refused>(), "{name}: {error:?}");
        }
    }

    #[tokio::test]
    async fn numeric_spellings_are_names_not_addresses() {
        // All are 169.254.169.254 for `getaddrinfo`. A resolver that parses no numbers looks them up as names.
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for name in ["0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "169.254.43518"] {
            let resolver = CheckedResolver::with_name_server(PrivateNetworks::Allow, silent.local_addr().unwrap());
            let mut query = [0; 512];
            tokio::select! {
                found = resolver.resolve_allowed(name) => panic!("{name}: {:?}", found.map(|_| "addresses")),
                received = silent.recv(&mut query) => assert!(received.unwrap() > 12, "{name}"),
            }
        }
    }

    #[tokio::test]
    async fn localhost_is_loopback() {
        let found = resolve("localhost", PrivateNetworks::Allow).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert!(is_localhost("LocalHost.") && !is_localhost("localhost.example") && !is_localhost("notlocalhost"));
    }

    #[test]
    fn refused_address_among_allowed_ones_is_dropped() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "[fe80::1]:0"].map(|address| address.parse::<SocketAddr>().unwrap());
        let kept = allowed(found.into_iter(), PrivateNetworks::Deny).unwrap();
        assert_eq!(kept, [found[1]]);
        assert!(allowed([found[0]].into_iter(), PrivateNetworks::Deny).is_err());
        assert!(allowed([].into_iter(), PrivateNetworks::Deny).is_err());
    }
}
