//! A toy identity provider, a provider for it, and the harness of both: honest, or with one sin.

mod client;
mod harness;
mod jwt;
mod login;
mod oauth;
mod provider;
mod server;
mod sessions;
mod sin;

pub(crate) use harness::Toy;
pub(crate) use sin::Sin;
