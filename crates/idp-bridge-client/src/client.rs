//! The client for one tenant of a bridge.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use idp_bridge_core::{Call, Clock, SystemClock, TenantId};
use idp_bridge_protocol::{Envelope, Operation, SigningKey, signature};
use reqwest::{Certificate, redirect};
use url::Url;

use crate::signed::{SignedCall, WebhookId};
use crate::{Answer, ClientError};

/// The default timeout of a call, one second more than a bridge's maximum.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(31);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");

/// A client for one tenant of a bridge. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    tenant: TenantId,
    keys: Arc<[SigningKey]>,
    clock: Arc<dyn Clock>,
    timeout: Option<Duration>,
}

impl Client {
    /// Creates a client for the bridge at this base URL (`http` or `https`). Every call is signed with all keys.
    ///
    /// Pass the old and the new key during a key rotation: one valid signature is sufficient.
    pub fn new(base_url: &str, tenant: TenantId, keys: Vec<SigningKey>) -> Result<Self, ClientError> {
        Self::with_authorities(base_url, tenant, keys, None)
    }

    /// Creates a client like [`new`](Self::new) that trusts these certificate authorities (PEM) instead of the system's.
    pub fn with_authorities(
        base_url: &str,
        tenant: TenantId,
        keys: Vec<SigningKey>,
        ca_pem: Option<&str>,
    ) -> Result<Self, ClientError> {
        if keys.is_empty() {
            return Err(ClientError::settings("there is no key to sign with: give one that begins with `whsk_`"));
        }
        let url = webhook_url(base_url, &tenant)?;
        let http = http_client(&url, ca_pem)?;
        Ok(Self { http, url, tenant, keys: keys.into(), clock: Arc::new(SystemClock), timeout: None })
    }

    /// Sets the timeout of each call. The bridge gets a deadline that is a tenth shorter, so that its response about a write
    /// still arrives.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sets the clock for signatures.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Makes a call once, with a random id.
    pub async fn call(&self, call: Call) -> Result<Answer, ClientError> {
        self.call_with_id(&new_id()?, call).await
    }

    /// Makes a call with this id. Use the id of the first attempt for a retry, so that a write is executed at most once.
    pub async fn call_with_id(&self, id: &WebhookId, call: Call) -> Result<Answer, ClientError> {
        self.perform(id, &Operation::Users(call)).await
    }

    /// Requests the tenant's capabilities. The bridge sends no request to the identity provider.
    pub async fn ping(&self) -> Result<Answer, ClientError> {
        self.perform(&new_id()?, &Operation::Ping).await
    }

    /// Signs a call or a ping without sending it.
    pub fn sign(&self, id: &WebhookId, operation: &Operation) -> SignedCall {
        let now = self.clock.now();
        let timestamp = now.as_second();
        let body = Envelope { tenant: self.tenant.clone(), operation: operation.clone() }.to_body(now.to_string());
        let signature = signature::sign(&self.keys, id.as_str(), timestamp, &body);
        SignedCall { url: self.url.clone(), id: id.clone(), timestamp, signature, body }
    }

    /// Signs a call or a ping and sends it once.
    pub async fn perform(&self, id: &WebhookId, operation: &Operation) -> Result<Answer, ClientError> {
        let signed = self.sign(id, operation);
        let mut request = self.http.post(signed.url.clone()).timeout(self.timeout.unwrap_or(DEFAULT_TIMEOUT));
        for (name, value) in signed.headers() {
            request = request.header(name, value);
        }
        if let Some(timeout) = self.timeout {
            let earlier = (timeout - timeout / 10).as_millis().max(1);
            request = request.header(REQUEST_TIMEOUT, earlier.to_string());
        }
        let answer = request.body(signed.body).send().await.map_err(ClientError::from_reqwest)?;
        Answer::read(operation, answer).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url.as_str()).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

fn new_id() -> Result<WebhookId, ClientError> {
    WebhookId::random().map_err(|error| ClientError::Settings {
        reason: "the system provides no random bytes for an id",
        source: Some(error.into()),
    })
}

pub(crate) fn webhook_url(base_url: &str, tenant: &TenantId) -> Result<Url, ClientError> {
    let mut url = parse_base_url(base_url)?;
    let path = format!("{}/v1/tenants/{tenant}/webhook", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Parses the base URL of a bridge.
fn parse_base_url(base_url: &str) -> Result<Url, ClientError> {
    const EXPECTED: &str = "the bridge's URL cannot be used: write it like `https://bridge.acme.example`";
    let url =
        Url::parse(base_url).map_err(|error| ClientError::Settings { reason: EXPECTED, source: Some(error.into()) })?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain {
        return Err(ClientError::settings(EXPECTED));
    }
    Ok(url)
}

pub(crate) fn http_client(url: &Url, ca_pem: Option<&str>) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("idp-bridge-client/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca_pem {
        builder = builder.tls_certs_only(parse_authorities(pem)?);
    } else if url.scheme() == "http" {
        // Without encryption, no certificate authorities are needed.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| ClientError::Settings {
        reason: "an HTTPS client cannot be created: install certificate authorities (Debian: `ca-certificates`)",
        source: Some(Box::new(error)),
    })
}

fn parse_authorities(pem: &str) -> Result<Vec<Certificate>, ClientError> {
    const EXPECTED: &str = "there is no certificate authority: give a PEM text with `-----BEGIN CERTIFICATE-----`";
    let certificates = Certificate::from_pem_bundle(pem.as_bytes())
        .map_err(|error| ClientError::Settings { reason: EXPECTED, source: Some(Box::new(error)) })?;
    if certificates.is_empty() { Err(ClientError::settings(EXPECTED)) } else { Ok(certificates) }
}
