//! The one place that reads the environment.

use std::ffi::OsString;
use std::path::PathBuf;

/// Names the configuration, if `--config` does not.
pub(crate) const CONFIG: &str = "IDP_BRIDGE_CONFIG";
/// Says which log lines are written, in the words of `server.log.filter`.
pub(crate) const LOG: &str = "IDP_BRIDGE_LOG";

/// The path in `IDP_BRIDGE_CONFIG`.
pub(crate) fn config() -> Option<PathBuf> {
    read(CONFIG).map(PathBuf::from)
}

/// The filter in `IDP_BRIDGE_LOG`.
pub(crate) fn log() -> Option<String> {
    read(LOG)?.into_string().ok()
}

/// A variable that a key names: none if it is not set, empty or no UTF-8.
pub(crate) fn secret(name: &str) -> Option<String> {
    read(name)?.into_string().ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn read(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
