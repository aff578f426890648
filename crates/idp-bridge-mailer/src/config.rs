//! The settings of mails, which are the table `mail` of a connector.

use std::path::PathBuf;

use idp_bridge_core::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The delivery of mails: either `url` or `smtp`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mailer")]
#[non_exhaustive]
pub struct MailerConfig {
    /// The URL of the tenant's mailer, which gets a signed webhook for each mail.
    pub url: Option<String>,

    /// The mail server, to which the bridge itself sends the mails.
    pub smtp: Option<SmtpConfig>,

    /// The key that signs webhooks and the tokens of links: `whsk_…` (Ed25519) or `whsec_…` (HMAC-SHA256).
    pub signing_key: Secret,
}

impl MailerConfig {
    /// Creates settings with this key, without a delivery.
    pub fn new(signing_key: Secret) -> Self {
        Self { url: None, smtp: None, signing_key }
    }

    /// Sets the URL of the tenant's mailer.
    #[must_use]
    pub fn with_url(self, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..self }
    }

    /// Sets the mail server.
    #[must_use]
    pub fn with_smtp(self, smtp: SmtpConfig) -> Self {
        Self { smtp: Some(smtp), ..self }
    }
}

/// A mail server, and the mails that it gets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Smtp")]
#[non_exhaustive]
pub struct SmtpConfig {
    /// The name or address of the mail server.
    pub host: String,

    /// The port. The default is 587 for `starttls`, 465 for `implicit` and 25 for `none`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,

    /// The protection of the connection.
    #[serde(default)]
    pub tls: SmtpTls,

    /// The name of the login. Without it, the bridge does not log in.
    pub user: Option<String>,

    /// The password of the login.
    pub password: Option<Secret>,

    /// The sender, such as `Acme <no-reply@acme.example>`.
    pub from: String,

    /// The address for replies.
    pub reply_to: Option<String>,

    /// The page in links that verify an address. The default is the bridge's own below `server.public_url`.
    pub verification_url: Option<String>,

    /// The tenant's page in links that reset a password. Without it, that call is unsupported.
    pub reset_url: Option<String>,

    /// The mail that verifies an address.
    #[serde(default)]
    pub verification: MailText,

    /// The mail that resets a password.
    #[serde(default)]
    pub password_reset: MailText,
}

impl SmtpConfig {
    /// Creates settings with the defaults for a mail server and a sender.
    pub fn new(host: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            tls: SmtpTls::default(),
            user: None,
            password: None,
            from: from.into(),
            reply_to: None,
            verification_url: None,
            reset_url: None,
            verification: MailText::default(),
            password_reset: MailText::default(),
        }
    }
}

/// The protection of a connection to a mail server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// TLS after the command `STARTTLS`. A server without it is refused.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None. Only for loopback hosts, and for others with `allow_http`.
    None,
}

/// The text of a mail: templates with the values `email`, `expires`, `link` and `tenant`. Without them, it is a short English text.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailText {
    /// The subject.
    pub subject: Option<String>,

    /// The file with the plain text.
    #[schemars(extend("format" = "path"))]
    pub text_file: Option<PathBuf>,

    /// The file with the HTML text, in which values are escaped. Without it, a mail with a `text_file` has no HTML part.
    #[schemars(extend("format" = "path"))]
    pub html_file: Option<PathBuf>,
}
