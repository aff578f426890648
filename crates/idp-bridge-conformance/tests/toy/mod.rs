//! A toy identity provider, a provider for it, and the harness of both: honest, or with one sin.

mod client;
mod harness;
mod provider;
mod server;
mod sin;

pub(crate) use harness::Toy;
pub(crate) use sin::Sin;
