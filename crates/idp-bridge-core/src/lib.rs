//! The words of idp-bridge: what a user, a call, an identity provider and an error are.
//!
//! Everything else depends on this crate, and this crate does no IO.
//! A connector implements [`IdentityProvider`] for one identity provider product and
//! [`Connector`] to be built from a tenant's settings; a [`Registry`] holds the connectors of a binary.

mod call;
mod capabilities;
mod clock;
mod connector;
mod directory;
mod error;
mod federation;
mod finding;
mod marking;
mod matches;
mod provider;
mod registry;
mod scope;
mod secret;
mod user;
mod values;

pub use call::{Call, CallKind, UserKey};
pub use capabilities::{Capabilities, Fidelity, Field, Support};
pub use clock::{Clock, Random, SystemClock, SystemRandom};
pub use connector::{Connector, ConnectorContext, OutboundPolicy, PrivateNetworks};
pub use directory::{Directory, Hit, MailKind, Page, SearchKey, StoredUser, UserStore};
pub use error::{Error, ErrorKind, Origin, Result};
pub use federation::{
    EndSession, Ended, Federation, FederationCapabilities, FederationMetadata, FederationSettings, Liveness, LoggedOut,
    Logout, LogoutFallback, LogoutNotice, LogoutReach, OauthClient, TokenIdentity, TokenUser,
};
pub use finding::{Finding, Verdict};
pub use marking::{EmailStatus, mark_verified};
pub use matches::{Matches, if_found};
pub use provider::{Deleted, IdentityProvider};
pub use registry::{ConfigError, Registry, RegistryEntry};
pub use scope::{CallScope, Outcome, Recorder};
pub use secret::Secret;
pub use user::{Customer, User, UserRecord};
pub use values::{AccessToken, CustomerId, Email, InvalidValue, SessionId, TenantId, UserId};

/// Re-exported so that a connector names the same versions in its public types.
pub use async_trait::async_trait;
pub use {jiff, schemars, serde};
