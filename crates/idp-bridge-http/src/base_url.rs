//! The URLs of an identity provider, built by percent-encoding every value.

use std::fmt;
use std::sync::Arc;

use idp_bridge_core::{Error, ErrorKind, OutboundPolicy, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::address::{self, Reach, Refused};
use crate::request_url::RequestUrl;
use crate::resolver::is_localhost;

/// All characters except the unreserved ones of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A configured base URL, without user info, query and fragment.
///
/// The scheme is `https`, or `http` for loopback hosts and with `allow_http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Arc<Url>);

impl BaseUrl {
    /// Parses a base URL. Fails with `Misconfigured` and a hint if it or its host is not allowed.
    pub fn parse(text: &str, policy: &OutboundPolicy) -> Result<Self> {
        let url = Url::parse(text)
            .map_err(|error| Error::misconfigured("a URL cannot be read").with_hint(HOST_HINT).with_source(error))?;
        // The parser drops or replaces these characters, so the URL would differ from the one in the settings.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Error::misconfigured("a URL has a space, a control character or a backslash"));
        }
        let Some(rest) = text.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.starts_with('/')) else {
            return Err(Error::misconfigured("a URL has no host").with_hint(HOST_HINT));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                Error::misconfigured("a URL contains a user name or a password").with_hint("use the settings for them")
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                Error::misconfigured("a URL has a query or a fragment").with_hint("end it before the `?` or `#`")
            );
        }
        check(&url, policy.into())?;
        if has_folded_segment(rest) {
            return Err(Error::misconfigured("a URL has an empty, `.` or `..` segment in its path"));
        }
        let mut base = url;
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        Ok(Self(Arc::new(base)))
    }

    /// Parses the base URL of a setting. Errors contain the setting's name.
    pub fn parse_setting(setting: &'static str, text: &str, policy: &OutboundPolicy) -> Result<Self> {
        Self::parse(text, policy).map_err(|error| error.with("setting", setting))
    }

    /// Returns the base URL of the resources below these path segments. Fails like [`join`](Self::join).
    pub fn below(&self, segments: &[&str]) -> Result<Self> {
        self.join(segments).map(|url| Self(Arc::new(url.into())))
    }

    /// Appends percent-encoded path segments. Fails with `InvalidInput` for an empty, `.` or `..` segment.
    pub fn join(&self, segments: &[&str]) -> Result<RequestUrl> {
        let base = self.0.path().trim_end_matches('/');
        let length: usize = segments.iter().map(|segment| 1 + segment.len()).sum();
        let mut path = String::with_capacity(base.len() + length.max(1));
        path.push_str(base);
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(Error::ours(ErrorKind::InvalidInput, "a value is empty, `.` or `..`, which URLs fold"));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        if path.is_empty() {
            path.push('/');
        }
        Ok(RequestUrl::new(Arc::clone(&self.0), path))
    }

    /// Returns the URL, without a trailing slash unless the path is empty.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

const HOST_HINT: &str = "write it like `https://login.acme.example`";

/// Returns whether the path has a `.` or `..` segment (also as `%2e`), or an empty one other than the last.
fn has_folded_segment(after_scheme: &str) -> bool {
    let mut segments = after_scheme.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        if decoded == b"." || decoded == b".." || (decoded.is_empty() && !is_last) {
            return true;
        }
    }
    false
}

/// Checks that the policy allows requests to a URL. The addresses of a host name are checked when it is resolved.
pub(crate) fn check(url: &Url, reach: Reach) -> Result<()> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(name)) if is_localhost(name) => Some(std::net::Ipv4Addr::LOCALHOST.into()),
        Some(Host::Domain(name)) if url.scheme() == "https" && ServerName::try_from(name).is_err() => {
            return Err(Error::misconfigured("a certificate cannot name the URL's host").with_hint(HOST_HINT));
        }
        Some(Host::Domain(_)) => None,
        None => return Err(Error::misconfigured("a URL has no host").with_hint(HOST_HINT)),
    };
    if let Some(address) = address {
        address::check(address, reach.networks).map_err(Refused::into_error)?;
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if reach.allow_http || address.is_some_and(|address| address.is_loopback()) => Ok(()),
        "http" => Err(Error::misconfigured("plain `http` is allowed to loopback only")
            .with_hint("use `https`, or set `allow_http` if the network to the host is safe")),
        _ => Err(Error::misconfigured("a URL is neither `https` nor `http`")),
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::PrivateNetworks;
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> BaseUrl {
        BaseUrl::parse(text, &OutboundPolicy::default()).unwrap()
    }

    #[test]
    fn http_is_limited_to_loopback() {
        let own = OutboundPolicy::default();
        for good in [
            "https://idp.example",
            "https://idp.example/",
            "https://idp.example:8443/auth/",
            "HTTPS://IDP.example/a%20b/c",
            "https://10.0.0.1",
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:80/auth",
            "https://idp.example/..a/.b",
        ] {
            assert!(BaseUrl::parse(good, &own).is_ok(), "{good}");
        }
        let http = OutboundPolicy { allow_http: true, ..own.clone() };
        for plain in ["http://idp.example", "http://10.0.0.1", "http://localhost.example", "http://[::ffff:127.0.0.1]"]
        {
            assert!(BaseUrl::parse(plain, &own).is_err(), "{plain}");
            assert!(BaseUrl::parse(plain, &http).is_ok(), "{plain}");
        }
    }

    #[test]
    fn invalid_base_urls_are_rejected_and_hidden() {
        let policy = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
        for bad in [
            "",
            "idp.example",
            "/auth",
            "ftp://idp.example",
            "file:///etc/passwd",
            "data:text/plain,x",
            "https://",
            "https:///x",
            "https://u@idp.example",
            "https://u:hunter2@idp.example",
            "https://:p@idp.example",
            "https://idp.example?",
            "https://idp.example?x=y",
            "https://idp.example#",
            "https://idp.example/#f",
            " https://idp.example",
            "https://idp.example\n",
            "https://idp.example/a\tb",
            "https:\\\\idp.example",
            "https://idp.example\\@other.example",
            "https://idp.example/a/../b",
            "https://idp.example/%2e%2E/b",
            "https://idp.example/.",
            "https://idp.example/./",
            "https://idp.example/.%2e",
            "https://idp.example//a",
            "https://idp.example/a//",
            "https:idp.example",
            "https:/idp.example",
            "https://idp example",
            "https://[::1",
            "https://idp.example:99999",
            "https://idp..example",
            "https://!$&",
        ] {
            let error = BaseUrl::parse(bad, &policy).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{bad}");
            assert!(!format!("{error:?}").contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn literal_addresses_are_checked_in_every_spelling() {
        let any = OutboundPolicy { allow_http: true, ..OutboundPolicy::default() };
        for metadata in [
            "169.254.169.254",
            "0xa9.0xfe.0xa9.0xfe",
            "2852039166",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.254.169.254.",
            "%31%36%39.254.169.254",
            "１６９.254.169.254",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::]",
            "0",
            "[::]",
        ] {
            let error = BaseUrl::parse(&format!("http://{metadata}/latest"), &any).expect_err(metadata);
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{metadata}");
        }
        let deny = OutboundPolicy { private_networks: PrivateNetworks::Deny, ..any };
        for neighbour in
            ["localhost", "LOCALHOST.", "127.1", "0x7f000001", "10.0.0.1", "[::1]", "[fd12::1]", "[::ffff:10.0.0.1]"]
        {
            assert!(BaseUrl::parse(&format!("http://{neighbour}"), &deny).is_err(), "{neighbour}");
        }
    }

    #[test]
    fn segments_are_appended_below_the_base_path() {
        let table = [
            ("https://idp.example", "https://idp.example/admin/realms/a%20b"),
            ("https://idp.example/", "https://idp.example/admin/realms/a%20b"),
            ("https://idp.example:8443/auth/", "https://idp.example:8443/auth/admin/realms/a%20b"),
        ];
        for (text, expected) in table {
            assert_eq!(base(text).join(&["admin", "realms", "a b"]).unwrap().to_string(), expected);
        }
        assert_eq!(base("https://idp.example/auth/").join(&[]).unwrap().to_string(), "https://idp.example/auth");
        assert_eq!(base("https://idp.example").join(&[]).unwrap().to_string(), "https://idp.example/");
        assert_eq!(base("https://idp.example/").to_string(), "https://idp.example");
    }

    #[test]
    fn values_are_encoded_as_one_segment() {
        let base = base("https://idp.example/auth");
        for folded in ["", ".", ".."] {
            let error = base.join(&["users", folded]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{folded:?}");
            assert!(base.join(&[folded, "users"]).is_err(), "{folded:?}");
        }
        for (value, encoded) in [
            ("%2e%2e", "%252e%252e"),
            ("%2E.", "%252E."),
            ("../x", "..%2Fx"),
            ("..\\x", "..%5Cx"),
            ("a/b", "a%2Fb"),
            ("\\", "%5C"),
            ("/", "%2F"),
            ("?", "%3F"),
            ("#", "%23"),
            (";", "%3B"),
            (":", "%3A"),
            ("@", "%40"),
            ("+", "%2B"),
            ("%", "%25"),
            ("\n", "%0A"),
            ("\0", "%00"),
            ("..\t", "..%09"),
            (" ..", "%20.."),
            ("…", "%E2%80%A6"),
            ("-._~aZ9", "-._~aZ9"),
            ("...", "..."),
        ] {
            assert_eq!(
                base.join(&["users", value]).unwrap().to_string(),
                format!("https://idp.example/auth/users/{encoded}")
            );
        }
    }

    proptest! {
        #[test]
        fn any_segment_survives_encoding(value in r"(?s)[./\\%?#;:@ 2eE]{1,6}|.{1,24}") {
            let joined = base("https://idp.example/auth").join(&["users", &value, "mail"]);
            if matches!(value.as_str(), "." | "..") {
                prop_assert!(joined.is_err());
            } else {
                // A parser must read the URL as it was built, since the parts are not parsed when they are joined.
                let url = joined.unwrap();
                let again = Url::parse(&url.to_string()).unwrap();
                prop_assert_eq!(again.as_str(), url.to_string());
                prop_assert_eq!(&again, &Url::from(url));
                prop_assert_eq!((again.host_str(), again.query(), again.fragment()), (Some("idp.example"), None, None));
                let segments: Vec<_> = again.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4);
                let read: Vec<u8> = percent_decode_str(segments[2]).collect();
                prop_assert_eq!(read, value.as_bytes());
                prop_assert_eq!((segments[0], segments[1], segments[3]), ("auth", "users", "mail"));
            }
        }
    }
}
