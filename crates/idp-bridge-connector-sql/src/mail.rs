//! Mails: signed webhooks to the tenant's mailer, or rows of an outbox.

use idp_bridge_core::{CallKind, CallScope, ConnectorContext, Error, Finding, MailKind, Result, UserRecord};
use idp_bridge_mailer::{Mailer, MailerConfig, Signer};

use crate::config::MailConfig;
use crate::database::{Database, Dialect};
use crate::statement::{OUTBOX, Statement, Values};

/// Hands mails to the tenant.
pub(crate) enum Mails {
    /// Each mail is a signed webhook.
    Webhook(Mailer),
    /// Each mail is a row of a table.
    Outbox { signer: Signer, statement: Statement },
}

impl Mails {
    /// Parses the settings.
    pub(crate) fn new(config: &MailConfig, dialect: Dialect, context: &ConnectorContext) -> Result<Self> {
        let key = &config.signing_key;
        Ok(match (&config.url, &config.outbox) {
            (Some(url), None) => Self::Webhook(Mailer::new(&MailerConfig::new(url, key.clone()), context)?),
            (None, Some(text)) => {
                Self::Outbox { signer: Signer::new(key, context)?, statement: Statement::parse(text, dialect, OUTBOX)? }
            }
            _ => {
                return Err(Error::misconfigured("`mail` needs either `url` or `outbox`")
                    .with("setting", "mail")
                    .with_hint("set `mail.url` to the URL of your mailer, or `mail.outbox` to a statement"));
            }
        })
    }

    /// Returns the statement of the outbox, if mails are rows.
    pub(crate) fn outbox(&self) -> Option<&Statement> {
        match self {
            Self::Webhook(_) => None,
            Self::Outbox { statement, .. } => Some(statement),
        }
    }

    /// Hands a mail over. Success means that the mailer has accepted it, or that the row is committed.
    pub(crate) async fn send(
        &self,
        scope: &CallScope,
        database: &dyn Database,
        kind: MailKind,
        user: &UserRecord,
    ) -> Result<()> {
        let (signer, statement) = match self {
            Self::Webhook(mailer) => return mailer.send(scope, kind, user).await,
            Self::Outbox { signer, statement } => (signer, statement),
        };
        let (ticket, email) = signer.issue(kind, user)?;
        let values = Values {
            id: Some(&user.id),
            email: Some(email),
            kind: Some(kind.as_str()),
            token: Some(&ticket.token),
            ..Values::default()
        };
        match database.write(scope, statement, values).await? {
            true => Ok(()),
            false => Err(statement.misfit("adds no row", "let it insert one row for each mail")),
        }
    }

    /// Checks the mailer. The outbox is checked as the other statements are.
    pub(crate) async fn diagnose(&self, scope: &CallScope, calls: &[CallKind]) -> Option<Finding> {
        match self {
            Self::Webhook(mailer) => Some(mailer.diagnose(scope, calls).await),
            Self::Outbox { .. } => None,
        }
    }
}
