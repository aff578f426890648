//! Tests of changes, restarts and broken logs under load.
//!
//! They are small by default. With `IDP_BRIDGE_LOAD=full` in the environment of the build they make 500 calls a second, 200
//! changes of the configuration and 20 restarts, and the log is broken for 30 seconds.

mod broken_log;
mod changes;
mod restarts;

/// Whether the tests were built in full size.
pub(crate) const IS_FULL: bool = option_env!("IDP_BRIDGE_LOAD").is_some();

/// The number of calls in a second.
pub(crate) const CALLS_PER_SECOND: u32 = if IS_FULL { 500 } else { 100 };
