//! The server of the settings, and the connection to it.

use idp_bridge_core::{Error, OutboundPolicy, Result, Secret};
use idp_bridge_http::{Dialer, HostTls, Protection, Url};

use crate::LdapConfig;

/// A server, the bridge's own entry on it, and the protection of the connection.
pub(crate) struct Server {
    pub(crate) dialer: Dialer,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protection: Protection,
    pub(crate) bind_dn: String,
    pub(crate) password: Secret,
}

impl Server {
    /// Parses the settings.
    pub(crate) fn new(config: &LdapConfig, policy: &OutboundPolicy) -> Result<Self> {
        let url = Url::parse(&config.url).map_err(|_| invalid("cannot be read"))?;
        let dialer = Dialer::new(policy);
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if host.is_empty() || !is_bare || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must be a host and a port alone"));
        }
        let tls = || HostTls::new(&host, policy, || invalid("has no valid host name"));
        let (port, protection) = match (url.scheme(), config.start_tls) {
            ("ldaps", _) => (636, Protection::Tls(tls()?)),
            ("ldap", true) => (389, Protection::StartTls(tls()?)),
            ("ldap", false) if dialer.allows_plain(&host) => (389, Protection::Plain),
            ("ldap", false) => {
                return Err(Error::misconfigured("`start_tls` is off for a host that is not loopback")
                    .with("setting", "start_tls")
                    .with_hint("remove `start_tls`, or set `allow_http = true` if the network to the host is safe"));
            }
            _ => return Err(invalid("has an unknown scheme")),
        };
        // Many servers accept an empty name or password as an anonymous user (RFC 4513, section 5.1.2).
        if config.bind_dn.trim().is_empty() || config.password.expose().is_empty() {
            return Err(Error::misconfigured("`bind_dn` or `password` is empty")
                .with("setting", "bind_dn")
                .with_hint("create an entry for the bridge, and set its name and password"));
        }
        let port = url.port().unwrap_or(port);
        Ok(Self { dialer, host, port, protection, bind_dn: config.bind_dn.clone(), password: config.password.clone() })
    }

    /// Returns the protection for `doctor`.
    pub(crate) fn describe(&self) -> &'static str {
        match self.protection {
            Protection::Tls(_) => "TLS",
            Protection::StartTls(_) => "StartTLS",
            Protection::Plain => "clear text",
        }
    }
}

fn invalid(problem: &str) -> Error {
    Error::misconfigured(format!("the URL of the directory {problem}"))
        .with("setting", "url")
        .with_hint("write `ldaps://host:636`, or `ldap://host:389` for StartTLS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    fn server(url: &str, start_tls: bool, allow_http: bool) -> Result<Server> {
        let mut config = LdapConfig::new(url, "cn=bridge", Secret::new("hunter2"), "dc=acme", Preset::Openldap);
        config.start_tls = start_tls;
        Server::new(&config, &OutboundPolicy { allow_http, ..OutboundPolicy::default() })
    }

    #[test]
    fn tls_is_required_beyond_this_machine() {
        for (url, start_tls, allow_http, expected) in [
            ("ldaps://ldap.acme.example", true, false, ("ldap.acme.example", 636, "TLS")),
            ("ldaps://ldap.acme.example:3269/", false, false, ("ldap.acme.example", 3269, "TLS")),
            ("ldap://ldap.acme.example", true, true, ("ldap.acme.example", 389, "StartTLS")),
            ("ldap://localhost:1389", true, false, ("localhost", 1389, "StartTLS")),
            ("ldap://127.0.0.1", false, false, ("127.0.0.1", 389, "clear text")),
            ("ldap://[::1]:1389", false, false, ("::1", 1389, "clear text")),
            ("ldap://ldap.acme.example", false, true, ("ldap.acme.example", 389, "clear text")),
        ] {
            let server = server(url, start_tls, allow_http).unwrap_or_else(|error| panic!("{url}: {error:?}"));
            assert_eq!((server.host.as_str(), server.port, server.describe()), expected, "{url}");
        }
        assert!(server("ldap://10.0.0.7", false, false).is_err());
    }

    #[test]
    fn mistakes_are_named_without_secrets() {
        for (url, part) in [
            ("ldap.acme.example", "cannot be read"),
            ("https://ldap.acme.example", "unknown scheme"),
            ("ldapi://%2frun%2fslapd", "unknown scheme"),
            ("ldaps://cn:hunter2@ldap.acme.example", "a host and a port alone"),
            ("ldaps://ldap.acme.example/dc=acme", "a host and a port alone"),
            ("ldaps:///", "a host and a port alone"),
        ] {
            let error = server(url, true, false).err().unwrap_or_else(|| panic!("{url} should be refused"));
            assert!(error.to_string().contains(part), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let mut config = LdapConfig::new("ldaps://h", " ", Secret::new("hunter2"), "dc=acme", Preset::Openldap);
        assert!(Server::new(&config, &OutboundPolicy::default()).is_err());
        (config.bind_dn, config.password) = ("cn=bridge".to_owned(), Secret::new(""));
        assert!(Server::new(&config, &OutboundPolicy::default()).is_err());
    }
}
