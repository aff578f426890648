//! TCP connections and TLS for protocols other than HTTP, such as those of databases.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallScope, Error, ErrorKind, OutboundPolicy, Result};
use tokio::net::TcpStream;

use crate::address::{self, Refused};
use crate::resolver::{CheckedResolver, is_localhost};
use crate::tls::{self, Protocols};
use crate::transport::{Peer, TransportCause, find};

/// The limit for one address. Leaves time for a second one within a typical deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens TCP connections to the hosts that a tenant's policy allows.
///
/// Names are resolved and addresses are checked as for HTTP. A proxy is not used.
#[derive(Debug, Clone)]
pub struct Dialer {
    resolver: CheckedResolver,
    allow_plain: bool,
}

impl Dialer {
    /// Creates a dialer with the rules of this policy.
    pub fn new(policy: &OutboundPolicy) -> Self {
        Self { resolver: CheckedResolver::new(policy.private_networks), allow_plain: policy.allow_http }
    }

    /// Returns whether connections without TLS to this host are allowed: to loopback hosts, and to all with `allow_http`.
    pub fn allows_plain(&self, host: &str) -> bool {
        self.allow_plain || is_localhost(host) || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// Opens a connection to the first address of the host that accepts one.
    ///
    /// An address that the policy does not allow is `Misconfigured`; all other failures are `Unavailable`.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream> {
        let mut failure = None;
        for address in self.addresses(host).await? {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|error| transport_error(Box::new(error)))?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Some(transport_error(Box::new(error))),
                Err(_) => failure = Some(to_error(TransportCause::ConnectTimeout)),
            }
        }
        Err(failure.unwrap_or_else(|| to_error(TransportCause::NameNotFound)))
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>> {
        let refuse = |refused: Refused| refused.into_error().unanswered();
        if let Ok(address) = host.parse() {
            address::check(address, self.resolver.networks).map_err(refuse)?;
            return Ok(vec![address]);
        }
        let found = self.resolver.resolve_allowed(host).await;
        found.map(|found| found.iter().map(SocketAddr::ip).collect()).map_err(|error| match find::<Refused>(&*error) {
            Some(refused) => refuse(*refused),
            None => to_error(TransportCause::NameNotFound).with_source(error),
        })
    }
}

/// Returns the TLS configuration of a policy, without application protocols.
///
/// It trusts the authorities of `ca_file` or those of the system, checks the host name, and has the client certificate.
pub fn tls_config(policy: &OutboundPolicy) -> Result<rustls::ClientConfig> {
    tls::client_config(policy, Protocols::Unnamed).map(Arc::unwrap_or_clone)
}

/// Converts the error of a connection or of a TLS handshake. `Unavailable`, or `Misconfigured` for a certificate.
pub fn transport_error(error: Box<dyn StdError + Send + Sync>) -> Error {
    let cause = TransportCause::from_connection(&*error);
    to_error(cause).with_source(error)
}

/// Runs a future until the deadline of a call. `late` creates the error of a server that does not answer in time.
pub async fn until_deadline<T>(
    scope: &CallScope,
    late: fn() -> Error,
    future: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    if scope.remaining().is_zero() {
        return Err(Error::ours(ErrorKind::Timeout, "the deadline passed before the identity provider was used"));
    }
    tokio::time::timeout(scope.remaining(), future).await.unwrap_or_else(|_| Err(late()))
}

fn to_error(cause: TransportCause) -> Error {
    let peer = Peer::IdentityProvider;
    Error::upstream(cause.kind(), cause.describe(peer)).with_hint(cause.hint(peer)).unanswered()
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::PrivateNetworks;

    use super::*;

    #[tokio::test]
    async fn denied_networks_are_misconfigured() {
        let policy = OutboundPolicy { private_networks: PrivateNetworks::Deny, ..OutboundPolicy::default() };
        for host in ["127.0.0.1", "::1", "localhost", "169.254.169.254"] {
            let error = Dialer::new(&policy).connect(host, 5432).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{host}");
        }
    }

    #[tokio::test]
    async fn closed_port_is_unavailable() {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let error = Dialer::new(&OutboundPolicy::default()).connect("127.0.0.1", port).await.unwrap_err();
        assert_eq!((error.kind(), error.is_unanswered()), (ErrorKind::Unavailable, true));
    }

    #[test]
    fn only_loopback_hosts_may_be_plain() {
        let dialer = Dialer::new(&OutboundPolicy::default());
        assert!(["localhost", "127.0.0.1", "::1"].into_iter().all(|host| dialer.allows_plain(host)));
        assert!(!dialer.allows_plain("10.0.0.1") && !dialer.allows_plain("db.acme.example"));
        let open = Dialer::new(&OutboundPolicy { allow_http: true, ..OutboundPolicy::default() });
        assert!(open.allows_plain("db.acme.example"));
    }
}
