//! How an attempt failed: the one place that reads the errors of the HTTP stack.

use std::error::Error as StdError;
use std::io;

use idp_bridge_core::{Error, ErrorKind};

use crate::address::Refused;
use crate::resolver::Unresolved;
use crate::tls;

/// An attempt without a usable answer.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What the caller is told.
    pub(crate) error: Error,
    /// Whether a byte of the request may have reached the identity provider.
    pub(crate) sent: bool,
    /// Whether another attempt may fare better.
    pub(crate) passing: bool,
}

impl Fault {
    /// Sorts an error of the HTTP stack. Its URL is taken off, since a query may hold an address.
    pub(crate) fn from_reqwest(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let sent = !(error.is_connect() || error.is_builder());
        if let Some(refused) = find::<Refused>(&error) {
            return Self { error: refused.into_error(), sent, passing: false };
        }
        if let Some(found) = permanent(&error) {
            return Self { error: found.with_source(error), sent, passing: false };
        }
        let message = if find::<Unresolved>(&error).is_some() {
            "the identity provider's host name cannot be resolved"
        } else if error.is_connect() {
            "the identity provider cannot be connected to"
        } else {
            "the connection to the identity provider broke"
        };
        Self { error: Error::upstream(ErrorKind::Unavailable, message).with_source(error), sent, passing: true }
    }

    /// A request whose body could not be made.
    pub(crate) fn unmade(error: Error) -> Self {
        Self { error, sent: false, passing: false }
    }

    /// An answer that is larger than anything an identity provider has to say.
    pub(crate) fn too_large() -> Self {
        let error = Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is too large");
        Self { error, sent: true, passing: false }
    }
}

/// The errors that no other attempt can mend.
fn permanent(error: &reqwest::Error) -> Option<Error> {
    if error.is_builder() {
        return Some(Error::ours(ErrorKind::Unexpected, "a request cannot be built"));
    }
    if let Some(fault) = find::<rustls::Error>(error) {
        if matches!(fault, rustls::Error::Other(other) if other.0.is::<tls::NoStore>()) {
            return Some(tls::no_store());
        }
        if matches!(fault, rustls::Error::InvalidCertificate(_)) {
            let message = "the identity provider's certificate is not trusted";
            return Some(Error::upstream(ErrorKind::Misconfigured, message).with_hint(CERTIFICATE_HINT));
        }
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return Some(Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not HTTP"));
    }
    None
}

const CERTIFICATE_HINT: &str =
    "check the certificate's host name and dates; for a private certificate authority set `ca_file`";

/// The first cause of this type.
///
/// An `io::Error` names the cause of the error inside it as its own, so that one has to look into it.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        let inside = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn StdError + 'static)).or_else(|| current.source());
    }
    None
}
