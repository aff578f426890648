//! The mailer of a tenant.

use idp_bridge_core::{
    CallKind, CallScope, ConnectorContext, Error, Finding, MailKind, Result, Support, UserRecord, async_trait,
};

use crate::config::MailerConfig;
use crate::smtp::Smtp;
use crate::token::Signer;
use crate::webhook::Webhooks;

/// Sends the mails of a tenant, or hands them over to the tenant's own mailer.
pub struct Mailer {
    signer: Signer,
    delivery: Box<dyn Delivery>,
}

/// A delivery of mails.
#[async_trait]
pub(crate) trait Delivery: Send + Sync {
    /// Returns whether a mail of this kind can be sent, where `can_mark` is whether the bridge can mark addresses as verified.
    fn support(&self, kind: MailKind, can_mark: bool) -> Support;

    /// Sends a mail, or hands it over. Success means that the other side has accepted it.
    async fn send(&self, signer: &Signer, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()>;

    /// Checks that the other side accepts mails. Sends none.
    async fn diagnose(&self, signer: &Signer, scope: &CallScope, calls: &[CallKind]) -> Finding;
}

impl Mailer {
    /// Parses the settings, which are those of `mail` in the connector's.
    pub fn new(config: &MailerConfig, context: &ConnectorContext) -> Result<Self> {
        let delivery: Box<dyn Delivery> = match (&config.url, &config.smtp) {
            (Some(url), None) => Box::new(Webhooks::new(url, context)?),
            (None, Some(smtp)) => Box::new(Smtp::new(smtp, context)?),
            _ => {
                return Err(Error::misconfigured("`mail` needs either `url` or `smtp`")
                    .with("setting", "mail")
                    .with_hint("set `mail.smtp` to your mail server, or `mail.url` to the URL of your own mailer"));
            }
        };
        Ok(Self { signer: Signer::new(&config.signing_key, context)?, delivery })
    }

    /// Returns the issuer of the tokens in links.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns whether a mail of this kind can be sent, where `can_mark` is whether the bridge can mark addresses as verified.
    pub fn support(&self, kind: MailKind, can_mark: bool) -> Support {
        self.delivery.support(kind, can_mark)
    }

    /// Sends a mail. Success means that the mail server or the tenant's mailer has accepted it.
    pub async fn send(&self, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()> {
        self.delivery.send(&self.signer, scope, kind, user).await
    }

    /// Checks that the mail server accepts the login, or that the tenant's mailer accepts signatures. Sends no mail.
    pub async fn diagnose(&self, scope: &CallScope, calls: &[CallKind]) -> Finding {
        self.delivery.diagnose(&self.signer, scope, calls).await
    }
}
