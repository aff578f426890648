//! One connection, with limits on time and size that a client cannot evade.
//!
//! A connection begins with the TLS handshake or, in clear text, with the choice between HTTP/1.1 and HTTP/2.

mod activity;
mod head_timer;
mod http1;
mod http2;
mod serving;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::activity::Activity;
use self::serving::Accepted;
pub(crate) use self::serving::{HttpService, Phases, Serving};
use self::watched::Watched;
use crate::limits::ServerLimits;
use crate::peer::{ClientCertificate, Peer};
use crate::tls::{CertificateNames, CurrentTls, HTTP_2, Tls};

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The settings of a listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listening {
    /// The certificate. `None` for clear text.
    pub(crate) tls: Option<Arc<CurrentTls>>,
    /// Whether clients may use HTTP/2 in clear text.
    pub(crate) h2c: bool,
    /// The networks of the proxies with connections that begin with a header of the PROXY protocol.
    pub(crate) proxies: Vec<IpNet>,
}

/// Serves a connection until either side closes it.
pub(crate) async fn serve<S: HttpService>(
    stream: TcpStream,
    address: SocketAddr,
    listening: &Listening,
    serving: Serving<S>,
) {
    // Responses are written whole, so Nagle's algorithm only delays them. A failure shows at the first read.
    let _ = stream.set_nodelay(true);
    let begin = tokio::time::timeout(serving.limits.head, begin(stream, address, listening, &serving.limits));
    let began = tokio::select! {
        began = begin => began,
        () = serving.phases.draining.cancelled() => return,
    };
    match began {
        Ok(Ok(Begun::Plain(accepted))) => serve_requests(accepted, serving).await,
        Ok(Ok(Begun::Encrypted(accepted))) => Box::pin(serve_requests(*accepted, serving)).await,
        Ok(Err(error)) => tracing::debug!(%error, peer = %address.ip(), "a connection ended before its first request"),
        Err(_) => tracing::debug!(peer = %address.ip(), "a connection began too slowly"),
    }
}

/// Serves HTTP/2 on a stream that is not a connection.
#[cfg(feature = "__fuzzing")]
pub(crate) async fn serve_http2<S: HttpService>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    serving: Serving<S>,
) {
    let activity = Arc::new(Activity::default());
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let peer = Arc::new(Peer { address, certificate: ClientCertificate::NotRequested });
    let io = Watched::new(stream, Arc::clone(&activity), serving.limits.write);
    http2::serve(Accepted { io, activity, peer, is_http2: true }, serving).await;
}

async fn serve_requests<S, IO>(accepted: Accepted<IO>, serving: Serving<S>)
where
    S: HttpService,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if accepted.is_http2 { http2::serve(accepted, serving).await } else { http1::serve(accepted, serving).await }
}

/// A connection that can receive requests.
enum Begun {
    Plain(Accepted<TcpStream>),
    Encrypted(Box<Accepted<TlsStream<TcpStream>>>),
}

/// Completes the TLS handshake, or reads the first bytes to determine the version of HTTP.
async fn begin(
    mut stream: TcpStream,
    address: SocketAddr,
    listening: &Listening,
    limits: &ServerLimits,
) -> std::io::Result<Begun> {
    let activity = Arc::new(Activity::default());
    if let Some(tls) = &listening.tls {
        let tls = tls.load();
        let stream = TlsAcceptor::from(tls.config()).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let is_http2 = session.alpn_protocol() == Some(HTTP_2);
        let peer = Arc::new(Peer { address, certificate: client_certificate(&tls, session) });
        let io = Watched::new(stream, Arc::clone(&activity), limits.write);
        return Ok(Begun::Encrypted(Box::new(Accepted { io, activity, peer, is_http2 })));
    }
    let (first, is_http2) = if listening.h2c { read_preface(&mut stream).await? } else { (Vec::new(), false) };
    let peer = Arc::new(Peer { address, certificate: ClientCertificate::NotRequested });
    let io = Watched::new(stream, Arc::clone(&activity), limits.write).with_first_bytes(first);
    Ok(Begun::Plain(Accepted { io, activity, peer, is_http2 }))
}

fn client_certificate(tls: &Tls, session: &rustls::ServerConnection) -> ClientCertificate {
    let names = session.peer_certificates().and_then(<[_]>::first).map(CertificateNames::read);
    match names {
        Some(names) => ClientCertificate::Valid(Arc::new(names)),
        None if tls.has_client_ca() => ClientCertificate::Missing,
        None => ClientCertificate::NotRequested,
    }
}

/// Reads bytes while they are those of [`PREFACE`]. Returns them, and whether the preface is complete.
async fn read_preface(stream: &mut TcpStream) -> std::io::Result<(Vec<u8>, bool)> {
    let mut first = Vec::with_capacity(PREFACE.len());
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let mut rest = (&mut *stream).take((PREFACE.len() - first.len()) as u64);
        if rest.read_buf(&mut first).await? == 0 {
            break;
        }
    }
    let is_complete = first == PREFACE;
    Ok((first, is_complete))
}
