//! A fake OpenID Provider, and the harnesses that run the conformance suite against it and against a real one.

pub mod fake;
pub mod harness;
