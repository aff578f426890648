//! The suite that every idp-bridge connector passes, in tree or out of tree.
//!
//! A connector brings a [`Harness`]: a way to make providers and users. The suite brings everything else: the cases, their
//! selection by what the provider declares, a proxy that goes wrong on demand, and the report.
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
//! In `tests/conformance.rs` a harness, and [`main`]. `cargo test` then has a line for each case, takes a filter such as
//! `cargo test --test conformance -- faults::`, and ends with how many cases passed, failed and do not apply.
//! Elsewhere, [`run`] answers the same as a [`Report`].
//!
//! # What a case is
//!
//! Each case names the promise that it proves, in the words of the contract
//! ([`IdentityProvider`](idp_bridge_core::IdentityProvider)), so a failure says which promise is broken.
//! A call that the provider declares unsupported has one case instead of its own ones: it answers so, without a request.
//! A case whose [`Need`] the harness cannot stage is not applicable: it is counted with its reason, and never passes.
//!
//! # Federation
//!
//! A connector with an OAuth side brings a [`FederationHarness`] as well: logins, and a look at the identity provider itself.
//! Whatever can be forged without a key of the identity provider, the suite forges itself, so that real ones are put to it, too.
//! What it saw to die at a logout is no promise, but stands in the report as [`Observation`]s.

mod answer;
mod bullet;
mod case;
mod cases;
pub mod fake;
mod fault;
mod federation;
pub mod fixture;
mod forge;
mod harness;
mod login;
mod observation;
mod proxy;
mod report;
mod run;
mod scene;

pub use federation::{Alive, ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Tokens};
pub use harness::{Control, Harness, Need, NewUser, SecondOrigin, Staged, UserKind};
pub use observation::Observation;
pub use report::{Failed, NotApplicable, Passed, Report};
pub use run::{main, run, run_only};

/// Re-exported so that a harness needs no dependency of its own for it.
pub use idp_bridge_core::async_trait;
