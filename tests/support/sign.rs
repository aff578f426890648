//! Signs calls with an independent implementation of Standard Webhooks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use idp_bridge_protocol::{SigningKey, signature};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::http::Request;

/// Signs the calls of one tenant with a shared key.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) tenant: String,
}

impl Signer {
    pub(crate) fn new(key: &str, tenant: &str) -> Self {
        Self { key: key.trim().to_owned(), tenant: tenant.to_owned() }
    }

    /// Creates a call with a unique id.
    pub(crate) fn call(&self, kind: &str, data: Value) -> Request {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let id = format!("msg_{}_{}", std::process::id(), CALLS.fetch_add(1, Relaxed));
        self.call_with_id(&id, kind, data)
    }

    /// Creates a call with this id.
    pub(crate) fn call_with_id(&self, id: &str, kind: &str, data: Value) -> Request {
        let body = json!({"type": kind, "timestamp": "2026-01-02T03:04:05Z", "tenant": self.tenant, "data": data});
        self.sign(id, now(), body.to_string())
    }

    /// Signs a body with this timestamp.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: impl Into<Vec<u8>>) -> Request {
        let body = body.into();
        let signature = match std::str::from_utf8(&body) {
            Ok(_) => Webhook::new(&self.key).unwrap().sign(id, timestamp, &body).unwrap(),
            // The independent implementation accepts UTF-8 only.
            Err(_) => signature::sign(&[SigningKey::parse(&self.key).unwrap()], id, timestamp, &body),
        };
        Request::new("POST", format!("/v1/tenants/{}/webhook", self.tenant))
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", &signature)
            .body(body)
    }
}

/// Returns the seconds since 1970.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
