//! Mails, which the tenant's own mailer writes and sends.

mod token;

use std::sync::Arc;

use idp_bridge_core::{
    CallKind, CallScope, ConnectorContext, Error, ErrorKind, Finding, MailKind, Result, StoredUser, jiff::Timestamp,
};
use idp_bridge_http::{BaseUrl, Bytes, Client, HeaderValue, Request, Url, header};
use idp_bridge_protocol::signature;
use serde::Serialize;

use crate::config::MailConfig;
use crate::database::{Database, Dialect};
use crate::statement::{OUTBOX, Statement, Values};
use token::{Signer, Ticket};

/// Hands mails to the tenant.
pub(crate) struct Mailer {
    signer: Signer,
    way: Way,
}

enum Way {
    /// Each mail is a signed webhook.
    Webhook { client: Client, url: Url },
    /// Each mail is a row of a table.
    Outbox(Statement),
}

/// The body of a webhook.
#[derive(Serialize)]
struct Webhook<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    tenant: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

/// The webhook of `doctor`, for which no mail is sent.
const CHECK: &str = "mail.check";

/// Returns the name of a mail in tokens and outboxes.
fn name(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Verification => "verification",
        MailKind::PasswordReset => "password_reset",
    }
}

impl Mailer {
    /// Parses the settings.
    pub(crate) fn new(config: &MailConfig, dialect: Dialect, context: &ConnectorContext) -> Result<Self> {
        let way = match (&config.url, &config.outbox) {
            (Some(url), None) => {
                let base = BaseUrl::parse_setting("mail.url", url, &context.outbound)?;
                let client = Client::new(&context.outbound)?;
                client.prepare(&base)?;
                Way::Webhook { client, url: base.as_url().clone() }
            }
            (None, Some(text)) => Way::Outbox(Statement::parse(text, dialect, OUTBOX)?),
            _ => {
                return Err(Error::misconfigured("`mail` needs either `url` or `outbox`")
                    .with("setting", "mail")
                    .with_hint("set `mail.url` to the URL of your mailer, or `mail.outbox` to a statement"));
            }
        };
        Ok(Self { signer: Signer::new(&config.signing_key, context)?, way })
    }

    /// Returns the statement of the outbox, if mails are rows.
    pub(crate) fn outbox(&self) -> Option<&Statement> {
        match &self.way {
            Way::Webhook { .. } => None,
            Way::Outbox(statement) => Some(statement),
        }
    }

    /// Hands a mail over. Success means that the mailer has accepted it, or that the row is committed.
    pub(crate) async fn send(
        &self,
        scope: &CallScope,
        database: &dyn Database,
        kind: MailKind,
        user: &StoredUser,
    ) -> Result<()> {
        let (id, email) = (&user.record.id, user.record.email.as_ref());
        let email = email.ok_or_else(|| Error::state("the user has no email"))?;
        let ticket = self.signer.issue(name(kind), id, email)?;
        match &self.way {
            Way::Webhook { client, url } => {
                let webhook = Webhook {
                    kind: &format!("mail.{}", name(kind)),
                    tenant: self.signer.tenant(),
                    id: Some(id.as_str()),
                    email: Some(email.as_str()),
                    token: Some(&ticket.token),
                    expires: Some(ticket.expires),
                };
                let request = self.request(url, &ticket, &webhook)?;
                post(client, scope, request).await
            }
            Way::Outbox(statement) => {
                let values = Values {
                    id: Some(id),
                    email: Some(email),
                    kind: Some(name(kind)),
                    token: Some(&ticket.token),
                    ..Values::default()
                };
                match database.write(scope, statement, values).await? {
                    true => Ok(()),
                    false => Err(statement.misfit("adds no row", "let it insert one row for each mail")),
                }
            }
        }
    }

    fn request(&self, url: &Url, ticket: &Ticket, webhook: &Webhook<'_>) -> Result<Request> {
        let unwritable = || Error::ours(ErrorKind::Unexpected, "a webhook cannot be written");
        let body = serde_json::to_vec(webhook).map_err(|_| unwritable())?;
        let mut request =
            Request::post(url.clone()).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            (signature::ID, ticket.id.clone()),
            (signature::TIMESTAMP, ticket.issued.as_second().to_string()),
            (signature::SIGNATURE, self.signer.sign(&ticket.id, ticket.issued.as_second(), &body)),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|_| unwritable())?;
            request = request.header(name, value);
        }
        Ok(request.bytes(Bytes::from(body)))
    }

    /// Checks that the mailer accepts webhooks with this signature. The outbox is checked as the other statements are.
    pub(crate) async fn diagnose(&self, scope: &CallScope, calls: &[CallKind]) -> Option<Finding> {
        let Way::Webhook { client, url } = &self.way else { return None };
        let check = "the mailer accepts signed webhooks";
        let webhook =
            Webhook { kind: CHECK, tenant: self.signer.tenant(), id: None, email: None, token: None, expires: None };
        let ping = async {
            let request = self.request(url, &self.signer.ticket()?, &webhook)?;
            post(client, scope, request.read_only()).await
        };
        let fix = "let the mailer answer `mail.check` with 204, and check that it has the key of `mail.signing_key`";
        Some(match ping.await {
            Ok(()) => Finding::ok(check, calls),
            Err(error) => Finding::failed(check, calls, fix).with_detail(error.to_string()),
        })
    }
}

/// Sends a webhook. Any status of success accepts it.
async fn post(client: &Client, scope: &CallScope, request: Request) -> Result<()> {
    let accepted = match client.send(scope, request).await {
        Ok(response) => response.or_status().map(drop),
        Err(error) => Err(error),
    };
    accepted.map_err(|error| {
        let status = error.context("status").unwrap_or("none").to_owned();
        Error::caused_by(Arc::new(error), "the mailer did not accept a webhook").with("status", status)
    })
}
