//! Mails: by the mailer of the settings, or as rows of an outbox.

use idp_bridge_core::{
    CallKind, CallScope, ConnectorContext, Error, Finding, MailKind, MailTokens, Result, Support, UserRecord,
};
use idp_bridge_mailer::{Mailer, MailerConfig, Signer};

use crate::config::MailConfig;
use crate::database::{Database, Dialect};
use crate::statement::{OUTBOX, Statement, Values};

/// The delivery of mails.
pub(crate) enum Mails {
    /// Each mail is sent, or handed over as a signed webhook.
    Mailer(Mailer),
    /// Each mail is a row of a table.
    Outbox { signer: Signer, statement: Statement },
}

impl Mails {
    /// Parses the settings.
    pub(crate) fn new(config: &MailConfig, dialect: Dialect, context: &ConnectorContext) -> Result<Self> {
        let MailConfig { url, smtp, outbox, signing_key } = config.clone();
        let mut mailer = MailerConfig::new(signing_key);
        (mailer.url, mailer.smtp) = (url, smtp);
        Ok(match (mailer.url.is_some(), mailer.smtp.is_some(), outbox) {
            (true, false, None) | (false, true, None) => Self::Mailer(Mailer::new(&mailer, context)?),
            (false, false, Some(text)) => Self::Outbox {
                signer: Signer::new(&mailer.signing_key, context)?,
                statement: Statement::parse(&text, dialect, OUTBOX)?,
            },
            _ => {
                let hint = "set `mail.smtp` to your mail server, `mail.url` to the URL of your own mailer, or `mail.outbox` to a \
                            statement";
                return Err(Error::misconfigured("`mail` needs one of `url`, `smtp` and `outbox`")
                    .with("setting", "mail")
                    .with_hint(hint));
            }
        })
    }

    /// Returns whether mails of this kind can be sent, where `can_mark` is whether the bridge can mark addresses as verified.
    pub(crate) fn support(&self, kind: MailKind, can_mark: bool) -> Support {
        match self {
            Self::Mailer(mailer) => mailer.support(kind, can_mark),
            Self::Outbox { .. } => Support::conditional(idp_bridge_mailer::CONDITION),
        }
    }

    /// Returns the tokens in the links of mails.
    pub(crate) fn tokens(&self) -> &dyn MailTokens {
        match self {
            Self::Mailer(mailer) => mailer.signer(),
            Self::Outbox { signer, .. } => signer,
        }
    }

    /// Returns the statement of the outbox, if mails are rows.
    pub(crate) fn outbox(&self) -> Option<&Statement> {
        match self {
            Self::Mailer(_) => None,
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
            Self::Mailer(mailer) => return mailer.send(scope, kind, user).await,
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
            Self::Mailer(mailer) => Some(mailer.diagnose(scope, calls).await),
            Self::Outbox { .. } => None,
        }
    }
}
