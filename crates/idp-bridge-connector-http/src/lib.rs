//! The connector of idp-bridge for products that a definition describes.
//!
//! A definition is a TOML file: settings, credentials, the places of a user's fields, a request for each call, and the meaning of
//! refusals.
//! [`Definition::parse`] checks it; a mistake is an error with its line. [`Http`] runs it on top of
//! [`Directory`](idp_bridge_core::Directory), so that a definition cannot break the rules that all products share.
//!
//! - A value of a call is one percent-encoded segment of a path, one value of a query or one text of a JSON body. Beside other text, as in a
//!   filter, it needs a function that quotes it.
//! - A credential is bound to one origin, and requests to another one cannot have it.
//! - A refusal that the definition does not list is never reported as a missing user or a refused credential.

mod api;
mod body;
pub mod catalog;
mod config;
mod conjunction;
mod credential;
mod definition;
mod diagnose;
mod federation;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod map;
mod needed;
mod pointer;
mod provider;
mod refusal;
mod request;
mod select;
mod settings;
mod stage;
mod store;
mod template;
mod text_or;
mod values;

pub use config::HttpConfig;
pub use definition::{Definition, DefinitionError};
pub use provider::Http;
pub use stage::{StagedUser, Staging};
