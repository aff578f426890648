//! The only place of these tasks that reads the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The value of a variable, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "these tasks are a program of their own, and this is their one reader")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The cargo that runs these tasks, so that they use the same toolchain.
pub(crate) fn cargo() -> PathBuf {
    variable("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// The path as people type it where they are: relative, if it lies below.
pub(crate) fn readable(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
