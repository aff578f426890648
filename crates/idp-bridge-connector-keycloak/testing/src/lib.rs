//! A fake Keycloak, and the harness that runs the conformance suite against it and against a real one.

pub mod fake;
pub mod harness;
