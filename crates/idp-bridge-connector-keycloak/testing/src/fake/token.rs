//! The fake's token endpoint.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, AssertionRules, Incoming};
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use super::answer::{self, recorded};
use super::import::Client;
use super::realm::{Login, Realm};
use super::session::Session;
use super::{FakeKeycloak, Issued, World};
use super::{form, parameters};

/// The accepted fields of a form.
const FIELDS: [&str; 12] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion_type",
    "client_assertion",
    "username",
    "password",
    "scope",
    "refresh_token",
    "code",
    "redirect_uri",
    "code_verifier",
];

impl World {
    pub(super) fn token(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        if request.method != Method::POST {
            return Err(recorded("method not allowed"));
        }
        parameters(request, &[])?;
        let form = form(request)?;
        if form.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            return Err(answer::stricter_than_keycloak("an unknown form parameter"));
        }
        if realm == "master" {
            return self.log_administrator_in(&form);
        }
        let own = self.enabled(realm)?;
        let Some(grant) = form.get("grant_type") else {
            return Err(recorded("missing grant type"));
        };
        let client = own.authenticate(&form)?.client_id;
        let bound = request.header(&HeaderName::from_static("dpop")).is_some();
        match grant.as_str() {
            "client_credentials" => self.log_client_in(realm, &client, &form),
            "password" => self.log_person_in(realm, &client, &form, bound),
            "refresh_token" => self.refresh(realm, &client, &form),
            // The fake has no logins by browser, so every code is made up.
            "authorization_code" => Err(recorded("code not valid")),
            _ => Err(recorded("unsupported grant type")),
        }
    }

    /// Returns the realm with this name, unless it is disabled.
    pub(super) fn enabled(&mut self, realm: &str) -> Result<&mut Realm, Answer> {
        let realm = self.realms.get_mut(realm).ok_or_else(|| recorded("realm unknown"))?;
        if realm.enabled { Ok(realm) } else { Err(recorded("realm disabled")) }
    }

    fn log_administrator_in(&mut self, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let has = |name: &str, value: &str| form.get(name).is_some_and(|own| own == value);
        let (user, password) = FakeKeycloak::ADMIN;
        let is_admin = has("username", user) && has("password", password);
        if !(is_admin && has("grant_type", "password") && has("client_id", "admin-cli")) {
            return Err(recorded("wrong password"));
        }
        self.issued += 1;
        let token = format!("fake-token-{}", self.issued);
        self.tokens.insert(token.clone(), Issued { realm: "master".into(), claims: Value::Null });
        Ok(granted(&token, "email profile"))
    }

    fn log_client_in(&mut self, realm: &str, client: &str, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let scope = scope(form);
        let claims = self.enabled(realm)?.own_token(client, &scope)?;
        Ok(granted(&self.issue(realm, "trrtcc", claims)?, &scope))
    }

    fn log_person_in(
        &mut self,
        realm: &str,
        client: &str,
        form: &BTreeMap<String, String>,
        bound: bool,
    ) -> Result<Answer, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let own = self.enabled(realm)?;
        if own.client(client).is_none_or(|client| !client.direct_access_grants_enabled) {
            return Err(recorded("no direct access"));
        }
        let user = own.check_password(field("username"), field("password"))?;
        let scope = scope(form);
        let offline = scope.split(' ').any(|own| own == "offline_access");
        if offline && own.user(&user).is_some_and(|user| !user.has_offline_access) {
            return Err(recorded("offline tokens not allowed"));
        }
        let session = Session { sid: own.new_id(), user, client: client.into(), scope, offline, bound };
        own.sessions.push(session.clone());
        self.tokens_of(realm, &session)
    }

    fn refresh(&mut self, realm: &str, client: &str, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let token = form.get("refresh_token").map(String::as_str).unwrap_or_default();
        let claims = self.refresh_token(realm, client, token)?;
        let own = self.enabled(realm)?;
        let is_offline = claims.get("typ").is_some_and(|kind| kind == "Offline");
        let sid = claims.get("sid").and_then(Value::as_str).unwrap_or_default();
        let session = own.sessions.iter().find(|own| own.sid == sid && own.offline == is_offline).cloned();
        let gone = || recorded(if is_offline { "offline session not found" } else { "session not active" });
        let session = session.ok_or_else(gone)?;
        match own.user(&session.user) {
            Some(user) if user.enabled => self.tokens_of(realm, &session),
            Some(_) => Err(recorded("user disabled")),
            None => Err(gone()),
        }
    }

    /// Returns the claims of this client's refresh token, even if its session has ended.
    pub(super) fn refresh_token(&self, realm: &str, client: &str, token: &str) -> Result<Value, Answer> {
        let issued = self.tokens.get(token).filter(|issued| issued.realm == realm);
        let issued = issued.filter(|issued| matches!(issued.text("typ"), "Refresh" | "Offline"));
        let issued = issued.ok_or_else(|| recorded("invalid refresh token"))?;
        if issued.text("azp") != client {
            return Err(recorded("refresh token of another client"));
        }
        Ok(issued.claims.clone())
    }
}

/// Returns the scopes of a login, with the default ones.
fn scope(form: &BTreeMap<String, String>) -> String {
    let requested = form.get("scope").map(String::as_str).unwrap_or_default();
    format!("{requested} email profile").trim_start().to_owned()
}

fn granted(token: &str, scope: &str) -> Answer {
    answer::ok(&json!({
        "access_token": token, "expires_in": 300, "refresh_expires_in": 0, "token_type": "Bearer",
        "not-before-policy": 0, "scope": scope,
    }))
}

impl Realm {
    /// Returns the client that authenticates with a form.
    pub(crate) fn authenticate(&mut self, form: &BTreeMap<String, String>) -> Result<Client, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str);
        let client = field("client_id").and_then(|id| self.client(id)).filter(|client| client.enabled == Some(true));
        let client = client.ok_or_else(|| recorded("unknown client"))?.clone();
        match client.client_authenticator_type.as_deref() {
            Some("client-jwt") => self.check_assertion(&client, form)?,
            _ if !client.public_client && client.secret.as_deref() != field("client_secret") => {
                return Err(recorded("bad secret"));
            }
            _ => {}
        }
        Ok(client)
    }

    /// Checks an assertion with the only key of the client's JWKS.
    fn check_assertion(&mut self, client: &Client, form: &BTreeMap<String, String>) -> Result<(), Answer> {
        let field = |name: &str| form.get(name).map(String::as_str);
        let jwks = client.attributes.get("jwks.string").and_then(|text| serde_json::from_str::<Value>(text).ok());
        let jwk =
            jwks.as_ref().and_then(|jwks| jwks.pointer("/keys/0")).ok_or_else(|| recorded("assertion key unknown"))?;
        let assertion = field("client_assertion").ok_or_else(|| recorded("assertion missing"))?;
        let rules = AssertionRules { client_id: &client.client_id, jwk, audience: &self.issuer() };
        if self.used_assertions.accept(field("client_assertion_type"), assertion, rules) {
            return Ok(());
        }
        Err(recorded("assertion signature wrong"))
    }

    fn own_token(&self, client: &str, scope: &str) -> Result<Map<String, Value>, Answer> {
        let client = self.client(client).ok_or_else(|| recorded("internal error"))?;
        if client.public_client {
            return Err(recorded("public client"));
        }
        if !client.service_accounts_enabled {
            return Err(recorded("lacks service account"));
        }
        self.own_claims(client, scope).ok_or_else(|| recorded("service account missing"))
    }

    fn check_password(&mut self, username: &str, password: &str) -> Result<String, Answer> {
        let wrong = || recorded("wrong password");
        let (brute_force, most, keeps_logins) = (self.brute_force, self.failure_factor, self.keeps_logins());
        let username = username.to_lowercase();
        let Some(user) = self.users.iter_mut().find(|user| user.username == username) else { return Err(wrong()) };
        if user.password.as_deref() != Some(password) {
            user.failures += 1;
            return Err(wrong());
        }
        if brute_force && user.failures >= most {
            return Err(wrong());
        }
        if !user.enabled {
            return Err(recorded("account disabled"));
        }
        user.failures = 0;
        let id = user.id.clone();
        if keeps_logins {
            self.logins.push(Login { user: id.clone(), time: SystemClock.now().as_millisecond() });
        }
        Ok(id)
    }
}
