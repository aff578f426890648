//! The results of reads that several callers wait for.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use idp_bridge_core::{Call, UserId};

use crate::error::SharedFailure;
use crate::tenant::Tenant;

/// The result of a read.
pub(crate) type SharedRead = Result<ReadAnswer, SharedFailure>;

/// A user that was read.
#[derive(Debug, Clone)]
pub(crate) struct ReadAnswer {
    pub(crate) user: Option<UserId>,
    pub(crate) body: Bytes,
}

/// Identifies equal reads: a tenant with its current settings, the call, and the number of writes before it.
///
/// A read that begins after a write must not share the result of one that began before.
#[derive(Debug, Clone)]
pub(crate) struct ReadKey {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) call: Call,
    /// The number of writes before the read.
    pub(crate) writes: u64,
}

impl ReadKey {
    /// Creates the key of a read that begins now.
    pub(crate) fn new(tenant: Arc<Tenant>, call: Call) -> Self {
        let writes = tenant.users().writes();
        Self { tenant, call, writes }
    }
}

impl PartialEq for ReadKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tenant, &other.tenant) && self.writes == other.writes && self.call == other.call
    }
}

impl Eq for ReadKey {}

impl Hash for ReadKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.tenant.id.hash(state);
        self.call.hash(state);
    }
}
