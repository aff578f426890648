//! The types and contracts of idp-bridge: users, calls, identity providers and errors.
//!
//! Every other crate depends on this one. It does no IO.
//!
//! A connector implements [`Connector`], which builds a provider from a tenant's settings. Most providers are a
//! [`Directory`] over a [`UserStore`]; a product that does not fit implements [`IdentityProvider`] itself.
//! A [`Registry`] contains the connectors of a binary.

mod call;
mod capabilities;
mod clock;
mod connector;
mod counters;
mod directory;
mod error;
mod federation;
mod finding;
mod mail;
mod marking;
mod matches;
mod provider;
mod registry;
mod scope;
mod secret;
mod setup;
mod timeline;
mod trace_context;
mod user;
pub mod uuid;
mod values;

pub use call::{Call, CallKind, UserKey};
pub use capabilities::{Capabilities, Fidelity, Field, Support};
pub use clock::{Clock, Random, SystemClock, SystemRandom};
pub use connector::{ClientCertificate, Connector, ConnectorContext, OutboundPolicy, PrivateNetworks, UpstreamLimits};
pub use counters::{AttemptResult, CountedAttempt, SharedValue, UpstreamCounters};
pub use directory::{Directory, Hit, MailKind, Page, SearchKey, StoredUser, UserStore};
pub use error::{Error, ErrorKind, Origin, Result};
pub use federation::{
    EndSession, Ended, Federation, FederationCapabilities, FederationMetadata, FederationSettings, Liveness, LoggedOut,
    Logout, LogoutFallback, LogoutNotice, LogoutReach, OauthClient, TokenIdentity, TokenUser,
};
pub use finding::{Finding, Verdict};
pub use mail::{MailToken, MailTokens};
pub use marking::{EmailStatus, mark_verified};
pub use matches::{Matches, if_found};
pub use provider::{Deleted, IdentityProvider};
pub use registry::{ConfigError, Registry, RegistryEntry};
pub use scope::{CallScope, Outcome, Recorder};
pub use secret::Secret;
pub use setup::SetupStep;
pub use timeline::{Attempt, BreakerDecision, RunningAttempt, RunningStep, Step, Timeline};
pub use trace_context::TraceContext;
pub use user::{Customer, User, UserRecord};
pub use values::{AccessToken, CustomerId, Email, InvalidValue, SessionId, TenantId, UserId};

/// Re-exported for connectors, so that their public types use the same versions.
pub use async_trait::async_trait;
pub use {jiff, schemars, serde};
