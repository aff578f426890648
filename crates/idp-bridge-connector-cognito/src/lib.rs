//! The Amazon Cognito connector of idp-bridge.
//!
//! [`Cognito`] answers the seven calls from one user pool, with AWS credentials and, for mails, as one of the pool's app clients.
//! For federation it asks the pool's domain whose a token is, and ends logins as the app client that made them.
//! What Cognito does is told as AWS documents it, unless a comment names another source: nothing here was tried on the live service.

mod client;
mod config;
mod credentials;
mod diagnose;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod federation;
#[cfg(feature = "fake")]
pub mod harness;
mod index;
mod map;
mod provider;
mod search;
#[cfg(test)]
mod tests;
mod transport;

pub use config::{CognitoConfig, CustomerIndexConfig, CustomerLookup};
pub use provider::Cognito;
