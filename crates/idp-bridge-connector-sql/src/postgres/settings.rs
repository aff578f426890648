//! The server, the user and TLS, from the URL of the settings.

use idp_bridge_core::{Error, OutboundPolicy, PrivateNetworks, Result, Secret};
use idp_bridge_http::{Dialer, Url, tls_config};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::SqlConfig;

/// The name in `pg_stat_activity`.
const APPLICATION: &str = "idp-bridge";

/// The server and the connection to it.
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) tls: rustls::ClientConfig,
    pub(crate) dialer: Dialer,
}

/// The place of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Host {
        name: String,
        port: u16,
    },
    /// The path of a Unix socket.
    Socket(std::path::PathBuf),
}

impl Target {
    /// Parses the URL. An error has no part of it.
    pub(crate) fn new(config: &SqlConfig, policy: &OutboundPolicy) -> Result<Self> {
        let (url, verifies) = take_ssl_mode(config.url.expose())?;
        let mut parsed: Config = url.expose().parse().map_err(|_| invalid("cannot be read"))?;
        match (&config.password, parsed.get_password()) {
            (Some(_), Some(_)) => {
                return Err(invalid("has a password, and `password` is set, too").with_hint("keep one of them"));
            }
            (Some(password), None) => drop(parsed.password(password.expose())),
            (None, _) => {}
        }
        if parsed.get_user().is_none_or(str::is_empty) {
            return Err(invalid("has no user").with_hint("write `postgres://user@host/database`"));
        }
        let dialer = Dialer::new(policy);
        let place = place(&parsed, policy)?;
        let is_plain = match (&place, parsed.get_ssl_mode()) {
            (Place::Socket(_), _) => true,
            (Place::Host { name, .. }, mode) if dialer.allows_plain(name.as_str()) => {
                !verifies && mode != SslMode::Require
            }
            (Place::Host { .. }, SslMode::Disable) => {
                return Err(invalid("switches TLS off for a host that is not loopback")
                    .with_hint("remove `sslmode`, or set `allow_http = true` if the network to the host is safe"));
            }
            (Place::Host { .. }, _) => false,
        };
        parsed.ssl_mode(if is_plain { SslMode::Disable } else { SslMode::Require });
        if parsed.get_application_name().is_none() {
            parsed.application_name(APPLICATION);
        }
        let mut tls = tls_config(policy)?;
        // The protocol name that servers require for `sslnegotiation=direct`.
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { config: parsed, place, tls, dialer })
    }
}

fn invalid(problem: &str) -> Error {
    Error::misconfigured(format!("the URL of the database {problem}"))
        .with("setting", "url")
        .with_hint("write `postgres://user@host:5432/database`, with the password in `password_file`")
}

/// Removes `sslmode=require`, `verify-ca` and `verify-full`, which all verify the certificate and the host name here.
fn take_ssl_mode(url: &str) -> Result<(Secret, bool)> {
    let Ok(mut parsed) = Url::parse(url) else { return Ok((Secret::new(url), false)) };
    let is_mode = |(key, value): &(_, std::borrow::Cow<'_, str>)| {
        *key == "sslmode" && matches!(value.as_ref(), "require" | "verify-ca" | "verify-full")
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut verifies = false;
    for pair in parsed.query_pairs() {
        if is_mode(&pair) {
            verifies = true;
        } else {
            pairs.push((pair.0.into_owned(), pair.1.into_owned()));
        }
    }
    if !verifies {
        return Ok((Secret::new(url), false));
    }
    parsed.set_query(None);
    if !pairs.is_empty() {
        parsed.query_pairs_mut().extend_pairs(pairs);
    }
    Ok((Secret::new(parsed.as_str()), true))
}

fn place(config: &Config, policy: &OutboundPolicy) -> Result<Place> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match (config.get_hosts(), config.get_hostaddrs()) {
        ([Host::Tcp(name)], []) => Ok(Place::Host { name: name.trim_matches(['[', ']']).to_owned(), port }),
        ([Host::Unix(_)], []) if policy.private_networks == PrivateNetworks::Deny => {
            Err(invalid("names a socket of this machine, which `outbound.private_networks = \"deny\"` forbids"))
        }
        ([Host::Unix(folder)], []) => Ok(Place::Socket(folder.join(format!(".s.PGSQL.{port}")))),
        _ => Err(invalid("must name exactly one host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target> {
        Target::new(&SqlConfig::new(url), &OutboundPolicy::default())
    }

    fn mode(url: &str) -> SslMode {
        target(url).unwrap_or_else(|error| panic!("{url}: {error:?}")).config.get_ssl_mode()
    }

    #[test]
    fn tls_is_required_beyond_this_machine() {
        for url in [
            "postgres://a@db.acme.example/b",
            "postgresql://a:secret@db.acme.example:6432/b?sslmode=prefer",
            "postgres://a@db.acme.example/b?sslmode=verify-full&application_name=x",
            "postgres://a@10.0.0.7/b?sslmode=require",
            "postgres://a@localhost/b?sslmode=verify-full",
        ] {
            assert_eq!(mode(url), SslMode::Require, "{url}");
        }
        for url in ["postgres://a@localhost/b", "postgres://a@127.0.0.1:5433/b", "postgres:///b?user=a&host=/run/pg"] {
            assert_eq!(mode(url), SslMode::Disable, "{url}");
        }
    }

    #[test]
    fn mistakes_are_named_without_the_url() {
        for (url, part) in [
            ("postgres://a:hunter2@db.acme.example/b?sslmode=disable", "switches TLS off"),
            ("postgres://a:hunter2@one,two/b", "exactly one host"),
            ("postgres:///b?user=a&password=hunter2", "exactly one host"),
            ("postgres://db.acme.example/b?password=hunter2", "has no user"),
            ("postgres://a:hunter2@db.acme.example/b?sslrootcert=x", "cannot be read"),
        ] {
            let error = target(url).err().unwrap_or_else(|| panic!("{url} should be refused"));
            assert!(error.to_string().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let mut config = SqlConfig::new("postgres://a:hunter2@localhost/b");
        config.password = Some(Secret::new("hunter3"));
        assert!(Target::new(&config, &OutboundPolicy::default()).is_err());
    }

    #[test]
    fn sockets_need_private_networks() {
        let url = "postgres:///b?user=a&host=/run/pg&port=5433";
        let place = target(url).map(|target| target.place).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(place, Place::Socket("/run/pg/.s.PGSQL.5433".into()));
        let policy = OutboundPolicy { private_networks: PrivateNetworks::Deny, ..OutboundPolicy::default() };
        assert!(Target::new(&SqlConfig::new(url), &policy).is_err());
    }
}
