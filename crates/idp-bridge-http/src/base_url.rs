//! URLs of an identity provider, built so that a value can never become syntax.

use std::fmt;

use idp_bridge_core::{Error, ErrorKind, OutboundPolicy, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::address;
use crate::resolver::is_localhost;

/// All but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A configured base URL: `https`, or `http` to loopback or with `allow_http`; no user-info, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a base URL; `Misconfigured`, with a hint, if the policy or the rule above forbids it.
    pub fn parse(text: &str, policy: &OutboundPolicy) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| misconfigured("a URL cannot be read").with_source(error))?;
        // What the parser silently drops or turns round would make the URL another one than the operator sees.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(misconfigured("a URL has a space, a control character or a backslash"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                misconfigured("a URL holds a user name or a password").with("hint", "use the settings for them")
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(misconfigured("a URL has a query or a fragment").with("hint", "end it before the `?` or `#`"));
        }
        check(&url, policy)?;
        let mut base = url;
        let path = base.path().strip_suffix('/').unwrap_or(base.path()).to_owned();
        base.set_path(&path);
        Self::check_path(text, &base)?;
        Ok(Self(base))
    }

    /// The parser folds `.` and `..`, also as `%2e`: an operator who writes them means something else than what is left.
    fn check_path(text: &str, base: &Url) -> Result<()> {
        let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
        let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
        let folded = path.split('/').any(|segment| {
            let decoded: Vec<u8> = percent_decode_str(segment).collect();
            decoded == b"." || decoded == b".."
        });
        if folded || base.path().contains("//") {
            return Err(misconfigured("a URL has an empty, `.` or `..` segment in its path"));
        }
        Ok(())
    }

    /// Appends segments, each percent-encoded whole; `InvalidInput` for an empty, `.` or `..` segment.
    ///
    /// The built URL is checked to lie below this one with exactly these segments.
    pub fn join(&self, segments: &[&str]) -> Result<Url> {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(Error::ours(ErrorKind::InvalidInput, "a value is empty, `.` or `..`, which URLs fold"));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut url = self.0.clone();
        url.set_path(&path);
        let expected = if path.is_empty() { "/" } else { path.as_str() };
        if url.path() != expected {
            return Err(Error::ours(ErrorKind::InvalidInput, "a value cannot be written as one segment of a URL"));
        }
        Ok(url)
    }

    /// The URL itself, without a slash at its end unless it has no path.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Passes a URL that the policy lets be asked, as far as that can be told before a name is resolved.
pub(crate) fn check(url: &Url, policy: &OutboundPolicy) -> Result<()> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(name)) if is_localhost(name) => Some(std::net::Ipv4Addr::LOCALHOST.into()),
        Some(Host::Domain(_)) => None,
        None => {
            return Err(misconfigured("a URL has no host").with("hint", "write it like `https://login.acme.example`"));
        }
    };
    if let Some(address) = address {
        address::check(address, policy.private_networks).map_err(|reason| refused().with_source(reason))?;
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if policy.allow_http || address.is_some_and(|address| address.is_loopback()) => Ok(()),
        "http" => Err(misconfigured("plain `http` is spoken to loopback only")
            .with("hint", "use `https`, or set `allow_http` if the way to the host is safe")),
        _ => Err(misconfigured("a URL is neither `https` nor `http`")),
    }
}

/// What to say of an address that is not dialled.
pub(crate) fn refused() -> Error {
    misconfigured("the host has an address that is not dialled for this tenant")
        .with("hint", "use a public address, or set `outbound.private_networks` if a private one is meant")
}

fn misconfigured(message: &'static str) -> Error {
    Error::ours(ErrorKind::Misconfigured, message)
}
