//! The fake's token endpoint.

use std::collections::BTreeMap;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde_json::json;

use super::realm::{Login, Realm};
use super::{FakeKeycloak, Session, World};
use super::{answer, form, parameters};
use idp_bridge_core::{Clock as _, SystemClock};

impl World {
    pub(super) fn token(&mut self, realm: &str, request: &Incoming) -> Result<Answer, Answer> {
        if request.method != Method::POST {
            return Err(answer::method_not_allowed());
        }
        parameters(request, &[])?;
        let form = form(request)?;
        let session = if realm == "master" {
            administrator(&form)?
        } else {
            let Some(realm) = self.realms.get_mut(realm) else {
                return Err(answer::error(404, "Realm does not exist"));
            };
            if !realm.enabled {
                return Err(answer::described(403, "access_denied", "Realm not enabled"));
            }
            Session::User { realm: realm.name.clone(), id: realm.log_in(&form)? }
        };
        self.issued += 1;
        let token = format!("fake-token-{}", self.issued);
        self.tokens.insert(token.clone(), session);
        Ok(answer::ok(&json!({
            "access_token": token, "expires_in": 300, "refresh_expires_in": 0, "token_type": "Bearer",
            "not-before-policy": 0, "scope": "email profile",
        })))
    }
}

fn administrator(form: &BTreeMap<String, String>) -> Result<Session, Answer> {
    let has = |name: &str, value: &str| form.get(name).is_some_and(|own| own == value);
    let (user, password) = FakeKeycloak::ADMIN;
    let is_admin = has("username", user) && has("password", password);
    if is_admin && has("grant_type", "password") && has("client_id", "admin-cli") {
        Ok(Session::Admin)
    } else {
        Err(answer::described(400, "invalid_grant", "Invalid user credentials"))
    }
}

impl Realm {
    /// Whose token it is to be.
    fn log_in(&mut self, form: &BTreeMap<String, String>) -> Result<String, Answer> {
        let field = |name: &str| form.get(name).map(String::as_str);
        let Some(grant) = field("grant_type") else {
            return Err(answer::described(400, "invalid_request", "Missing form parameter: grant_type"));
        };
        let invalid = |error| answer::described(401, error, "Invalid client or Invalid client credentials");
        let client = field("client_id").and_then(|id| self.client(id)).filter(|client| client.enabled);
        let Some(client) = client else { return Err(invalid("invalid_client")) };
        if !client.public && client.secret.as_deref() != field("client_secret") {
            return Err(invalid("unauthorized_client"));
        }
        match grant {
            "client_credentials" if form.len() > 3 => Err(answer::stricter_than_keycloak("an unknown form parameter")),
            "client_credentials" if client.public => {
                let why = "Public client not allowed to retrieve service account";
                Err(answer::described(401, "unauthorized_client", why))
            }
            "client_credentials" if !client.service_account => {
                let why = "Client not enabled to retrieve service account";
                Err(answer::described(401, "unauthorized_client", why))
            }
            "client_credentials" => {
                let own = self.users.iter().find(|user| user.service_account_of.as_ref() == Some(&client.client_id));
                own.map(|user| user.id.clone()).ok_or_else(|| {
                    let why = "The associated service account for the client does not exist";
                    answer::described(401, "invalid_request", why)
                })
            }
            "password" if client.direct_grants => {
                self.log_person_in(field("username").unwrap_or_default(), field("password").unwrap_or_default())
            }
            _ => Err(answer::described(400, "unsupported_grant_type", "Unsupported grant_type")),
        }
    }

    fn log_person_in(&mut self, username: &str, password: &str) -> Result<String, Answer> {
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
