//! A fake Auth0 tenant, the harness that runs the conformance suite against it, and a comparison with recorded traffic.

pub mod contract;
pub mod fake;
pub mod harness;
