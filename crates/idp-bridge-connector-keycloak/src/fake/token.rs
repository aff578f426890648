//! The fake's token endpoint.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_core::{Clock as _, SystemClock};
use idp_bridge_http::{HeaderName, Method};
use serde_json::{Map, Value, json};

use super::realm::{Client, Login, Realm};
use super::session::Session;
use super::{FakeKeycloak, Issued, World};
use super::{answer, form, parameters};

/// The accepted fields of a form.
const FIELDS: [&str; 10] = [
    "grant_type",
    "client_id",
    "client_secret",
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
            return Err(answer::method_not_allowed());
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
            return Err(answer::described(400, "invalid_request", "Missing form parameter: grant_type"));
        };
        let client = own.authenticate(&form)?.client_id.clone();
        let bound = request.header(&HeaderName::from_static("dpop")).is_some();
        match grant.as_str() {
            "client_credentials" => self.log_client_in(realm, &client, &form),
            "password" => self.log_person_in(realm, &client, &form, bound),
            "refresh_token" => self.refresh(realm, &client, &form),
            // The fake has no logins by browser, so every code is made up.
            "authorization_code" => Err(answer::described(400, "invalid_grant", "Code not valid")),
            _ => Err(answer::described(400, "unsupported_grant_type", "Unsupported grant_type")),
        }
    }

    /// Returns the realm with this name, unless it is disabled.
    pub(super) fn enabled(&mut self, realm: &str) -> Result<&mut Realm, Answer> {
        let realm = self.realms.get_mut(realm).ok_or_else(answer::realm_does_not_exist)?;
        if realm.enabled { Ok(realm) } else { Err(answer::described(403, "access_denied", "Realm not enabled")) }
    }

    fn log_administrator_in(&mut self, form: &BTreeMap<String, String>) -> Result<Answer, Answer> {
        let has = |name: &str, value: &str| form.get(name).is_some_and(|own| own == value);
        let (user, password) = FakeKeycloak::ADMIN;
        let is_admin = has("username", user) && has("password", password);
        if !(is_admin && has("grant_type", "password") && has("client_id", "admin-cli")) {
            return Err(answer::described(400, "invalid_grant", "Invalid user credentials"));
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
        if own.client(client).is_none_or(|client| !client.direct_grants) {
            let why = "Client not allowed for direct access grants";
            return Err(answer::described(400, "unauthorized_client", why));
        }
        let user = own.check_password(field("username"), field("password"))?;
        let scope = scope(form);
        let offline = scope.split(' ').any(|own| own == "offline_access");
        if offline && own.user(&user).is_some_and(|user| !user.has_offline_access) {
            return Err(answer::described(400, "not_allowed", "Offline tokens not allowed for the user or client"));
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
        let why = if is_offline { "Offline user session not found" } else { "Session not active" };
        let gone = || answer::described(400, "invalid_grant", why);
        let session = session.ok_or_else(gone)?;
        match own.user(&session.user) {
            Some(user) if user.enabled => self.tokens_of(realm, &session),
            Some(_) => Err(answer::described(400, "invalid_grant", "User disabled")),
            None => Err(gone()),
        }
    }

    /// Returns the claims of this client's refresh token, even if its session has ended.
    pub(super) fn refresh_token(&self, realm: &str, client: &str, token: &str) -> Result<Value, Answer> {
        let invalid = |why| answer::described(400, "invalid_grant", why);
        let issued = self.tokens.get(token).filter(|issued| issued.realm == realm);
        let issued = issued.filter(|issued| matches!(issued.text("typ"), "Refresh" | "Offline"));
        let issued = issued.ok_or_else(|| invalid("Invalid refresh token"))?;
        if issued.text("azp") != client {
            return Err(invalid("Invalid refresh token. Token client and authorized client don't match"));
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
    pub(crate) fn authenticate(&self, form: &BTreeMap<String, String>) -> Result<&Client, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str);
        let invalid = |error| answer::described(401, error, "Invalid client or Invalid client credentials");
        let client = field("client_id").and_then(|id| self.client(id)).filter(|client| client.enabled);
        let client = client.ok_or_else(|| invalid("invalid_client"))?;
        if !client.public && client.secret.as_deref() != field("client_secret") {
            return Err(invalid("unauthorized_client"));
        }
        Ok(client)
    }

    fn own_token(&self, client: &str, scope: &str) -> Result<Map<String, Value>, Answer> {
        let client = self.client(client).ok_or_else(answer::crash)?;
        if client.public {
            let why = "Public client not allowed to retrieve service account";
            return Err(answer::described(401, "unauthorized_client", why));
        }
        if !client.service_account {
            let why = "Client not enabled to retrieve service account";
            return Err(answer::described(401, "unauthorized_client", why));
        }
        self.own_claims(client, scope).ok_or_else(|| {
            let why = "The associated service account for the client does not exist";
            answer::described(401, "invalid_request", why)
        })
    }

    fn check_password(&mut self, username: &str, password: &str) -> Result<String, Answer> {
        let wrong = || answer::described(400, "invalid_grant", "Invalid user credentials");
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
            return Err(answer::described(400, "invalid_grant", "Account disabled"));
        }
        user.failures = 0;
        let id = user.id.clone();
        if keeps_logins {
            self.logins.push(Login { user: id.clone(), time: SystemClock.now().as_millisecond() });
        }
        Ok(id)
    }
}
