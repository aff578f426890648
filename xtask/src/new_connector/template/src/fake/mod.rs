//! A fake New IdP on 127.0.0.1 with users in memory, and the part of its API that the connector uses.
//!
//! Its statuses and bodies were recorded from a real one. It is stricter: a request that a careful client never sends is
//! a 400.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Exchange, Fake, FakeServer, Incoming};
use idp_bridge_http::Method;
use serde_json::{Value, json};

/// A fake New IdP that runs until it is dropped.
pub struct FakeNewIdp(FakeServer<Users>);

/// The users, as the API returns them.
#[derive(Default)]
pub struct Users {
    by_id: BTreeMap<String, Value>,
    made: u64,
}

impl FakeNewIdp {
    /// An API token with every right.
    pub const TOKEN: &'static str = "token-with-every-right";
    /// A valid API token without rights.
    pub const TOKEN_WITHOUT_RIGHTS: &'static str = "token-without-rights";

    /// Starts the fake without users.
    pub async fn start() -> std::io::Result<Self> {
        Ok(Self(FakeServer::start(Users::default()).await?))
    }

    /// Returns the base URL, without a trailing slash.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Creates a user with these members and returns its id.
    pub fn create(&self, user: Value) -> String {
        self.0.with(|users| users.create(user))
    }

    /// Changes a user, if it exists.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        self.0.with(|users| users.by_id.get_mut(id).map(change));
    }

    /// Returns the requests since the last call of this method, with their answers.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.0.take_exchanges()
    }
}

impl Users {
    fn create(&mut self, mut user: Value) -> String {
        self.made += 1;
        // An id with one letter changed belongs to no other user.
        let id = format!("{:016x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if let Some(members) = user.as_object_mut() {
            members.insert("id".into(), json!(id));
        }
        self.by_id.insert(id.clone(), user);
        id
    }

    fn user(&self, id: &str) -> Answer {
        self.by_id.get(id).map_or_else(|| refusal(404, "user_not_found"), success)
    }
}

impl Fake for Users {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let Some(segments) = request.segments() else {
            return refusal(400, "stricter_than_new_idp: a segment of the path is empty, folds or is unreadable");
        };
        let Some(query) = request.query() else {
            return refusal(400, "stricter_than_new_idp: a parameter comes twice, or is unreadable");
        };
        match request.bearer() {
            Some(FakeNewIdp::TOKEN) => {}
            Some(FakeNewIdp::TOKEN_WITHOUT_RIGHTS) => return refusal(403, "forbidden"),
            _ => return refusal(401, "invalid_token"),
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match (&request.method, segments.as_slice(), query.as_slice()) {
            (&Method::GET, ["api", "users", id], []) => self.user(id),
            _ => refusal(404, "no_such_path"),
        }
    }
}

fn success(body: &Value) -> Answer {
    Answer::new(200, "application/json", body.to_string())
}

fn refusal(status: u16, code: &str) -> Answer {
    Answer::new(status, "application/json", json!({"code": code}).to_string())
}
