//! Webhooks to the tenant's mailer.

use std::sync::Arc;

use idp_bridge_core::{
    CallKind, CallScope, ConnectorContext, Error, ErrorKind, Finding, MailKind, Result, Support, UserRecord,
    async_trait, jiff::Timestamp,
};
use idp_bridge_http::{BaseUrl, Bytes, Client, HeaderValue, Request, Url, header};
use idp_bridge_protocol::signature;
use serde::Serialize;

use crate::mailer::Delivery;
use crate::token::{Signer, Ticket};

/// Hands mails to the tenant's mailer.
pub(crate) struct Webhooks {
    client: Client,
    url: Url,
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

impl Webhooks {
    pub(crate) fn new(url: &str, context: &ConnectorContext) -> Result<Self> {
        let base = BaseUrl::parse_setting("mail.url", url, &context.outbound)?;
        let client = Client::new(&context.outbound)?;
        client.prepare(&base)?;
        Ok(Self { client, url: base.as_url().clone() })
    }

    fn request(&self, signer: &Signer, ticket: &Ticket, webhook: &Webhook<'_>) -> Result<Request> {
        let unwritable = || Error::ours(ErrorKind::Unexpected, "a webhook cannot be written");
        let body = serde_json::to_vec(webhook).map_err(|_| unwritable())?;
        let mut request =
            Request::post(self.url.clone()).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            (signature::ID, ticket.id.clone()),
            (signature::TIMESTAMP, ticket.issued.as_second().to_string()),
            (signature::SIGNATURE, signer.sign(&ticket.id, ticket.issued.as_second(), &body)),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|_| unwritable())?;
            request = request.header(name, value);
        }
        Ok(request.bytes(Bytes::from(body)))
    }

    /// Sends a webhook. Any status of success accepts it.
    async fn post(&self, scope: &CallScope, request: Request) -> Result<()> {
        let accepted = match self.client.send(scope, request).await {
            Ok(response) => response.or_status().map(drop),
            Err(error) => Err(error),
        };
        accepted.map_err(|error| {
            let status = error.context("status").unwrap_or("none").to_owned();
            Error::caused_by(Arc::new(error), "the mailer did not accept a webhook").with("status", status)
        })
    }
}

#[async_trait]
impl Delivery for Webhooks {
    fn support(&self, _: MailKind, _: bool) -> Support {
        Support::conditional(crate::CONDITION)
    }

    async fn send(&self, signer: &Signer, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()> {
        let (ticket, email) = signer.issue(kind, user)?;
        let webhook = Webhook {
            kind: &format!("mail.{}", kind.as_str()),
            tenant: signer.tenant(),
            id: Some(user.id.as_str()),
            email: Some(email.as_str()),
            token: Some(&ticket.token),
            expires: Some(ticket.expires),
        };
        let request = self.request(signer, &ticket, &webhook)?;
        self.post(scope, request).await
    }

    /// Checks that the mailer accepts webhooks with this signature.
    async fn diagnose(&self, signer: &Signer, scope: &CallScope, calls: &[CallKind]) -> Finding {
        let check = "the mailer accepts signed webhooks";
        let webhook =
            Webhook { kind: CHECK, tenant: signer.tenant(), id: None, email: None, token: None, expires: None };
        let ping = async {
            let request = self.request(signer, &signer.ticket()?, &webhook)?;
            self.post(scope, request.read_only()).await
        };
        let fix = "let the mailer answer `mail.check` with 204, and check that it has the key of `mail.signing_key`";
        match ping.await {
            Ok(()) => Finding::ok(check, calls),
            Err(error) => Finding::failed(check, calls, fix).with_detail(error.to_string()),
        }
    }
}
