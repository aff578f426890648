//! Reads the environment of these tasks.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Returns a variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "these tasks are a separate program, which reads its environment here")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the cargo that runs these tasks.
pub(crate) fn cargo() -> PathBuf {
    variable("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Formats a path for people: relative to the current folder, if it is below it.
pub(crate) fn readable(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
