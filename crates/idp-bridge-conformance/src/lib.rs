//! The suite that every idp-bridge connector passes, in tree or out of tree.
//!
//! A connector brings a [`Harness`]: a way to make providers and users. The suite brings everything else.

mod harness;

pub use harness::{Control, Harness, Need, NewUser, Staged, UserKind};
