//! A fake Cognito user pool, and the harnesses that run the conformance suite against it and against ministack.

pub mod fake;
pub mod harness;
