//! A running bridge, and signed calls to it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use idp_bridge_connector_memory::{Memory, MemoryUser, sample_users};
use idp_bridge_core::{Directory, IdentityProvider, SystemRandom, TenantId};
use idp_bridge_protocol::{KeyRing, SigningKey, VerifyingKey, signature};
use idp_bridge_server::revocation::RevocationStore;
use idp_bridge_server::store::Store;
use idp_bridge_server::{RestToken, Scope, Server, ServerLimits, Tenant, Tenants};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::{BEGIN, TestClock};
use crate::http::{Answer, Connection, Request, within};

pub(crate) struct Bridge {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Bridge {
    /// Starts a bridge for the tenant `acme` with the sample users.
    pub(crate) async fn with_samples() -> Self {
        Self::with_provider(memory(sample_users())).await
    }

    /// Starts a bridge for the tenant `acme` with this provider.
    pub(crate) async fn with_provider(provider: impl IdentityProvider) -> Self {
        Self::start([tenant("acme", provider)]).await
    }

    pub(crate) async fn start(tenants: impl IntoIterator<Item = Tenant>) -> Self {
        Self::with_limits(tenants, limits()).await
    }

    pub(crate) async fn with_limits(tenants: impl IntoIterator<Item = Tenant>, limits: ServerLimits) -> Self {
        Self::with_server(tenants, limits, |server| server).await
    }

    /// Starts a bridge with a modified server.
    pub(crate) async fn with_server(
        tenants: impl IntoIterator<Item = Tenant>,
        limits: ServerLimits,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let tenants = Tenants::new(tenants).unwrap();
        let server = change(Server::new(tenants, Arc::clone(&clock) as Arc<_>, &SystemRandom, limits).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(listener, async move {
            let _ = stopped.await;
        }));
        Self { address, clock, stop: Some(stop), task }
    }

    /// Sends a request on a new connection.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        Connection::open(self.address).await.send(request).await
    }

    /// Sends a request on a new connection, without waiting for the response.
    pub(crate) async fn begin(&self, request: &Request) -> Connection {
        let mut connection = Connection::open(self.address).await;
        connection.write(request.to_bytes()).await;
        connection
    }

    /// Makes a signed call for `acme`.
    pub(crate) async fn call(&self, kind: &str, data: Value) -> Answer {
        self.send(&signed(&envelope(kind, data))).await
    }

    /// Begins the shutdown.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        within(self.task).await.unwrap().unwrap();
    }
}

/// Returns a store in memory with this revocation list.
pub(crate) fn store_with(revocations: Arc<dyn RevocationStore>) -> Store {
    Store::in_memory(Arc::new(TestClock::default()), &SystemRandom).unwrap().with_revocations(revocations)
}

/// Returns the default limits without delays: only their own tests wait for the step of a reset and for the shutdown.
pub(crate) fn limits() -> ServerLimits {
    let mut limits = ServerLimits::default();
    (limits.reset_step, limits.shutdown_delay) = (Duration::ZERO, Duration::ZERO);
    limits
}

pub(crate) fn memory(users: Vec<MemoryUser>) -> Directory<Memory> {
    Directory::new(Memory::with_users(users).unwrap())
}

/// Returns the platform's key, which all tenants share.
pub(crate) fn platform_key() -> SigningKey {
    SigningKey::from_seed([7; 32]).unwrap()
}

pub(crate) fn verifying(key: &SigningKey) -> VerifyingKey {
    VerifyingKey::parse(key.to_verifying_text().expose()).unwrap()
}

/// Returns a REST token with this text, which is its name, too.
pub(crate) fn rest_token(text: &str, scopes: impl Into<BTreeSet<Scope>>) -> RestToken {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    RestToken { name: text.into(), sha256: digest.as_ref().try_into().unwrap(), scopes: scopes.into() }
}

/// Returns a tenant with the platform's key.
pub(crate) fn tenant(id: &str, provider: impl IdentityProvider) -> Tenant {
    let keys = KeyRing::new(vec![verifying(&platform_key())]).unwrap();
    Tenant::new(TenantId::new(id).unwrap(), "memory", Arc::new(provider), keys)
}

pub(crate) fn envelope(kind: &str, data: Value) -> Value {
    json!({"type": kind, "timestamp": "2027-01-15T08:00:00Z", "tenant": "acme", "data": data})
}

/// Returns a unique webhook id.
pub(crate) fn next_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("msg_{}", NEXT.fetch_add(1, Relaxed))
}

/// Returns a signed call with a unique id.
pub(crate) fn signed(body: &Value) -> Request {
    signed_as(&next_id(), body)
}

pub(crate) fn signed_as(id: &str, body: &Value) -> Request {
    signed_bytes(id, body.to_string().as_bytes())
}

pub(crate) fn signed_bytes(id: &str, body: &[u8]) -> Request {
    let mut request = Request::new("POST", "/v1/tenants/acme/webhook")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", BEGIN.to_string())
        .header("webhook-signature", signature::sign(&[platform_key()], id, BEGIN, body));
    request.body = body.to_vec();
    request
}
