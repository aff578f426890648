//! Connections to identity providers, direct or through a proxy, with TLS for `https`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use idp_bridge_core::{Error, OutboundPolicy, PrivateNetworks, Result};
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

use crate::address::Reach;
use crate::resolver::CheckedResolver;
use crate::tls::Protocols;
use crate::{base_url, tls};

/// Limit for name resolution, TCP, proxy and TLS together. Leaves time for a second attempt within a typical deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The time without traffic after which TCP checks that the other side is still there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);
/// The number of unanswered TCP checks before a connection is closed.
const TCP_KEEPALIVE_RETRIES: u32 = 3;
/// The time that sent data may stay unacknowledged before TCP closes the connection.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);
/// A proxy may have any address: the operator configured it, and requests to `https` hosts stay encrypted.
const PROXY_REACH: Reach = Reach { networks: PrivateNetworks::Allow, allow_http: true };

/// A connection to a server. The inner stream has TLS if a proxy has it.
pub(crate) type Stream = MaybeHttpsStream<RouteStream>;
type RouteStream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Tcp = HttpConnector<CheckedResolver>;
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<RouteStream, BoxError>> + Send>>;

/// Opens connections to the hosts that a tenant's policy allows.
pub(crate) struct Connector {
    https: HttpsConnector<Route>,
    proxy: Option<Arc<Proxy>>,
}

impl Connector {
    /// Creates a connector. Fails with `Misconfigured` and a hint if a certificate, its key or the proxy is invalid.
    pub(crate) fn new(policy: &OutboundPolicy, mut resolver: CheckedResolver, protocols: Protocols) -> Result<Self> {
        if policy.proxy.is_some() {
            // All connections go to the proxy.
            resolver.networks = PROXY_REACH.networks;
        }
        let tcp = tcp_connector(resolver);
        let proxy = policy.proxy.as_ref().map(|text| Proxy::new(text, tcp.clone(), policy)).transpose()?.map(Arc::new);
        let route = proxy.clone().map_or_else(|| Route::Direct(tcp), Route::Proxy);
        Ok(Self { https: HttpsConnector::from((route, tls::client_config(policy, protocols)?)), proxy })
    }

    /// Connects to the server of an absolute URI.
    pub(crate) async fn connect(&self, uri: Uri) -> Result<Stream, BoxError> {
        let connected = timeout(CONNECT_TIMEOUT, self.https.clone().call(uri)).await;
        connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    /// Returns the proxy that gets the requests to `http` URLs in absolute form.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_deref()
    }
}

fn tcp_connector(resolver: CheckedResolver) -> Tcp {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp.set_keepalive_interval(Some(TCP_KEEPALIVE));
    tcp.set_keepalive_retries(Some(TCP_KEEPALIVE_RETRIES));
    tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
    tcp
}

/// A proxy of a tenant.
pub(crate) struct Proxy {
    uri: Uri,
    /// The value of `proxy-authorization`, from the user name and the password in the proxy's URL.
    pub(crate) authorization: Option<HeaderValue>,
    connector: HttpsConnector<Tcp>,
}

impl Proxy {
    fn new(text: &str, tcp: Tcp, policy: &OutboundPolicy) -> Result<Self> {
        let bad = || {
            Error::misconfigured("the proxy's URL cannot be used")
                .with("setting", "proxy")
                .with_hint("write it like `http://proxy.acme.example:3128`")
        };
        let mut url = Url::parse(text).map_err(|error| bad().with_source(error))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(bad());
        }
        base_url::check(&url, PROXY_REACH).map_err(|error| error.with("setting", "proxy"))?;
        let authorization = basic_credentials(&url).map(|pair| HeaderValue::try_from(format!("Basic {pair}")));
        let mut authorization = authorization.transpose().map_err(|_| bad())?;
        authorization.iter_mut().for_each(|value| value.set_sensitive(true));
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(bad());
        }
        let uri = Uri::try_from(url.as_str()).map_err(|_| bad())?;
        let connector = HttpsConnector::from((tcp, tls::client_config(policy, Protocols::Http1)?));
        Ok(Self { uri, authorization, connector })
    }

    /// Opens a connection to the proxy, for requests to `http` URLs.
    fn connect(&self) -> Connecting {
        self.connector.clone().call(self.uri.clone())
    }

    /// Opens a tunnel through the proxy to the server of a URI.
    fn tunnel(&self, uri: Uri) -> Connecting {
        let mut tunnel = Tunnel::new(self.uri.clone(), self.connector.clone());
        if let Some(authorization) = &self.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Box::pin(async move { Ok(tunnel.call(uri).await?) })
    }
}

/// Returns the user name and the password of a URL for HTTP Basic.
fn basic_credentials(url: &Url) -> Option<String> {
    let password = url.password().unwrap_or_default();
    let pair = [url.username(), ":", password].map(|part| percent_decode_str(part).collect::<Vec<u8>>()).concat();
    (pair != b":").then(|| STANDARD.encode(pair))
}

/// The connections below the TLS of a server.
#[derive(Clone)]
enum Route {
    Direct(Tcp),
    Proxy(Arc<Proxy>),
}

impl Service<Uri> for Route {
    type Response = RouteStream;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        match self {
            Self::Direct(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
            }
            Self::Proxy(proxy) if uri.scheme() == Some(&Scheme::HTTPS) => proxy.tunnel(uri),
            Self::Proxy(proxy) => proxy.connect(),
        }
    }
}
