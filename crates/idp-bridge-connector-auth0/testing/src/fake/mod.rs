//! A fake Auth0 tenant on 127.0.0.1: logins, tokens, password resets, and the part of the Management API that the connector uses.
//!
//! Mails are recorded instead of sent. Tests can freeze the search index, since the real one lags behind.
//!
//! Responses have the shape of those that Auth0's SDKs recorded; exceptions are marked. The fake is stricter than Auth0: it rejects
//! requests that the connector must not make, such as a search without its version.

mod answer;
mod login;
mod logins;
mod management;
mod sessions;
mod setup;
mod tenant;
mod token;
mod users;

use std::collections::BTreeMap;

pub use idp_bridge_conformance::fake::{Answer, Exchange, Incoming};
use idp_bridge_conformance::fake::{Fake, FakeServer, SigningKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use answer::{invalid_body, invalid_query, not_found, stricter_than_auth0};
pub use logins::Issued;
pub use tenant::{Application, Mail, Tenant, now};

/// A fake Auth0 tenant, alive until it is dropped.
pub struct FakeAuth0(FakeServer<Tenant>);

impl FakeAuth0 {
    /// The tenant's domain.
    pub const DOMAIN: &'static str = "fake.eu.auth0.com";

    /// Starts a tenant without applications, connections and users.
    pub async fn start() -> std::io::Result<Self> {
        let mut tenant = Tenant::default();
        tenant.logins.key = Some(SigningKey::rs256("key-1")?);
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
        let answered = match (request.method.as_str(), segments.as_slice()) {
            (_, ["api", "v2", path @ ..]) => self.management(path, request),
            ("GET", [".well-known", "openid-configuration"]) => Ok(self.discovery()),
            ("GET", [".well-known", "jwks.json"]) => Ok(self.jwks()),
            ("GET" | "POST", ["userinfo"]) => self.userinfo(request),
            ("POST", ["oauth", "token"]) => self.token(request),
            ("POST", ["oauth", "revoke"]) => self.revoke(request),
            ("POST", ["dbconnections", "change_password"]) => self.change_password(request),
            _ => Err(not_found()),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}

/// A form, or the parameters of a query.
#[derive(Debug, Clone)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Returns the form of the body.
    fn form(request: &Incoming) -> Result<Self, Answer> {
        request.form().map(Self).ok_or_else(|| stricter_than_auth0("the body is not a form"))
    }

    /// Returns the query. Fails for other parameters than these, as Auth0 does (auth0.net #157).
    fn query(request: &Incoming, known: &[&str]) -> Result<Self, Answer> {
        let query = request.query().ok_or_else(|| stricter_than_auth0("a parameter is repeated or malformed"))?;
        match query.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(invalid_query(&format!("'Additional properties not allowed: {name}'"))),
            None => Ok(Self(query)),
        }
    }

    /// Returns the value of a field, or an empty text.
    fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the requested page and its size.
    fn page(&self) -> Result<(usize, usize), Answer> {
        match (self.get("page").parse(), self.get("per_page").parse()) {
            (Ok(page), Ok(per_page @ 1..=100)) => Ok((page, per_page)),
            _ => Err(stricter_than_auth0("a list needs `page` and `per_page`")),
        }
    }
}

/// Parses the JSON object of the body.
fn body<T: DeserializeOwned>(request: &Incoming) -> Result<T, Answer> {
    let body = request.json().filter(Value::is_object);
    let body = body.ok_or_else(|| stricter_than_auth0("the body or its content type is not a JSON object"))?;
    serde_json::from_value(body).map_err(|error| invalid_body(&format!("'{error}'")))
}

/// Returns a member that is a text.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Sets members of an object.
fn set<const N: usize>(object: &mut Value, members: [(&str, Value); N]) {
    if let Some(own) = object.as_object_mut() {
        own.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
}

/// Returns whether a member is `true`.
fn is_true(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&json!(true))
}
