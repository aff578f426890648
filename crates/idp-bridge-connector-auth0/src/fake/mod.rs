//! A fake Auth0 tenant on 127.0.0.1: logins, tokens, password resets, and the part of the Management API that the connector uses.
//!
//! Mails are recorded instead of sent. Tests can freeze the search index, since the real one lags behind.
//!
//! Responses have the shape of those that Auth0's SDKs recorded; exceptions are marked. The fake is stricter than Auth0: it rejects
//! requests that the connector must not make, such as a search without its version.

mod answer;
mod key;
mod login;
mod logins;
mod management;
pub(crate) mod query;
mod sessions;
mod tenant;
mod token;
mod users;

use std::collections::BTreeMap;

pub use idp_bridge_conformance::fake::{Answer, Exchange, Incoming};
use idp_bridge_conformance::fake::{Fake, FakeServer};
use serde_json::Value;

use answer::stricter_than_auth0;
pub use key::Key;
pub use tenant::{Application, Connection, Mail, Tenant};

/// A fake Auth0 tenant, alive until it is dropped.
pub struct FakeAuth0(FakeServer<Tenant>);

impl FakeAuth0 {
    /// The tenant's domain.
    pub const DOMAIN: &'static str = "fake.eu.auth0.com";

    /// Starts a tenant without applications, connections and users.
    pub async fn start() -> std::io::Result<Self> {
        let mut tenant = Tenant::default();
        tenant.rotate_key()?;
        Ok(Self(FakeServer::start(tenant).await?))
    }

    /// Returns the base URL, without a trailing slash.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Runs a function with the tenant between two requests.
    pub fn with<T>(&self, act: impl FnOnce(&mut Tenant) -> T) -> T {
        self.0.with(act)
    }

    /// Calls [`Tenant::insert`].
    pub fn insert(&self, user: Value) {
        self.with(|tenant| tenant.insert(user));
    }

    /// Calls [`Tenant::change`].
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        self.with(|tenant| tenant.change(id, change));
    }

    /// Returns the requests since the last call, with their responses.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.0.take_exchanges()
    }

    /// Returns all recorded mails.
    pub fn mails(&self) -> Vec<Mail> {
        self.with(|tenant| tenant.mails.clone())
    }
}

impl Fake for Tenant {
    fn answer(&mut self, request: &Incoming) -> Answer {
        if let Some(limited) = self.rate_limited() {
            return limited;
        }
        let Some(segments) = request.segments() else {
            return stricter_than_auth0("a path has an empty, folding or unreadable segment");
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let answered = match segments.as_slice() {
            ["oauth", "token"] => self.token(request),
            ["dbconnections", "change_password"] => self.change_password(request),
            ["api", "v2", path @ ..] => self.management(path, request),
            path => self.answer_public(path, request),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}

/// Returns the query. Fails for other parameters than these, as Auth0 does (auth0.net #157).
fn query(request: &Incoming, known: &[&str]) -> Result<BTreeMap<String, String>, Answer> {
    let Some(query) = request.query() else {
        return Err(stricter_than_auth0("a parameter is repeated or malformed"));
    };
    match query.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(answer::invalid_query(&format!("'Additional properties not allowed: {name}'"))),
        None => Ok(query),
    }
}

/// Returns the JSON object of the body. Fails for other members than these.
fn body(request: &Incoming, known: &[&str]) -> Result<Value, Answer> {
    let Some(body) = request.json().filter(Value::is_object) else {
        return Err(stricter_than_auth0("the body or its content type is not a JSON object"));
    };
    let unknown = body.as_object().and_then(|members| members.keys().find(|name| !known.contains(&name.as_str())));
    match unknown {
        Some(name) => Err(answer::invalid_body(&format!("'Additional properties not allowed: {name}'"))),
        None => Ok(body),
    }
}

/// Returns a member that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
