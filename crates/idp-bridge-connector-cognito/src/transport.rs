//! Connects the AWS SDK to the HTTP client that all connectors use.
//!
//! The SDK builds and signs requests and parses responses. The client connects, limits, retries and records.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{CallScope, Error, ErrorKind, Result};
use idp_bridge_http::{Bytes, Client, Effect, Request, Response, StatusCode, Url, status_error};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error;

tokio::task_local! {
    /// The call that sends an operation. The SDK fetches credentials itself, as a part of an operation; the task assigns them to
    /// the call's deadline and recorder.
    static CALL: Call;
}

#[derive(Clone)]
struct Call {
    scope: CallScope,
    effect: Effect,
    /// The time of Cognito's response, by Cognito's clock.
    response_time: Arc<OnceLock<Timestamp>>,
}

impl Call {
    /// Creates the call of requests that the SDK sends outside of all calls.
    fn background() -> Self {
        let scope = CallScope::new("credentials", BACKGROUND_TIMEOUT);
        Self { scope, effect: Effect::Read, response_time: Arc::default() }
    }
}

/// The timeout of requests outside of all calls.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs an operation of the SDK as a part of this call. Returns also the time of Cognito's response, by Cognito's clock.
pub(crate) async fn in_call<T>(
    scope: &CallScope,
    effect: Effect,
    operation: impl Future<Output = T>,
) -> (T, Option<Timestamp>) {
    let response_time = Arc::new(OnceLock::new());
    let call = Call { scope: scope.clone(), effect, response_time: Arc::clone(&response_time) };
    (CALL.scope(call, operation).await, response_time.get().copied())
}

/// The `Retry-After` of a response, attached to it for the conversion of the SDK's error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryAfter(pub(crate) Option<Duration>);

/// The HTTP transport to one service.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: Client,
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Cognito, which responds with JSON.
    Cognito,
    /// The token service, which responds with XML. It only issues credentials.
    Sts,
}

impl Transport {
    pub(crate) fn to_cognito(http: Client) -> Self {
        Self { http, service: Service::Cognito }
    }

    pub(crate) fn to_sts(http: Client) -> Self {
        Self { http, service: Service::Sts }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let Call { scope, effect, response_time } = CALL.try_with(Clone::clone).unwrap_or_else(|_| Call::background());
        let request = to_request(request)?;
        let request = match self.service {
            Service::Cognito if effect == Effect::Write => request.classify_with(error::effective_status),
            Service::Cognito => request.read_only().classify_with(error::effective_status),
            Service::Sts => request.read_only().classify_with(error::effective_sts_status),
        };
        let response = self.http.send(&scope, request).await?;
        self.check(&response)?;
        if let (Service::Cognito, Some(date)) = (self.service, response.date()) {
            // An operation is one request, so the cell is empty.
            let _ = response_time.set(date);
        }
        to_sdk_response(response)
    }

    /// Rejects responses that the SDK would misread: it assumes that every error response is the service's own.
    fn check(&self, response: &Response) -> Result<()> {
        let is_success = response.status.is_success();
        match self.service {
            // The SDK does not parse the body of an output without members.
            Service::Cognito if is_success && !response.body.is_empty() => response.json::<Object>().map(drop),
            Service::Cognito if is_success => Ok(()),
            Service::Cognito => response.refusal::<error::ErrorBody>().map(drop).map_err(error::with_endpoint_hint),
            Service::Sts => match error::effective_sts_status(response) {
                status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    let outage = status_error(status.as_u16()).with_retry_after(response.retry_after());
                    Err(error::with_endpoint_hint(outage))
                }
                _ if is_success || error::is_sts_error(response) => Ok(()),
                _ => Err(error::with_endpoint_hint(response.foreign_refusal())),
            },
        }
    }
}

/// A JSON object with any members.
#[derive(Deserialize)]
#[serde(transparent)]
struct Object(
    #[expect(dead_code, reason = "only parsed, to check the type")] std::collections::HashMap<String, IgnoredAny>,
);

/// Converts a request of the SDK.
fn to_request(request: HttpRequest) -> Result<Request> {
    let invalid = || Error::ours(ErrorKind::Unexpected, "the AWS SDK built a request that cannot be sent");
    let (head, body) = request.try_into_http1x().map_err(|_| invalid())?.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|_| invalid())?;
    let body = body.bytes().map(Bytes::copy_from_slice).ok_or_else(invalid)?;
    // Both services accept only `POST`.
    let request = Request::post(url).bytes(body);
    Ok(head.headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone())))
}

/// Converts a response for the SDK.
fn to_sdk_response(response: Response) -> Result<HttpResponse> {
    let retry_after = RetryAfter(response.retry_after());
    let mut converted = http::Response::new(SdkBody::from(response.body));
    *converted.status_mut() = response.status;
    *converted.headers_mut() = response.headers;
    let mut converted = HttpResponse::try_from(converted).map_err(|_| {
        Error::upstream(ErrorKind::InvalidResponse, "the identity provider's response has headers that are not text")
    })?;
    converted.add_extension(retry_after);
    Ok(converted)
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            transport.send(request).await.map_err(|error| ConnectorError::other(Box::new(error), None))
        })
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
