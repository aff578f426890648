//! An invented identity provider, a provider for it with at most one defect, and the harness.

mod client;
mod defect;
mod harness;
mod jwt;
mod login;
mod oauth;
mod provider;
mod server;
mod sessions;

pub(crate) use defect::Defect;
pub(crate) use harness::Toy;
