//! A call that may run.

use std::sync::Arc;

use idp_bridge_core::{Call, CallScope};

use crate::idempotency::Key;
use crate::log::RequestLog;
use crate::tenant::Tenant;

/// An authenticated and authorized call. It is passed in a box, since each future that passes it on has space for it.
pub(crate) struct AdmittedCall {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) call: Call,
    /// The idempotency key of a write, if its caller sent one.
    pub(crate) key: Option<Key>,
    /// The deadline and the recorder of the call.
    pub(crate) scope: CallScope,
    pub(crate) log: RequestLog,
}
