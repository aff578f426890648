//! Webhooks to the tenant's mailer.

use std::sync::Arc;

use idp_bridge_core::{
    CallKind, CallScope, ConnectorContext, Error, ErrorKind, Finding, MailKind, Result, Secret, UserRecord,
    jiff::Timestamp,
};
use idp_bridge_http::{BaseUrl, Bytes, Client, HeaderValue, Request, Url, header};
use idp_bridge_protocol::signature;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::{Signer, Ticket};

/// The settings of the tenant's mailer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Mailer")]
#[non_exhaustive]
pub struct MailerConfig {
    /// The URL of the tenant's mailer, which gets a signed webhook for each mail.
    pub url: String,

    /// The key that signs webhooks and the tokens of links: `whsk_…` (Ed25519) or `whsec_…` (HMAC-SHA256).
    pub signing_key: Secret,
}

impl MailerConfig {
    /// Creates settings with this URL and key.
    pub fn new(url: impl Into<String>, signing_key: Secret) -> Self {
        Self { url: url.into(), signing_key }
    }
}

/// Hands mails to the tenant's mailer.
pub struct Mailer {
    signer: Signer,
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

impl Mailer {
    /// Parses the settings, which are those of `mail` in the connector's.
    pub fn new(config: &MailerConfig, context: &ConnectorContext) -> Result<Self> {
        let base = BaseUrl::parse_setting("mail.url", &config.url, &context.outbound)?;
        let client = Client::new(&context.outbound)?;
        client.prepare(&base)?;
        Ok(Self { signer: Signer::new(&config.signing_key, context)?, client, url: base.as_url().clone() })
    }

    /// Hands a mail over. Success means that the mailer has accepted it.
    pub async fn send(&self, scope: &CallScope, kind: MailKind, user: &UserRecord) -> Result<()> {
        let (ticket, email) = self.signer.issue(kind, user)?;
        let webhook = Webhook {
            kind: &format!("mail.{}", kind.as_str()),
            tenant: self.signer.tenant(),
            id: Some(user.id.as_str()),
            email: Some(email.as_str()),
            token: Some(&ticket.token),
            expires: Some(ticket.expires),
        };
        let request = self.request(&ticket, &webhook)?;
        self.post(scope, request).await
    }

    fn request(&self, ticket: &Ticket, webhook: &Webhook<'_>) -> Result<Request> {
        let unwritable = || Error::ours(ErrorKind::Unexpected, "a webhook cannot be written");
        let body = serde_json::to_vec(webhook).map_err(|_| unwritable())?;
        let mut request =
            Request::post(self.url.clone()).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
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

    /// Checks that the mailer accepts webhooks with this signature.
    pub async fn diagnose(&self, scope: &CallScope, calls: &[CallKind]) -> Finding {
        let check = "the mailer accepts signed webhooks";
        let webhook =
            Webhook { kind: CHECK, tenant: self.signer.tenant(), id: None, email: None, token: None, expires: None };
        let ping = async {
            let request = self.request(&self.signer.ticket()?, &webhook)?;
            self.post(scope, request.read_only()).await
        };
        let fix = "let the mailer answer `mail.check` with 204, and check that it has the key of `mail.signing_key`";
        match ping.await {
            Ok(()) => Finding::ok(check, calls),
            Err(error) => Finding::failed(check, calls, fix).with_detail(error.to_string()),
        }
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
