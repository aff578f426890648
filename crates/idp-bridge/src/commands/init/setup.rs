//! The common parts of setups through an identity provider's API.

use std::time::Duration;

use idp_bridge_core::{CallScope, Error, SetupStep};

use crate::config::Problem;
use crate::report::{Failure, with_causes};

/// The time limit of a setup.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the scope of the requests of a setup.
pub(super) fn scope() -> CallScope {
    CallScope::new("init", TIMEOUT)
}

/// Lists the created and the found parts.
pub(super) fn describe_steps(title: &str, steps: &[SetupStep]) -> String {
    let lines = steps.iter().map(|step| {
        let verb = if step.is_created { "created" } else { "found" };
        format!("  {verb:<8} {}\n", step.part)
    });
    format!("{title}:\n{}", lines.collect::<String>())
}

/// Returns the failure of a setup. The hint is for errors without one of their own.
pub(super) fn refused(error: &Error, hint: &str) -> Failure {
    let own = error.hint().map(str::to_owned);
    Failure::negative(Problem::new(with_causes(error)).with_hint(own.unwrap_or_else(|| hint.to_owned())))
}
