//! A stand-in for an OpenID Provider, spoken to over HTTP: no product, but what the standards say, strictly.
//!
//! It has users, clients and logins, and the endpoints that a bridge uses.
//! Logins are made in its memory: [`Issuer::log_in`] gives the tokens that an application would get.

mod answer;
mod issuer;
mod login;

use std::io;

use idp_bridge_conformance::fake::{Exchange, FakeServer};

pub use issuer::{Client, Issuer, User};
pub use login::{Login, Tokens};

/// A fake OpenID Provider that listens on a port of its own, alive until it is dropped.
pub struct FakeOidc(FakeServer<Issuer>);

impl FakeOidc {
    /// Starts one without users and clients.
    pub async fn start() -> io::Result<Self> {
        let server = FakeServer::start(Issuer::new()?).await?;
        let url = server.url();
        server.with(|issuer| issuer.url = url);
        Ok(Self(server))
    }

    /// The issuer, which is its base URL.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Looks at what the issuer keeps, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Issuer) -> T) -> T {
        self.0.with(act)
    }

    /// All requests since the last time they were taken, with their answers.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.0.take_exchanges()
    }
}
