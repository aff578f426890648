//! The revocation list: tokens that userinfo rejects although their identity provider may still accept them.
//!
//! A logout depends on this list, so a store keeps its entries, also over a restart.

mod expiry;
mod file;
mod memory;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use expiry::{add, all_tokens_expired, token_expired};
pub use file::{FileRevocations, FolderState};
pub use memory::MemoryRevocations;
pub use store::{Revocation, RevocationStore, RevokedKey};
