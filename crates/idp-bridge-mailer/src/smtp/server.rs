//! The mail server of the settings, and the connection to it.

use idp_bridge_core::{Error, OutboundPolicy, Result, Secret};
use idp_bridge_http::{Dialer, HostTls, Protection};

use crate::config::{SmtpConfig, SmtpTls};

/// A mail server, the login of the bridge, and the protection of the connection.
pub(super) struct Server {
    pub(super) dialer: Dialer,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) login: Option<Login>,
}

/// A name and its password.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Server {
    pub(super) fn new(config: &SmtpConfig, policy: &OutboundPolicy) -> Result<Self> {
        let dialer = Dialer::new(policy);
        let host = config.host.trim_matches(['[', ']']).to_owned();
        let unnamed = || invalid("host", "is not a host name", "write the name alone, such as `smtp.acme.example`");
        let tls = || HostTls::new(&host, policy, unnamed);
        let (port, protection) = match config.tls {
            SmtpTls::Starttls => (587, Protection::StartTls(tls()?)),
            SmtpTls::Implicit => (465, Protection::Tls(tls()?)),
            SmtpTls::None if dialer.allows_plain(&host) => (25, Protection::Plain),
            SmtpTls::None => {
                let hint = "remove `tls`, or set `allow_http = true` if the network to the host is safe";
                return Err(invalid("tls", "is `none` for a host that is not loopback", hint));
            }
        };
        let login = match (&config.user, &config.password) {
            (Some(user), Some(password)) if !user.is_empty() => {
                Some(Login { user: user.clone(), password: password.clone() })
            }
            (None, None) => None,
            _ => return Err(invalid("user", "and `password` belong together", "set both, or neither of them")),
        };
        Ok(Self { dialer, host, port: config.port.unwrap_or(port), protection, login })
    }

    /// Returns the protection and the login for `doctor`.
    pub(super) fn describe(&self) -> String {
        let protection = match &self.protection {
            Protection::Tls(_) => "TLS",
            Protection::StartTls(_) => "STARTTLS",
            Protection::Plain => "clear text",
        };
        format!("{protection}, {} a login", if self.login.is_some() { "with" } else { "without" })
    }
}

fn invalid(key: &str, problem: &str, hint: &'static str) -> Error {
    Error::misconfigured(format!("`mail.smtp.{key}` {problem}")).with("setting", "mail").with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, tls: SmtpTls, user: Option<&str>) -> Result<Server> {
        let mut config = SmtpConfig::new(host, "no-reply@acme.example");
        (config.tls, config.user) = (tls, user.map(str::to_owned));
        config.password = user.map(|_| Secret::new("hunter2"));
        Server::new(&config, &OutboundPolicy::default())
    }

    #[test]
    fn only_loopback_hosts_go_without_tls() {
        for (host, tls, port, description) in [
            ("smtp.acme.example", SmtpTls::Starttls, 587, "STARTTLS, with a login"),
            ("smtp.acme.example", SmtpTls::Implicit, 465, "TLS, with a login"),
            ("127.0.0.1", SmtpTls::None, 25, "clear text, with a login"),
            ("[::1]", SmtpTls::None, 25, "clear text, with a login"),
        ] {
            let server = server(host, tls, Some("bridge")).unwrap();
            assert_eq!((server.port, server.describe().as_str()), (port, description), "{host}");
        }
        assert!(server("10.0.0.7", SmtpTls::None, None).is_err());
    }

    #[test]
    fn mistakes_are_named_without_secrets() {
        for (host, user, part) in [
            ("smtp://acme.example", Some("bridge"), "`mail.smtp.host`"),
            ("smtp.acme.example:587", Some("bridge"), "`mail.smtp.host`"),
            ("", None, "`mail.smtp.host`"),
            ("smtp.acme.example", Some(""), "`mail.smtp.user`"),
        ] {
            let error = server(host, SmtpTls::Starttls, user).err().unwrap();
            assert!(error.to_string().contains(part) && !format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
