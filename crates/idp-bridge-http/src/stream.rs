//! Byte streams with or without TLS, for protocols with a command that starts TLS.

use idp_bridge_core::{Error, OutboundPolicy, Result};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::dial::transport_error;
use crate::tls::{self, Protocols};

/// A byte stream, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The protection of a connection.
pub enum Protection {
    /// TLS from the first byte.
    Tls(HostTls),
    /// TLS after a command in clear text.
    StartTls(HostTls),
    /// None.
    Plain,
}

/// TLS to one host.
pub struct HostTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl HostTls {
    /// Creates the TLS settings of a policy for this host, or fails with `invalid` if it is neither a host name nor an address.
    pub fn new(host: &str, policy: &OutboundPolicy, invalid: impl FnOnce() -> Error) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid())?;
        Ok(Self { connector: tls::client_config(policy, Protocols::Unnamed)?.into(), name })
    }

    /// Makes the handshake.
    pub async fn start(&self, stream: impl Stream + 'static) -> Result<Box<dyn Stream>> {
        let stream = self.connector.connect(self.name.clone(), stream).await;
        Ok(Box::new(stream.map_err(|error| transport_error(Box::new(error)))?))
    }
}
