//! The Amazon Cognito connector of idp-bridge.
//!
//! [`Cognito`] serves the seven calls from one user pool, with AWS credentials. It requests mails as one of the pool's app clients.
//! For federation it validates tokens at the pool's domain, and ends logins as the app client that started them.
//!
//! Comments describe Cognito as AWS documents it, unless they name another source. The connector was not tried on the live service.

mod client;
mod config;
mod credentials;
mod diagnose;
mod error;
mod federation;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod map;
mod provider;
mod search;
pub mod setup;
mod store;
mod transport;

pub use config::{CognitoConfig, CustomerIndexConfig, CustomerLookup};
pub use provider::Cognito;
pub use store::CognitoStore;
