//! The AWS SDK's way to the network: the same client as every other connector's, with its limits, its checks and its recorder.
//!
//! The SDK builds, signs and reads; it neither connects nor retries.

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
use idp_bridge_http::{Bytes, Client, Effect, Request, Response, StatusCode, Url, refused};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error;

tokio::task_local! {
    /// The call that an operation of the SDK belongs to. The SDK fetches credentials on its own, as a part of some operation, so
    /// that only the task knows whose deadline and recorder they count for.
    static CALL: Call;
}

#[derive(Clone)]
struct Call {
    scope: CallScope,
    effect: Effect,
    /// When Cognito answered, by its own clock.
    answered: Arc<OnceLock<Timestamp>>,
}

impl Call {
    fn unasked() -> Self {
        Self { scope: CallScope::new("credentials", UNASKED), effect: Effect::Read, answered: Arc::default() }
    }
}

/// How long a request may take that no call is waiting for.
const UNASKED: Duration = Duration::from_secs(5);

/// Runs an operation of the SDK as a part of this call, and tells when Cognito answered, by its own clock.
pub(crate) async fn within<T>(
    scope: &CallScope,
    effect: Effect,
    operation: impl Future<Output = T>,
) -> (T, Option<Timestamp>) {
    let answered = Arc::new(OnceLock::new());
    let call = Call { scope: scope.clone(), effect, answered: Arc::clone(&answered) };
    (CALL.scope(call, operation).await, answered.get().copied())
}

/// How long the identity provider asks to wait: carried from the answer to the error that the SDK makes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait(pub(crate) Option<Duration>);

/// The way to one service.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: Client,
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Cognito, which answers with JSON.
    Cognito,
    /// The token service, which answers with XML, and which is only ever asked for credentials.
    Tokens,
}

impl Transport {
    /// The way to Cognito.
    pub(crate) fn to_cognito(http: Client) -> Self {
        Self { http, service: Service::Cognito }
    }

    /// The way to the token service.
    pub(crate) fn to_tokens(http: Client) -> Self {
        Self { http, service: Service::Tokens }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let Call { scope, effect, answered } = CALL.try_with(Clone::clone).unwrap_or_else(|_| Call::unasked());
        let request = translate(request)?;
        let request = match self.service {
            Service::Cognito if effect == Effect::Write => request.judged_by(error::amounts_to),
            Service::Cognito => request.reading().judged_by(error::amounts_to),
            Service::Tokens => request.reading().judged_by(error::tokens_amount_to),
        };
        let response = self.http.send(&scope, request).await?;
        self.check(&response)?;
        if let (Service::Cognito, Some(date)) = (self.service, response.date()) {
            // An operation of the SDK is one request, so that none was there before.
            let _ = answered.set(date);
        }
        answer(response)
    }

    /// Stops what the SDK would misunderstand: it takes any refusal for the service's own.
    fn check(&self, response: &Response) -> Result<()> {
        let is_success = response.status.is_success();
        match self.service {
            // The SDK does not read the body of an answer that has no members.
            Service::Cognito if is_success && !response.body.is_empty() => response.json::<Object>().map(drop),
            Service::Cognito if is_success => Ok(()),
            Service::Cognito => response.refusal::<error::Refusal>().map(drop).map_err(error::at_endpoint),
            Service::Tokens => match error::tokens_amount_to(response) {
                status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    let outage = refused(status.as_u16()).with_retry_after(response.retry_after());
                    Err(error::at_endpoint(outage))
                }
                _ if is_success || error::is_of_token_service(response) => Ok(()),
                _ => Err(error::at_endpoint(response.foreign_refusal())),
            },
        }
    }
}

/// A JSON object, whatever is in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Object(
    #[expect(dead_code, reason = "only that it is one matters")] std::collections::HashMap<String, IgnoredAny>,
);

/// The SDK's request as one of ours.
fn translate(request: HttpRequest) -> Result<Request> {
    let broken = || Error::ours(ErrorKind::Unexpected, "the AWS SDK built a request that cannot be sent");
    let (head, body) = request.try_into_http1x().map_err(|_| broken())?.into_parts();
    let url = Url::parse(&head.uri.to_string()).map_err(|_| broken())?;
    let body = body.bytes().map(Bytes::copy_from_slice).ok_or_else(broken)?;
    // Both services take nothing but `POST`.
    let request = Request::post(url).bytes(body);
    Ok(head.headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone())))
}

/// Our answer as one for the SDK.
fn answer(response: Response) -> Result<HttpResponse> {
    let wait = Wait(response.retry_after());
    let mut answer = http::Response::new(SdkBody::from(response.body));
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    let mut answer = HttpResponse::try_from(answer).map_err(|_| {
        Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer has headers that are no text")
    })?;
    answer.add_extension(wait);
    Ok(answer)
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
