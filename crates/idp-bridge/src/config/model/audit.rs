//! The settings of the audit.

use std::path::PathBuf;

use idp_bridge_server::{AuditSettings, AuditSync};
use schemars::JsonSchema;
use serde::Deserialize;

/// The audit: one line for each write and each logout. Off without this table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    /// The file, which lines are appended to. SIGHUP opens it again. The default is standard error.
    #[schemars(extend("format" = "path"))]
    pub(crate) file: Option<PathBuf>,
    /// When lines are on the disk: `each` (before the call is answered), `second` (within a second) or `never` (when the system
    /// writes them).
    #[serde(default)]
    pub(crate) fsync: AuditSync,
    /// Whether writes are answered 503 while the audit cannot be written.
    #[serde(default)]
    pub(crate) required: bool,
}

impl Audit {
    /// Returns the settings for the server.
    pub(crate) fn to_settings(&self) -> AuditSettings {
        AuditSettings { file: self.file.clone(), fsync: self.fsync, required: self.required }
    }
}
