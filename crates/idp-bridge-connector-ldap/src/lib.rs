//! The connector of idp-bridge for an LDAP directory, such as OpenLDAP or Active Directory.
//!
//! [`Ldap`] sends searches and writes below [`Directory`](idp_bridge_core::Directory), which applies the rules that all products
//! share: exact matches, ambiguity, service accounts, marks and mails.
//!
//! - The protocol is encoded and parsed here (RFC 4511). Values of calls are never a part of a filter's text. The crate ldap3
//!   (0.12.1, read in November 2026) panics on search references and parses answers of any depth recursively.
//! - An empty result is an answer only if the directory shows other users with the attribute of the search.
//! - Referrals are never followed.
//! - A write names the id of its user, so that an entry of another user at the same place does not change.
//! - Errors contain no values, no names of entries and no messages of the server.

mod ber;
mod client;
mod config;
mod connection;
mod diagnose;
mod error;
mod filter;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod map;
mod message;
mod preset;
mod provider;
mod server;
mod store;
mod values;

pub use config::{Attributes, LdapConfig};
pub use preset::Preset;
pub use provider::Ldap;
