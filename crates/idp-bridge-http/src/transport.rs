//! The causes of requests without a response.

use std::error::Error as StdError;
use std::{fmt, io};

use idp_bridge_core::ErrorKind;
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::resolver::Unresolved;
use crate::tls;

/// The cause of a request without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportCause {
    /// The request cannot be built.
    NotBuilt,
    /// The system has no store of certificate authorities.
    NoStore,
    /// The certificate is not a server certificate of a known certificate authority.
    UntrustedCertificate,
    /// The certificate is not valid at this time.
    ExpiredCertificate,
    /// The certificate is for another host name.
    OtherHostCertificate,
    /// The server refuses the client certificate, or requires one.
    ClientCertificateRefused,
    /// The port expects plain HTTP, not TLS.
    NoTls,
    /// The TLS handshake failed for another reason.
    TlsFailed,
    /// The host name has no address.
    NameNotFound,
    /// No program listens on the port.
    Refused,
    /// The connection timed out.
    ConnectTimeout,
    /// The connection failed for another reason.
    NotConnected,
    /// The response timed out.
    AnswerTimeout,
    /// The connection was reset.
    Reset,
    /// A plain HTTP connection was closed before the response. A TLS port does this.
    ClosedPlain,
    /// The connection was closed before the end of the response.
    Closed,
    /// The response to plain HTTP is not HTTP. A TLS port does this.
    NotHttpPlain,
    /// The response is not HTTP.
    NotHttp,
}

/// The receiver of a request, for messages and hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A tenant's identity provider.
    IdentityProvider,
    /// A bridge.
    Bridge,
}

impl TransportCause {
    /// Returns the cause of a failure of an HTTP client.
    ///
    /// `is_connecting` says that there was no connection. `is_https` is the scheme of the URL: with a plain one, some failures
    /// mean that the port expects TLS.
    pub fn from_parts(error: &(dyn StdError + 'static), is_connecting: bool, is_https: bool) -> Self {
        if let Some(fault) = find::<rustls::Error>(error) {
            return Self::from_tls(fault);
        }
        if is_unresolved(error) {
            return Self::NameNotFound;
        }
        // The HTTP client wraps errors of a handshake in an `io::Error` of the kind `Other`.
        let mut kinds = causes(error).filter_map(|cause| cause.downcast_ref()).map(io::Error::kind);
        let io = kinds.find(|kind| *kind != io::ErrorKind::Other);
        match io {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) if is_connecting => Self::ConnectTimeout,
            Some(io::ErrorKind::UnexpectedEof) if is_connecting && is_https => Self::TlsFailed,
            Some(io::ErrorKind::ConnectionReset) if is_connecting && is_https => Self::TlsFailed,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Self::Reset,
            _ if is_connecting => Self::NotConnected,
            _ if !is_parse(error) && is_https => Self::Closed,
            _ if !is_parse(error) => Self::ClosedPlain,
            _ if is_https => Self::NotHttp,
            _ => Self::NotHttpPlain,
        }
    }

    /// Returns the cause of a failed connection that no HTTP client made.
    pub(crate) fn from_connection(error: &(dyn StdError + 'static)) -> Self {
        if let Some(fault) = find::<rustls::Error>(error) {
            return Self::from_tls(fault);
        }
        let kinds = causes(error).filter_map(|cause| cause.downcast_ref()).map(io::Error::kind);
        match kinds.into_iter().find(|kind| *kind != io::ErrorKind::Other) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) => Self::ConnectTimeout,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Self::Reset,
            Some(io::ErrorKind::UnexpectedEof) => Self::Closed,
            _ => Self::NotConnected,
        }
    }

    /// Returns whether this is an error of the HTTP client. Its messages are not meant for operators.
    pub fn is_http_error(error: &(dyn StdError + 'static)) -> bool {
        error.is::<HttpError>()
    }

    fn from_tls(fault: &rustls::Error) -> Self {
        match fault {
            rustls::Error::Other(other) if other.0.is::<tls::NoStore>() => Self::NoStore,
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::ExpiredCertificate,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::OtherHostCertificate
                }
                _ => Self::UntrustedCertificate,
            },
            rustls::Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::UnknownCA
                | AlertDescription::DecryptError,
            ) => Self::ClientCertificateRefused,
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NoTls,
            _ => Self::TlsFailed,
        }
    }

    /// Returns the error kind.
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::NotBuilt => ErrorKind::Unexpected,
            Self::NoStore
            | Self::UntrustedCertificate
            | Self::ExpiredCertificate
            | Self::OtherHostCertificate
            | Self::ClientCertificateRefused => ErrorKind::Misconfigured,
            Self::NotHttp | Self::NotHttpPlain => ErrorKind::InvalidResponse,
            Self::NoTls
            | Self::TlsFailed
            | Self::NameNotFound
            | Self::Refused
            | Self::ConnectTimeout
            | Self::NotConnected
            | Self::AnswerTimeout
            | Self::Reset
            | Self::ClosedPlain
            | Self::Closed => ErrorKind::Unavailable,
        }
    }

    /// Returns a message for the operator.
    pub fn describe(self, peer: Peer) -> String {
        let peer = match peer {
            Peer::IdentityProvider => "the identity provider",
            Peer::Bridge => "the bridge",
        };
        match self {
            Self::NotBuilt => "a request cannot be built".into(),
            Self::NoStore => "this system has no store of certificate authorities".into(),
            Self::UntrustedCertificate => format!("{peer}'s certificate is not trusted"),
            Self::ExpiredCertificate => format!("{peer}'s certificate is not trusted: it is not valid at this time"),
            Self::OtherHostCertificate => format!("{peer}'s certificate is not trusted: it is for another host name"),
            Self::ClientCertificateRefused => format!("{peer} refuses the client certificate, or requires one"),
            Self::NoTls => format!("{peer}'s port does not speak TLS, and the URL begins with `https`"),
            Self::TlsFailed => format!("no TLS connection to {peer} can be made"),
            Self::NameNotFound => format!("{peer}'s host name cannot be resolved"),
            Self::Refused => format!("{peer} cannot be reached: no program listens on its port"),
            Self::ConnectTimeout => format!("{peer} cannot be reached: the connection timed out"),
            Self::NotConnected => format!("{peer} cannot be reached"),
            Self::AnswerTimeout => format!("{peer} did not answer in time"),
            Self::Reset => format!("the connection to {peer} broke: it was reset"),
            Self::ClosedPlain | Self::Closed => {
                format!("the connection to {peer} broke: it was closed before the answer")
            }
            Self::NotHttp | Self::NotHttpPlain => format!("{peer}'s answer is not HTTP"),
        }
    }

    /// The next step of the operator.
    pub fn hint(self, peer: Peer) -> &'static str {
        let bridge = peer == Peer::Bridge;
        match self {
            Self::NotBuilt => "report this as a fault of the program",
            Self::NoStore if bridge => "install one (Debian: `apt install ca-certificates`), or pass `--ca-file`",
            Self::NoStore => tls::NO_STORE_HINT,
            Self::UntrustedCertificate if bridge => "pass the certificate authority that issued it with `--ca-file`",
            Self::UntrustedCertificate => "for a private certificate authority set `ca_file`",
            Self::ExpiredCertificate => "check the dates of the certificate, and the clock of this host",
            Self::OtherHostCertificate => "write the URL with a host name that the certificate is for",
            Self::ClientCertificateRefused if bridge => "a proxy before the bridge requires it: call the bridge itself",
            Self::ClientCertificateRefused => {
                "set `client_certificate_file` and `client_key_file` to a certificate that the server accepts"
            }
            Self::NoTls => "name the port that speaks TLS, or write `http://` if the network to it is safe",
            Self::TlsFailed => "check that the port speaks TLS 1.2 or 1.3, and that no firewall closes the connection",
            Self::NameNotFound => "check the spelling of the host name, and the DNS of this host",
            Self::Refused => "check the port, and that the program that should listen there runs",
            Self::ConnectTimeout => "check the address, and that no firewall drops the packets to it",
            Self::NotConnected => "check the address, and the network of this host",
            Self::AnswerTimeout => "allow more time, or find out what slows the answer down",
            Self::Reset | Self::Closed => "try again; if it fails again, check the log of the program on that port",
            Self::ClosedPlain | Self::NotHttpPlain => "if the port speaks TLS, write `https://`; else check the port",
            Self::NotHttp => "check the port: another program listens there",
        }
    }
}

/// A failure of the HTTP client. Its causes are not meant for operators.
#[derive(Debug)]
pub(crate) struct HttpError(pub(crate) Box<dyn StdError + Send + Sync>);

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the HTTP exchange failed")
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// Returns whether the name could not be resolved, by our resolver or by that of the HTTP client.
fn is_unresolved(error: &(dyn StdError + 'static)) -> bool {
    // The error type of the HTTP client is private.
    find::<Unresolved>(error).is_some() || causes(error).any(|cause| cause.to_string() == "dns error")
}

fn is_parse(error: &(dyn StdError + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
}

/// Returns the first cause of this type.
pub(crate) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Iterates over an error and its causes.
///
/// `io::Error::source` skips the error that it wraps, so that one is inserted.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |current: &&'a (dyn StdError + 'static)| {
        let current: &'a (dyn StdError + 'static) = *current;
        let inside = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.map(|inside| inside as &(dyn StdError + 'static)).or_else(|| current.source())
    })
}
