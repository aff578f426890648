//! The settings and the counters of the audit.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file. `None` for standard error.
    pub file: Option<PathBuf>,
    /// The time at which lines are on the disk.
    pub fsync: AuditSync,
    /// Whether writes are refused while the audit cannot be written.
    pub required: bool,
}

/// The time at which a line of the audit is on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditSync {
    /// Before the call is answered.
    #[default]
    Each,
    /// Within a second.
    Second,
    /// When the system writes it.
    Never,
}

/// The counters of the audit.
#[derive(Debug, Default)]
pub(super) struct AuditCounters {
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) lost: AtomicU64,
}
