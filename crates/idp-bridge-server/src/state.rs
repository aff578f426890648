//! The state that all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderMap;
use idp_bridge_core::{Clock, Random, TenantId};
use tokio_util::task::TaskTracker;

use crate::access::OperatorAccess;
use crate::audit::Audit;
use crate::doctor::Diagnoses;
use crate::guard::ProcessGuard;
use crate::limits::ServerLimits;
use crate::log_filter::LogLevel;
use crate::process_key::ProcessKey;
use crate::reads::{ReadKey, SharedRead};
use crate::request;
use crate::shared_futures::SharedFutures;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::tenants::{CurrentTenants, FoundTenant, Tenants};
use crate::tls::CurrentTls;
use crate::token_gate::TokenGate;

/// The state that all requests share.
pub(crate) struct ServerState {
    pub(crate) tenants: Arc<CurrentTenants>,
    /// The certificate of the main listener. `None` for clear text.
    pub(crate) tls: Option<Arc<CurrentTls>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) gate: TokenGate,
    pub(crate) limits: ServerLimits,
    pub(crate) guard: ProcessGuard,
    /// The running reads.
    pub(crate) reads: SharedFutures<ReadKey, SharedRead>,
    pub(crate) key: ProcessKey,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) audit: Option<Audit>,
    /// Returns the number of lines that the log has lost.
    pub(crate) lost_lines: Option<Box<dyn Fn() -> u64 + Send + Sync>>,
    /// The access to the pages for operators.
    pub(crate) access: OperatorAccess,
    /// The filter of the log, if it can be replaced.
    pub(crate) log_level: Option<LogLevel>,
    /// The last diagnoses of the tenants. `None` if they are off.
    pub(crate) diagnoses: Option<Arc<Diagnoses>>,
    /// The public address of this server, without a slash at the end.
    pub(crate) public_url: Option<String>,
    /// Writes and shared requests, which continue when their caller disconnects.
    pub(crate) tasks: TaskTracker,
    /// Whether the server has sample users.
    pub(crate) is_demo: bool,
    is_stopping: AtomicBool,
    is_draining: AtomicBool,
}

impl ServerState {
    /// Creates the state, with a store in memory. Fails if the system has no randomness.
    pub(crate) fn new(
        tenants: Tenants,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        limits: ServerLimits,
    ) -> std::io::Result<Self> {
        let tasks = TaskTracker::new();
        Ok(Self {
            gate: TokenGate::new(&tasks),
            guard: ProcessGuard::new(limits.calls),
            reads: SharedFutures::default(),
            store: Store::in_memory(Arc::clone(&clock), random)?,
            key: ProcessKey::new(random)?,
            telemetry: Arc::new(Telemetry::new(Arc::clone(&clock), limits.recent_calls)),
            audit: None,
            lost_lines: None,
            access: OperatorAccess::default(),
            log_level: None,
            diagnoses: None,
            public_url: None,
            tls: None,
            is_demo: false,
            is_stopping: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            tenants: Arc::new(CurrentTenants::new(tenants)),
            clock,
            limits,
            tasks,
        })
    }

    /// Returns whether the server is about to drain: it is not ready, and still serves calls.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    /// Records that the server is about to drain.
    pub(crate) fn set_stopping(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    /// Returns whether the server refuses new calls.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Relaxed)
    }

    /// Records that the server refuses new calls.
    pub(crate) fn set_draining(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// Finds the tenant of a request, or its stand-in.
    pub(crate) fn find_tenant(&self, id: &TenantId) -> FoundTenant {
        self.tenants.find(id, &self.key)
    }

    /// Returns the time limit for the body of a request to a tenant.
    ///
    /// Ignores an invalid timeout header. It is refused later, when the caller is authenticated.
    pub(crate) fn body_timeout(&self, headers: &HeaderMap, tenant: &FoundTenant) -> Duration {
        let deadline = tenant.deadline();
        request::timeout(headers, deadline).unwrap_or(deadline).min(self.limits.body)
    }
}
