//! Reads environment variables. No other code of the program does.

use std::ffi::OsString;
use std::path::PathBuf;

/// The path of the configuration, if `--config` is absent.
pub(crate) const CONFIG: &str = "IDP_BRIDGE_CONFIG";
/// The log filter, in the syntax of `server.log.filter`.
pub(crate) const LOG: &str = "IDP_BRIDGE_LOG";

/// Returns the path in `IDP_BRIDGE_CONFIG`.
pub(crate) fn config() -> Option<PathBuf> {
    read(CONFIG).map(PathBuf::from)
}

/// Returns the filter in `IDP_BRIDGE_LOG`.
pub(crate) fn log_filter() -> Option<String> {
    variable(LOG)
}

/// Returns the value of a variable, or `None` if it is unset, empty or not UTF-8.
pub(crate) fn variable(name: &str) -> Option<String> {
    read(name)?.into_string().ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn read(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
