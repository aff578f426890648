//! Runs the conformance suite on a real server, with the stage of a definition.

mod harness;
mod mail_server;

pub use harness::DefinitionHarness;
