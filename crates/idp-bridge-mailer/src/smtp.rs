//! Mails by SMTP, over the connections and with the TLS rules of all upstream calls.
//!
//! The crate lettre writes the messages. Its SMTP client (0.11.23, read in November 2026) is not used: it keeps bytes that arrive before
//! the TLS handshake as answers of the server, reads lines of any length, and has TLS settings of its own.

mod message;
mod reply;
mod server;
mod session;

use idp_bridge_core::{
    AttemptResult, CallKind, CallScope, ConnectorContext, Error, ErrorKind, Finding, MailKind, Result, Support,
    UpstreamCounters, UserRecord, async_trait,
};
use idp_bridge_http::until_deadline;

use crate::config::SmtpConfig;
use crate::link::Pages;
use crate::mailer::Delivery;
use crate::templates::{Templates, Values};
use crate::token::Signer;
use message::{Mail, Sender};
use server::Server;
use session::Session;

/// Sends mails to a mail server.
pub(crate) struct Smtp {
    server: Server,
    sender: Sender,
    pages: Pages,
    verification: Templates,
    password_reset: Templates,
    counters: UpstreamCounters,
}

impl Smtp {
    pub(crate) fn new(config: &SmtpConfig, context: &ConnectorContext) -> Result<Self> {
        Ok(Self {
            server: Server::new(config, &context.outbound)?,
            sender: Sender::parse(config)?,
            pages: Pages::new(config, context)?,
            verification: Templates::new(MailKind::Verification, &config.verification)?,
            password_reset: Templates::new(MailKind::PasswordReset, &config.password_reset)?,
            counters: context.outbound.counters.clone(),
        })
    }

    /// Delivers a mail, and returns the session.
    async fn deliver(&self, scope: &CallScope, mail: &Mail) -> Result<Session> {
        // A server accepts no mail before the line that ends it (RFC 5321, section 4.1.1.4).
        let mut may_be_accepted = false;
        let delivered = self.attempt(scope, async {
            let mut session = Session::open(&self.server).await?;
            session.transmit(mail).await?;
            may_be_accepted = true;
            session.finish().await.map_err(|fault| {
                may_be_accepted = !fault.is_answered;
                fault.error
            })?;
            Ok(session)
        });
        let delivered = delivered.await;
        if delivered.is_err() && !may_be_accepted {
            scope.recorder().write_refused();
        }
        delivered
    }

    fn write(&self, signer: &Signer, kind: MailKind, user: &UserRecord) -> Result<Mail> {
        let (ticket, email) = signer.issue(kind, user)?;
        let link = self.pages.link(kind, &ticket.token);
        let link = link.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "the mail has no page for its link"))?;
        let expires = ticket.expires.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let values = Values { email: email.as_str(), expires: &expires, link: &link, tenant: signer.tenant() };
        let templates = match kind {
            MailKind::Verification => &self.verification,
            MailKind::PasswordReset => &self.password_reset,
        };
        self.sender.write(&ticket, email, templates.render(&values)?)
    }

    /// Counts an attempt, and runs it until the deadline.
    async fn attempt<T>(&self, scope: &CallScope, attempt: impl Future<Output = Result<T>> + Send) -> Result<T> {
        until_deadline(scope, timeout, async {
            scope.recorder().count_request();
            scope.recorder().count_attempt();
            self.counters.count_request();
            let counted = self.counters.begin_attempt();
            let result = attempt.await;
            counted.finish(match &result {
                Ok(_) => AttemptResult::Success,
                Err(error) if error.is_unanswered() => AttemptResult::NoResponse,
                Err(_) => AttemptResult::Refused,
            });
            result
        })
        .await
    }
}

#[async_trait]
impl Delivery for Smtp {
    fn support(&self, kind: MailKind, can_mark: bool) -> Support {
        self.pages.support(kind, can_mark)
    }

    async fn send(&self, signer: &Signer, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()> {
        let mail = self.write(signer, kind, user)?;
        // Before the connection, since its failures must not reveal that the address has a user.
        scope.recorder().begin_write();
        self.deliver(scope, &mail).await?.quit().await;
        Ok(())
    }

    /// Connects, logs in, and sends no mail.
    async fn diagnose(&self, _: &Signer, scope: &CallScope, calls: &[CallKind]) -> Finding {
        let check = "the mail server accepts the bridge";
        let checked = self.attempt(scope, async {
            let mut session = Session::open(&self.server).await?;
            session.check().await?;
            session.quit().await;
            Ok(())
        });
        match checked.await {
            Ok(()) => Finding::ok(check, calls).with_detail(self.server.describe()),
            Err(error) => {
                let grant = error.hint().unwrap_or("allow the login of the bridge to send mails").to_owned();
                Finding::failed_by(check, calls, &error, grant)
            }
        }
    }
}

fn timeout() -> Error {
    Error::upstream(ErrorKind::Timeout, "the mail server did not answer in time")
        .with_hint("raise `deadline`, or use a mail server that answers sooner, such as a relay beside the bridge")
        .unanswered()
}
