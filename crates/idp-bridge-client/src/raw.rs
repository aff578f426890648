//! Requests of any form, for checks of a bridge.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use idp_bridge_core::TenantId;
use url::Url;

use crate::ClientError;
use crate::answer::read_body;
use crate::client::{DEFAULT_TIMEOUT, http_client, webhook_url};

/// A request of any form to the endpoint of signed calls.
#[derive(Clone)]
pub struct RawRequest {
    method: Method,
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl RawRequest {
    /// Creates a POST request with a JSON body, without a signature, to a tenant of the bridge at this base URL.
    pub fn new(base_url: &str, tenant: &TenantId, body: impl Into<Vec<u8>>) -> Result<Self, ClientError> {
        let url = webhook_url(base_url, tenant)?;
        let request = Self { method: Method::POST, url, headers: Vec::new(), body: body.into() };
        Ok(request.header("content-type", "application/json"))
    }

    /// Sets the method to GET, without a body.
    #[must_use]
    pub fn get(self) -> Self {
        Self { method: Method::GET, body: Vec::new(), ..self }
    }

    /// Replaces the last segment of the path.
    #[must_use]
    pub fn at(mut self, segment: &str) -> Self {
        if let Ok(url) = self.url.join(segment) {
            self.url = url;
        }
        self
    }

    /// Adds a header, also if there is one of this name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Removes the headers of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }

    /// Replaces a header.
    #[must_use]
    pub fn with(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    /// Sends a header twice.
    #[must_use]
    pub fn twice(self, name: &str) -> Self {
        let value = self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
        self.header(name, value.unwrap_or_default())
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?);
        }
        Some(headers)
    }
}

/// A response of any form.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The body, at most [`MAX_ANSWER`](crate::MAX_ANSWER).
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl RawAnswer {
    /// Returns the first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A client that sends requests of any form. Follows no redirect and repeats nothing.
#[derive(Debug, Clone)]
pub struct RawClient(reqwest::Client);

impl RawClient {
    /// Creates a client for the requests to a bridge. It trusts these certificate authorities (PEM), or else the system's.
    pub fn new(request: &RawRequest, ca_pem: Option<&str>) -> Result<Self, ClientError> {
        http_client(&request.url, ca_pem).map(Self)
    }

    /// Sends a request once.
    pub async fn send(&self, request: RawRequest) -> Result<RawAnswer, ClientError> {
        let headers = request.headers().ok_or_else(|| ClientError::settings("a header of the request is malformed"))?;
        let builder = self.0.request(request.method, request.url).timeout(DEFAULT_TIMEOUT);
        let answer = builder.headers(headers).body(request.body).send().await.map_err(ClientError::from_reqwest)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(RawAnswer { status, headers, body: read_body(answer).await?.into() })
    }
}
