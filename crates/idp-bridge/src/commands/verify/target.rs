//! The endpoint that is checked, and its signed requests.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use idp_bridge_client::{ClientError, RawAnswer, RawClient, RawRequest, SigningKey, TenantId};
use idp_bridge_core::{Clock as _, Random as _, SystemClock, SystemRandom};
use idp_bridge_protocol::signature;
use serde_json::{Value, json};

use super::expected::Expected;
use crate::commands::call::{Authorities, Keys};
use crate::commands::keys;
use crate::config::Problem;
use crate::report::{Failure, with_causes};

/// An endpoint, with the tenant and the keys of its calls.
pub(super) struct Target {
    http: RawClient,
    /// An unsigned request to the tenant.
    request: RawRequest,
    /// An unsigned request to a tenant that does not exist.
    unknown_tenant: RawRequest,
    tenant: TenantId,
    keys: Vec<SigningKey>,
    /// Keys that the endpoint does not have.
    unknown_keys: [SigningKey; 2],
    /// A random text for values that do not exist.
    unique: String,
    calls: AtomicU32,
}

impl Target {
    pub(super) fn new(url: &str, tenant: &TenantId, given: &Keys, authorities: &Authorities) -> Result<Self, Failure> {
        let mut random = [0; 8];
        let no_randomness = |error| Problem::new(format!("the system has no random bytes: {error}"));
        SystemRandom.fill(&mut random).map_err(|error| Failure::negative(no_randomness(error)))?;
        let unique = format!("verify-{:016x}", u64::from_be_bytes(random));
        let unknown = TenantId::new(&unique).map_err(|error| Problem::new(error.to_string()))?;
        let unusable = |error: ClientError| Problem::new(with_causes(&error));
        let request = RawRequest::new(url, tenant, "").map_err(unusable)?;
        Ok(Self {
            http: RawClient::new(&request, authorities.read()?.as_deref()).map_err(unusable)?,
            unknown_tenant: RawRequest::new(url, &unknown, "").map_err(unusable)?,
            request,
            tenant: tenant.clone(),
            keys: given.read()?,
            unknown_keys: [keys::generate(false)?, keys::generate(true)?],
            unique,
            calls: AtomicU32::new(0),
        })
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// Returns a random text that the tenant uses for no id, customer or name.
    pub(super) fn unique(&self) -> &str {
        &self.unique
    }

    /// Returns a new id.
    pub(super) fn new_id(&self) -> String {
        format!("{}-{}", self.unique, self.calls.fetch_add(1, Relaxed))
    }

    /// Returns a signed `ping`.
    pub(super) fn ping(&self) -> RawRequest {
        self.call("ping", &json!({}))
    }

    /// Returns a signed call.
    pub(super) fn call(&self, kind: &str, data: &Value) -> RawRequest {
        self.call_with_id(&self.new_id(), kind, data)
    }

    /// Returns a signed call with this id.
    pub(super) fn call_with_id(&self, id: &str, kind: &str, data: &Value) -> RawRequest {
        sign(&self.request, &self.keys, (id, 0), self.envelope(kind, data))
    }

    /// Returns a signed request with this body.
    pub(super) fn signed(&self, body: impl Into<Vec<u8>>) -> RawRequest {
        sign(&self.request, &self.keys, (&self.new_id(), 0), body.into())
    }

    /// Returns a `ping` with this id, signed this number of seconds from now.
    pub(super) fn ping_at(&self, id: &str, seconds: i64) -> RawRequest {
        sign(&self.request, &self.keys, (id, seconds), self.envelope("ping", &json!({})))
    }

    /// Returns a `ping` that is signed by one key.
    pub(super) fn ping_by(&self, key: &SigningKey) -> RawRequest {
        let body = self.envelope("ping", &json!({}));
        sign(&self.request, std::slice::from_ref(key), (&self.new_id(), 0), body)
    }

    /// Returns a `ping` that is signed by unknown keys.
    pub(super) fn ping_with_unknown_keys(&self) -> RawRequest {
        sign(&self.request, &self.unknown_keys, (&self.new_id(), 0), self.envelope("ping", &json!({})))
    }

    /// Returns a `ping` to a tenant that does not exist, with a valid signature.
    pub(super) fn ping_to_unknown_tenant(&self) -> RawRequest {
        let body = json!({"type": "ping", "tenant": self.unique, "data": {}}).to_string();
        sign(&self.unknown_tenant, &self.keys, (&self.new_id(), 0), body.into())
    }

    /// Returns a `ping` with this text before the tokens of its signature.
    pub(super) fn ping_with_token(&self, token: &str) -> RawRequest {
        let body = self.envelope("ping", &json!({}));
        sign_after(&format!("{token} "), &self.request, &self.keys, (&self.new_id(), 0), body)
    }

    fn envelope(&self, kind: &str, data: &Value) -> Vec<u8> {
        let time = SystemClock.now().to_string();
        json!({"type": kind, "timestamp": time, "tenant": self.tenant, "data": data}).to_string().into()
    }

    /// Sends a request once.
    pub(super) async fn send(&self, request: RawRequest) -> Result<RawAnswer, ClientError> {
        self.http.send(request).await
    }

    /// Sends a request, and returns the differences from the expected answer.
    pub(super) async fn send_and_compare(&self, what: &str, request: RawRequest, expected: &Expected) -> Vec<String> {
        match self.send(request).await {
            Ok(answer) => expected.compare(&answer).into_iter().map(|detail| format!("{what}: {detail}")).collect(),
            Err(error) => vec![format!("{what}: {}", with_causes(&error))],
        }
    }
}

/// Signs a request with this id, this number of seconds from now.
fn sign(request: &RawRequest, keys: &[SigningKey], call: (&str, i64), body: Vec<u8>) -> RawRequest {
    sign_after("", request, keys, call, body)
}

/// Signs a request like [`sign`], with a text before the tokens.
fn sign_after(
    text: &str,
    request: &RawRequest,
    keys: &[SigningKey],
    (id, seconds): (&str, i64),
    body: Vec<u8>,
) -> RawRequest {
    let timestamp = SystemClock.now().as_second().saturating_add(seconds);
    let signature = signature::sign(keys, id, timestamp, &body);
    let request = request.clone().header("webhook-id", id).header("webhook-timestamp", timestamp.to_string());
    request.header("webhook-signature", format!("{text}{signature}")).body(body)
}
