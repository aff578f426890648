//! The revocation list: tokens that userinfo rejects although their identity provider may still accept them.
//!
//! A logout depends on this list, so a store keeps its entries, also over a restart.

mod expiry;
mod memory;
mod store;

pub(crate) use expiry::{add_saturating, all_tokens_expired, token_expired};
pub use memory::MemoryRevocations;
pub(crate) use store::Kept;
pub use store::{Revocation, RevocationStore, RevokedKey};
