//! A fake Keycloak on 127.0.0.1 for tests: the endpoints that the connector and the harness use.
//!
//! It stores realms, clients, users, sessions and events, and records mails instead of sending them. Its responses are those of a real
//! Keycloak 26.7.3. It is stricter: an unknown query parameter or a search without a limit, for example, is a 400.

mod admin;
mod answer;
mod claims;
mod import;
mod openid;
pub mod query;
mod realm;
mod session;
mod token;
mod users;

use std::collections::BTreeMap;

pub use idp_bridge_conformance::fake::Exchange;
use idp_bridge_conformance::fake::{Answer, Fake, FakeServer, Incoming};
use idp_bridge_http::header;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use answer::recorded;
use realm::Realm;
pub use realm::User;

/// A fake Keycloak. Stops when it is dropped.
pub struct FakeKeycloak(FakeServer<World>);

/// A recorded mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The user's address.
    pub to: String,
    /// `send-verify-email` or `execute-actions-email`.
    pub order: String,
    /// The query parameters of the request, such as `lifespan`.
    pub options: BTreeMap<String, String>,
}

impl FakeKeycloak {
    /// The user name and password of the administrator of the realm `master`.
    pub const ADMIN: (&'static str, &'static str) = ("admin", "admin");

    /// Starts a fake without realms.
    pub async fn start() -> std::io::Result<Self> {
        let server = FakeServer::start(World::default()).await?;
        let url = server.url();
        server.with(|world| world.hostname = url);
        Ok(Self(server))
    }

    /// Returns the base URL, without a slash at its end.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Takes all requests since the last call, with their responses.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.0.take_exchanges()
    }

    /// Returns all mails.
    pub fn mails(&self) -> Vec<Mail> {
        self.0.with(|world| world.mails.clone())
    }

    /// Signs a header and claims with the key in the header's `kid`, and accepts the token like its own. `None` if the realm or the key
    /// does not exist.
    pub fn sign(&self, realm: &str, header: &Value, claims: &Value) -> Option<String> {
        self.0.with(|world| {
            let own = world.realms.get(realm)?;
            let key = own.keys.iter().find(|key| header.get("kid").is_some_and(|kid| kid == key.kid()))?;
            let token = key.sign(header, claims).ok()?;
            world.tokens.insert(token.clone(), Issued { realm: realm.into(), claims: claims.clone() });
            Some(token)
        })
    }

    /// Returns the recorded logout tokens of a realm, which a real Keycloak sends to back channels.
    pub fn logout_tokens(&self, realm: &str) -> Vec<String> {
        self.0.with(|world| world.realms.get(realm).map(|own| own.logout_tokens.clone()).unwrap_or_default())
    }

    /// Revokes one token.
    pub fn revoke_token(&self, token: &str) {
        self.0.with(|world| world.tokens.remove(token));
    }

    /// Makes all tokens invalid.
    pub fn expire_tokens(&self) {
        self.0.with(|world| world.tokens.clear());
    }

    /// Runs another writer directly after each change of a user by the Admin REST API.
    pub fn interfere(&self, writer: impl FnMut(&mut User) + Send + 'static) {
        self.0.with(|world| world.interfering = Some(Box::new(writer)));
    }
}

/// Another writer.
type Writer = Box<dyn FnMut(&mut User) + Send>;

/// The fake's state.
#[derive(Default)]
struct World {
    hostname: String,
    realms: BTreeMap<String, Realm>,
    tokens: BTreeMap<String, Issued>,
    mails: Vec<Mail>,
    interfering: Option<Writer>,
    issued: u64,
}

/// An issued token of any kind.
#[derive(Clone)]
struct Issued {
    /// The token's realm. The administrator's realm is `master`.
    realm: String,
    claims: Value,
}

impl Issued {
    /// Returns a text claim, or an empty text.
    fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Fake for World {
    fn answer(&mut self, request: &Incoming) -> Answer {
        // Keycloak refuses paths that are not normalized.
        let segments = request.segments().filter(|_| !request.path().to_ascii_lowercase().contains("%2e"));
        let Some(segments) = segments else {
            return recorded("path not normalized");
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let answered = match segments.as_slice() {
            ["realms", "master", "protocol", "openid-connect", "token"] => self.token("master", request),
            ["realms", realm, path @ ..] => self.openid(realm, path, request),
            ["admin", "realms", path @ ..] => self.admin(path, request),
            _ => Err(recorded("no resource method")),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }
}

/// Parses the query. Fails if it has other parameters than these.
fn parameters(request: &Incoming, allowed: &[&str]) -> Result<BTreeMap<String, String>, Answer> {
    let Some(parameters) = request.query() else {
        return Err(answer::stricter_than_keycloak("a parameter comes twice, or is unreadable"));
    };
    match parameters.keys().find(|name| !allowed.contains(&name.as_str())) {
        Some(name) => Err(answer::stricter_than_keycloak(&format!("unknown query parameter `{name}`"))),
        None => Ok(parameters),
    }
}

/// Parses the form in the body.
fn form(request: &Incoming) -> Result<BTreeMap<String, String>, Answer> {
    must_be(request, "application/x-www-form-urlencoded")?;
    request.form().ok_or_else(|| answer::stricter_than_keycloak("a field comes twice, or is unreadable"))
}

/// Parses the JSON object in the body. Refuses malformed bodies like Keycloak.
fn body<T: DeserializeOwned>(request: &Incoming, representation: &str) -> Result<T, Answer> {
    // serde accepts an array for a struct. Keycloak does not.
    if request.body.trim_ascii_start().starts_with(b"[") {
        return Err(recorded("other type"));
    }
    read(request, representation)
}

/// Parses the JSON array in the body.
fn list<T: DeserializeOwned>(request: &Incoming, representation: &str) -> Result<Vec<T>, Answer> {
    read(request, representation)
}

fn read<T: DeserializeOwned>(request: &Incoming, representation: &str) -> Result<T, Answer> {
    must_be(request, "application/json")?;
    serde_json::from_slice(&request.body).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
            Some((field, _)) => answer::unknown_field(representation, field, &error),
            None if error.is_data() => recorded("other type"),
            None => recorded("not json"),
        }
    })
}

fn must_be(request: &Incoming, content_type: &str) -> Result<(), Answer> {
    if request.header(&header::CONTENT_TYPE) == Some(content_type) {
        return Ok(());
    }
    Err(recorded("wrong content type"))
}
