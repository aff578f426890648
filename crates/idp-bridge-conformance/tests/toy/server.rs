//! The toy identity provider: users in memory, behind HTTP, with rights and a mail system.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use idp_bridge_conformance::fake::openid::OpenId;
use idp_bridge_conformance::fake::{self, Fake, FakeServer, Incoming};
use idp_bridge_conformance::{NewUser, UserKind};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Clock as _, CustomerId, Email, SystemClock, UserId};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::sessions::openid;

/// The identity provider, at its address.
pub(super) struct Server {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

pub(super) struct State {
    pub(super) openid: OpenId<UserTable>,
    mails: Vec<String>,
    made: u64,
}

/// The users, by id.
#[derive(Default)]
pub(super) struct UserTable(pub(super) BTreeMap<String, Stored>);

pub(super) struct Stored {
    pub(super) user: NewUser,
    created: Timestamp,
    updated: Option<Timestamp>,
    logins: Vec<Timestamp>,
    self_written: Option<CustomerId>,
}

pub(super) type Answer = (StatusCode, Value);

impl Server {
    /// Starts the identity provider, which stops when the second value is dropped.
    pub(super) async fn start() -> std::io::Result<(Self, FakeServer<Self>)> {
        let state = Arc::new(Mutex::new(State { openid: openid(), mails: Vec::new(), made: 0 }));
        let serving = FakeServer::start(Self { address: String::new(), state: Arc::clone(&state) }).await?;
        Ok((Self { address: serving.url().replace("http://", ""), state }, serving))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn create(&self, user: NewUser) -> UserId {
        let mut state = self.state();
        let id = state.new_name("Toy");
        let created = SystemClock.now();
        let stored = Stored { user, created, updated: None, logins: Vec::new(), self_written: None };
        state.users().insert(id.clone(), stored);
        UserId::new(id).unwrap()
    }

    pub(super) fn block(&self, id: &UserId) {
        self.state().users().get_mut(id.as_str()).unwrap().user.blocked = true;
    }

    pub(super) fn delete(&self, id: &UserId) {
        self.state().users().remove(id.as_str()).unwrap();
    }

    pub(super) fn exists(&self, id: &UserId) -> bool {
        self.state().users().contains_key(id.as_str())
    }

    pub(super) fn change_email(&self, id: &UserId, email: &Email) {
        let mut state = self.state();
        let stored = state.users().get_mut(id.as_str()).unwrap();
        (stored.user.email, stored.updated) = (Some(email.clone()), Some(SystemClock.now()));
    }

    /// Writes the field that users may edit.
    pub(super) fn edit_self(&self, email: &Email, value: &CustomerId) {
        let mut state = self.state();
        let id = state.openid.users.id_of(email.as_str()).unwrap();
        state.users().get_mut(&id).unwrap().self_written = Some(value.clone());
    }

    pub(super) fn log_in(&self, email: &Email, password: &str) -> bool {
        let mut state = self.state();
        let id = state.openid.users.id_of(email.as_str());
        let Some(stored) = id.and_then(|id| state.users().get_mut(&id)) else { return false };
        let is_allowed = stored.user.password.as_deref() == Some(password) && !stored.user.blocked;
        if is_allowed {
            stored.logins.push(SystemClock.now());
        }
        is_allowed
    }

    pub(super) fn mails(&self, email: &Email) -> usize {
        self.state().mails.iter().filter(|to| to.eq_ignore_ascii_case(email.as_str())).count()
    }

    fn route(&self, method: &Method, path: &str, query: Option<&str>, role: &str, body: &[u8]) -> Answer {
        let segments = folded(path);
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let [realm, rest @ ..] = segments.as_slice() else { return error(StatusCode::NOT_FOUND, "path") };
        if *realm != "acme" {
            return error(StatusCode::NOT_FOUND, "realm");
        }
        if *rest == ["token"] {
            return token(body);
        }
        if *rest == ["public"] {
            return (StatusCode::OK, json!({"resets": true}));
        }
        if let Some(answer) = self.route_oauth(method, rest, role, body) {
            return answer;
        }
        let (reads, writes) = (matches!(role, "full" | "readonly"), role == "full");
        match (method, rest) {
            _ if !matches!(role, "full" | "readonly" | "narrow" | "none") => error(StatusCode::UNAUTHORIZED, "token"),
            (&Method::GET, ["rights"]) => (StatusCode::OK, json!({"reads": reads, "writes": writes})),
            (&Method::GET, ["users"]) if role == "narrow" => (StatusCode::OK, json!([])),
            (&Method::GET, _) if !reads => error(StatusCode::FORBIDDEN, "role"),
            (&Method::GET, ["users"]) => self.search(query.unwrap_or_default()),
            (&Method::GET, ["users", "count"]) => (StatusCode::OK, json!({"id": "count"})),
            (&Method::GET, ["users", id]) => self.get(id),
            _ if !writes => error(StatusCode::FORBIDDEN, "role"),
            (_, ["users", id, rest @ ..]) => self.write(method, id, rest, body),
            _ => error(StatusCode::NOT_FOUND, "path"),
        }
    }

    fn search(&self, query: &str) -> Answer {
        let mut parts = query.splitn(2, '=');
        let (name, value) = (parts.next().unwrap(), decoded(parts.next().unwrap_or_default()));
        let mut state = self.state();
        let found = state.users().iter().filter(|(_, stored)| match name {
            "email" => stored.user.email.as_ref().is_some_and(|email| email.as_str().eq_ignore_ascii_case(&value)),
            "customer" => stored.user.customers.iter().any(|customer| customer.as_str() == value),
            _ => true,
        });
        (StatusCode::OK, found.map(|(id, stored)| stored.json(id)).collect())
    }

    fn get(&self, id: &str) -> Answer {
        let mut state = self.state();
        let found = state.users().get(id).map(|stored| (StatusCode::OK, stored.json(id)));
        found.unwrap_or_else(|| error(StatusCode::NOT_FOUND, "user"))
    }

    fn write(&self, method: &Method, id: &str, rest: &[&str], body: &[u8]) -> Answer {
        let mut guard = self.state();
        let State { openid, mails, .. } = &mut *guard;
        let users = &mut openid.users.0;
        let Some(stored) = users.get_mut(id) else { return error(StatusCode::NOT_FOUND, "user") };
        match (method, rest) {
            (&Method::DELETE, []) => drop(users.remove(id)),
            (&Method::PUT, []) => stored.change(&serde_json::from_slice(body).unwrap()),
            (&Method::POST, ["verification" | "reset"]) => match &stored.user.email {
                _ if stored.user.blocked => return error(StatusCode::BAD_REQUEST, "state"),
                None => return error(StatusCode::BAD_REQUEST, "state"),
                Some(email) if email.as_str().starts_with("undeliverable") => {
                    return error(StatusCode::INTERNAL_SERVER_ERROR, "mail");
                }
                Some(email) if email.as_str().starts_with("unaccepted") => {
                    return (StatusCode::OK, json!({"accepted": false}));
                }
                Some(email) => mails.push(email.as_str().to_owned()),
            },
            _ => return error(StatusCode::NOT_FOUND, "path"),
        }
        (StatusCode::NO_CONTENT, Value::Null)
    }
}

impl Fake for Server {
    fn answer(&mut self, request: &Incoming) -> fake::Answer {
        let query = request.target.split_once('?').map(|(_, query)| query);
        let role = request.header(&AUTHORIZATION).unwrap_or_default();
        let (status, value) = self.route(&request.method, request.path(), query, role, &request.body);
        let body = if status == StatusCode::NO_CONTENT { String::new() } else { value.to_string() };
        fake::Answer::new(status.as_u16(), "application/json", body)
    }
}

impl State {
    /// Returns a unique name. A name with one letter changed is not in use.
    fn new_name(&mut self, word: &str) -> String {
        self.made += 1;
        format!("{word}-{:016x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn users(&mut self) -> &mut BTreeMap<String, Stored> {
        &mut self.openid.users.0
    }
}

impl UserTable {
    pub(super) fn id_of(&self, email: &str) -> Option<String> {
        let is_meant = |stored: &Stored| stored.user.email.as_ref().is_some_and(|own| own.as_str() == email);
        self.0.iter().find(|(_, stored)| is_meant(stored)).map(|(id, _)| id.clone())
    }
}

impl Stored {
    fn json(&self, id: &str) -> Value {
        json!({
            "id": id,
            "email": self.user.email,
            "email_verified": self.user.email_verified,
            "blocked": self.user.blocked,
            "second_email": self.user.second_email,
            "customers": self.user.customers,
            "self_written": self.self_written,
            "service_account": self.user.kind == UserKind::ServiceAccount,
            "created": self.created,
            "updated": self.updated,
            "last_login": self.logins.last(),
            "logins": self.logins.len(),
        })
    }

    fn change(&mut self, changes: &Value) {
        self.updated = Some(SystemClock.now());
        if let Some(verified) = changes["email_verified"].as_bool() {
            self.user.email_verified = verified;
        }
        if let Some(customers) = changes["customers"].as_array() {
            let customers = customers.iter().filter_map(Value::as_str);
            self.user.customers = customers.map(|customer| CustomerId::new(customer).unwrap()).collect();
        }
        if let Some(password) = changes["password"].as_str() {
            self.user.password = Some(password.to_owned());
        }
    }
}

fn token(secret: &[u8]) -> Answer {
    match secret {
        b"secret" => (StatusCode::OK, json!({"token": "full"})),
        b"secret-readonly" => (StatusCode::OK, json!({"token": "readonly"})),
        b"secret-narrow" => (StatusCode::OK, json!({"token": "narrow"})),
        b"secret-none" => (StatusCode::OK, json!({"token": "none"})),
        _ => error(StatusCode::UNAUTHORIZED, "secret"),
    }
}

pub(super) fn error(status: StatusCode, reason: &str) -> Answer {
    (status, json!({"error": reason}))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Returns the segments of a path, with dot segments resolved as real servers do.
fn folded(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
        match segment {
            ".." => drop(segments.pop()),
            segment => segments.push(decoded(segment)),
        }
    }
    segments
}
