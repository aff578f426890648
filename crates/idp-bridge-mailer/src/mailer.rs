//! The mailer of a tenant.

use idp_bridge_core::{CallKind, CallScope, ConnectorContext, Error, Finding, MailKind, Result, Support, UserRecord};

use crate::config::MailerConfig;
use crate::smtp::Smtp;
use crate::token::Signer;
use crate::webhook::Webhooks;

/// Sends the mails of a tenant, or hands them over to the tenant's own mailer.
pub struct Mailer {
    signer: Signer,
    way: Way,
}

enum Way {
    Webhooks(Webhooks),
    Smtp(Box<Smtp>),
}

impl Mailer {
    /// Parses the settings, which are those of `mail` in the connector's.
    pub fn new(config: &MailerConfig, context: &ConnectorContext) -> Result<Self> {
        let way = match (&config.url, &config.smtp) {
            (Some(url), None) => Way::Webhooks(Webhooks::new(url, context)?),
            (None, Some(smtp)) => Way::Smtp(Box::new(Smtp::new(smtp, context)?)),
            _ => {
                return Err(Error::misconfigured("`mail` needs either `url` or `smtp`")
                    .with("setting", "mail")
                    .with_hint("set `mail.smtp` to your mail server, or `mail.url` to the URL of your own mailer"));
            }
        };
        Ok(Self { signer: Signer::new(&config.signing_key, context)?, way })
    }

    /// Returns the issuer of the tokens in links.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns whether a mail of this kind can be sent, where `can_mark` is whether the bridge can mark addresses as verified.
    pub fn support(&self, kind: MailKind, can_mark: bool) -> Support {
        match &self.way {
            Way::Smtp(smtp) => smtp.pages.support(kind, can_mark),
            Way::Webhooks(_) => Support::conditional(crate::CONDITION),
        }
    }

    /// Sends a mail. Success means that the mail server or the tenant's mailer has accepted it.
    pub async fn send(&self, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()> {
        match &self.way {
            Way::Webhooks(webhooks) => webhooks.send(&self.signer, scope, kind, user).await,
            Way::Smtp(smtp) => smtp.send(&self.signer, scope, kind, user).await,
        }
    }

    /// Checks that the mail server accepts the login, or that the tenant's mailer accepts signatures. Sends no mail.
    pub async fn diagnose(&self, scope: &CallScope, calls: &[CallKind]) -> Finding {
        match &self.way {
            Way::Webhooks(webhooks) => webhooks.diagnose(&self.signer, scope, calls).await,
            Way::Smtp(smtp) => smtp.diagnose(scope, calls).await,
        }
    }
}
