//! The conformance suite for connectors of idp-bridge, in tree or out of tree.
//!
//! A connector implements a [`Harness`], which creates providers and users. The suite contains the cases, selects them by the
//! provider's capabilities, injects faults with its own proxy, and writes a report.
//!
//! # Use
//!
//! In `Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//!
//! [dev-dependencies]
//! idp-bridge-conformance = "0.1"
//! ```
//!
//! `tests/conformance.rs` contains a harness and calls [`main`]. `cargo test` then prints a line for each case, accepts a filter
//! such as `cargo test --test conformance -- faults::`, and ends with the numbers of cases that passed, failed and do not apply.
//! [`run`] returns a [`Report`] instead.
//!
//! # Cases
//!
//! Each case quotes the promise of the contract that it proves ([`IdentityProvider`](idp_bridge_core::IdentityProvider)).
//! A call that the provider declares unsupported has one case: it must be `Unsupported` without a request.
//! A case with a [`Need`] that the harness declares as not applicable is counted with the reason, and never as passed.
//!
//! # Federation
//!
//! A connector with federation also implements a [`FederationHarness`], which creates logins and inspects the identity provider.
//! The suite forges tokens itself where that needs no key of the identity provider, so these cases also run against a real one.
//! The report contains [`Observation`]s of the tokens that a logout ended.

mod bullet;
mod call_result;
mod case;
mod cases;
mod context;
pub mod fake;
mod fault;
mod federation;
pub mod fixture;
mod forge;
mod harness;
mod login;
mod observation;
mod proxy;
mod relay;
mod report;
mod run;

pub use federation::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, TokenStatus, Tokens,
};
pub use harness::{Control, Harness, Need, NewUser, SecondOrigin, Setup, TestResult, UserKind};
pub use observation::Observation;
pub use relay::{CommonAddress, Recorded, Recording, RecordingRelay};
pub use report::{Failed, NotApplicable, Passed, Report};
pub use run::{Suites, main, run, run_each, run_only};

/// Re-exported for harnesses.
pub use idp_bridge_core::async_trait;
