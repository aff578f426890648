//! The server: what all its requests share, and what it does with one of them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use hyper::body::Incoming;
use idp_bridge_core::{Clock, Random, TenantId};
use idp_bridge_protocol::Code;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::accept::Connections;
use crate::catch_panic::catch_panic;
use crate::error::Refusal;
use crate::idempotency::{IdempotencyStore, MemoryStore};
use crate::limits::{MAX_URI, ServerLimits};
use crate::process_key::ProcessKey;
use crate::reset_limit::ResetLimiter;
use crate::response::Response;
use crate::revocation::{MemoryRevocations, RevocationStore};
use crate::router::{Page, Route};
use crate::tenant::{Tenant, Tenants};
use crate::{docs, federation, health, openapi, rest, webhook};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A server, ready to take connections.
pub struct Server(Bridge);

/// What all requests share.
pub(crate) struct Bridge {
    pub(crate) tenants: Tenants,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn IdempotencyStore>,
    /// Whose tokens are refused although they may be alive.
    pub(crate) revocations: Arc<dyn RevocationStore>,
    pub(crate) front: federation::Front,
    pub(crate) resets: ResetLimiter,
    pub(crate) limits: ServerLimits,
    pub(crate) key: ProcessKey,
    /// Where the outside reaches this server, without a slash at the end.
    pub(crate) public_url: Option<String>,
    /// The writes that run, with a caller or without.
    pub(crate) writes: TaskTracker,
    draining: AtomicBool,
    /// Whether sample users are served.
    demo: bool,
}

impl Server {
    /// A server of these tenants. An error if the system has no randomness to give.
    pub fn new(
        tenants: Tenants,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        limits: ServerLimits,
    ) -> std::io::Result<Self> {
        Self::with_store(tenants, clock, random, limits, Arc::new(MemoryStore::default()))
    }

    /// The same with another memory of writes, such as one that several bridges share.
    pub fn with_store(
        tenants: Tenants,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        limits: ServerLimits,
        store: Arc<dyn IdempotencyStore>,
    ) -> std::io::Result<Self> {
        let key = ProcessKey::new(random)?;
        let (writes, draining) = (TaskTracker::new(), AtomicBool::new(false));
        let revocations = Arc::new(MemoryRevocations::new(Arc::clone(&clock)));
        let (front, public_url) = (federation::Front::new(&tenants, &writes), None);
        let resets = ResetLimiter::default();
        Ok(Self(Bridge {
            tenants,
            clock,
            store,
            revocations,
            front,
            resets,
            limits,
            key,
            public_url,
            writes,
            draining,
            demo: false,
        }))
    }

    /// The same with another revocation list than one in memory: one that survives a restart, or that bridges share.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Arc<dyn RevocationStore>) -> Self {
        self.0.revocations = revocations;
        self
    }

    /// Sets the address at which the outside reaches the bridge. Without it no tenant's `federation` document is served.
    #[must_use]
    pub fn with_public_url(mut self, url: &str) -> Self {
        self.0.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Marks the server as a demo with sample users, which `/readyz` says.
    #[must_use]
    pub fn with_demo(mut self) -> Self {
        self.0.demo = true;
        self
    }

    /// Serves until `shutdown` ends, and then drains.
    ///
    /// While draining, `/readyz` answers 503, idle connections are closed, calls in flight are finished within their
    /// deadlines, and new ones are refused. It takes no longer than a call may.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
        let bridge = Arc::new(self.0);
        tracing::info!(address = %listener.local_addr()?, "serving");
        let mut connections = Connections::new(Arc::clone(&bridge));
        tokio::select! {
            () = connections.accept(&listener) => {}
            () = shutdown => {}
        }
        bridge.draining.store(true, Relaxed);
        tracing::info!(connections = connections.len(), "shutting down: calls in flight are finished");
        // Whoever comes now is told so; these connections end with this function.
        let mut late = Connections::new(Arc::clone(&bridge));
        let longest = bridge.limits.body + bridge.tenants.longest_deadline() + bridge.limits.write;
        tokio::select! {
            () = late.accept(&listener) => {}
            drained = tokio::time::timeout(longest, bridge.drain(connections)) => match drained {
                Ok(()) => tracing::info!("drained"),
                Err(_) => tracing::warn!("the drain took too long: what was left is cut off"),
            },
        }
        Ok(())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("tenants", &self.0.tenants).finish_non_exhaustive()
    }
}

impl Bridge {
    async fn drain(&self, connections: Connections) {
        connections.drain().await;
        self.writes.close();
        self.writes.wait().await;
    }

    /// Returns the deadline of a tenant.
    ///
    /// An unknown one has that of some tenant, always the same: when a slow body is cut off must not tell which tenants exist.
    pub(crate) fn deadline_of(&self, id: &TenantId, tenant: Option<&Tenant>) -> Duration {
        let deadlines = self.tenants.deadlines();
        let some = deadlines.get(self.key.pick(id, deadlines.len())).copied();
        tenant.map(|tenant| tenant.deadline).or(some).unwrap_or(Tenant::DEFAULT_DEADLINE)
    }

    /// Answers one request, whatever happens.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response {
        let request_id: Arc<str> = self.key.next_request_id().into();
        let answered = catch_panic(self.route(&request_id, request)).await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => refusal.into_response(&request_id),
            Err(_) => {
                tracing::error!(request.id = %request_id, "a request made the server panic");
                Refusal::new(Code::Internal).into_response(&request_id)
            }
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn route(self: &Arc<Self>, request_id: &Arc<str>, request: Request<Incoming>) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let draining = self.draining.load(Relaxed);
        match route_of(&head)? {
            Route::Page(Page::Health) => Ok(health::alive()),
            Route::Page(Page::Ready) => health::ready(draining, self.demo),
            Route::Page(Page::OpenApi) => Ok(openapi::document()),
            Route::Page(Page::Docs) => Ok(docs::page()),
            // It says for itself that it drains: pages of other origins must be able to read that.
            Route::Federation(tenant, resource) => {
                let asked = (tenant, resource, draining);
                Ok(federation::answer(self, Arc::clone(request_id), asked, (&head, body)).await)
            }
            _ if draining => Err(Refusal::new(Code::ShuttingDown)),
            Route::Webhook(tenant) => Ok(webhook::answer(self, Arc::clone(request_id), tenant, (&head, body)).await),
            Route::Rest(tenant, resource) => {
                Ok(rest::answer(self, Arc::clone(request_id), (tenant, resource), (&head, body)).await)
            }
        }
    }
}

/// Where a request goes, if its path and its method are right.
fn route_of(head: &Parts) -> Result<Route<'_>, Refusal> {
    let route = Route::find(head.uri.path());
    let most = route.as_ref().map_or(MAX_URI, |route| route.max_uri(&head.method));
    if head.uri.path_and_query().is_some_and(|path| path.as_str().len() > most) {
        return Err(Refusal::new(Code::UriTooLong));
    }
    let route = route.ok_or(Refusal::new(Code::RouteNotFound))?;
    if route.takes(&head.method) { Ok(route) } else { Err(Refusal::method_not_allowed(route.allow())) }
}
