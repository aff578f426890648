//! The fake's Admin REST API, except the endpoints for users.

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::import::{ClientRepresentation, Mapper, NewComponent, RealmRepresentation, UserProfile};
use super::realm::{Client, Realm, put};
use super::{Issued, World};
use super::{answer, body, parameters};

/// The roles of a token in a realm.
pub(crate) struct Rights(Option<BTreeSet<String>>);

impl Rights {
    /// Returns whether the token has one of these roles. The administrator has all roles.
    pub(crate) fn include(&self, roles: &[&str]) -> bool {
        self.0.as_ref().is_none_or(|own| own.contains("realm-admin") || roles.iter().any(|role| own.contains(*role)))
    }

    /// Fails unless the token has one of these roles.
    pub(crate) fn require(&self, roles: &[&str]) -> Result<(), Answer> {
        if self.include(roles) { Ok(()) } else { Err(answer::forbidden()) }
    }

    fn is_empty(&self) -> bool {
        self.0.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

/// The roles that may search. Viewing the hits takes another role.
pub(crate) const SEARCH: &[&str] = &["query-users", "view-users", "manage-users"];
/// The roles that may view users.
pub(crate) const VIEW: &[&str] = &["view-users", "manage-users"];
/// The roles that may change users.
pub(crate) const MANAGE: &[&str] = &["manage-users"];

impl World {
    pub(super) fn admin(&mut self, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        let issued = request.bearer().and_then(|token| self.tokens.get(token)).cloned();
        let Some(issued) = issued else { return Err(answer::unauthorized()) };
        let [realm, rest @ ..] = path else { return self.create_realm(&issued, request) };
        let Some(realm) = self.realms.get_mut(*realm) else { return Err(answer::error(404, "Realm not found.")) };
        let rights = rights(&issued, realm)?;
        match (&request.method, rest) {
            (&Method::DELETE, []) => {
                rights.require(&["manage-realm"])?;
                let name = realm.name.clone();
                self.realms.remove(&name);
                self.tokens.retain(|_, issued| issued.realm != name);
                Ok(answer::no_content())
            }
            (_, ["users", id, mail @ ("send-verify-email" | "execute-actions-email")]) => {
                let sent = realm.create_mail(&rights, id, mail, request)?;
                self.mails.push(sent);
                Ok(answer::no_content())
            }
            (&Method::PUT, ["users", id]) if *id != "profile" => {
                let answer = realm.users(&rights, &["users", id], request)?;
                if let (Some(writer), Some(user)) =
                    (&mut self.interfering, realm.users.iter_mut().find(|user| user.id == *id))
                {
                    writer(user);
                }
                Ok(answer)
            }
            (_, ["users", ..]) => realm.users(&rights, rest, request),
            _ => realm.settings(&rights, rest, request),
        }
    }

    fn create_realm(&mut self, issued: &Issued, request: &Incoming) -> Result<Answer, Answer> {
        if issued.realm != "master" {
            return Err(answer::forbidden());
        }
        let realm = Realm::import(body(request, "RealmRepresentation")?, &self.hostname)?;
        if self.realms.contains_key(&realm.name) {
            return Err(answer::message(409, "Conflict detected. See logs for details"));
        }
        let created = answer::created(&format!("/admin/realms/{}", realm.name));
        self.realms.insert(realm.name.clone(), realm);
        Ok(created)
    }
}

/// Returns the current roles of the token's user, as Keycloak checks them.
fn rights(issued: &Issued, realm: &Realm) -> Result<Rights, Answer> {
    if issued.realm == "master" {
        return Ok(Rights(None));
    }
    if issued.realm != realm.name {
        return Err(answer::forbidden());
    }
    let user = realm.user(issued.text("sub")).filter(|user| user.enabled).ok_or_else(answer::unauthorized)?;
    let client = user.service_account_of.as_deref().and_then(|client| realm.client(client));
    if client.is_some_and(|client| !client.enabled) {
        return Err(answer::unauthorized());
    }
    Ok(Rights(Some(user.roles.clone())))
}

impl Realm {
    fn settings(&mut self, rights: &Rights, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::GET, []) if rights.is_empty() => Err(answer::forbidden()),
            (&Method::GET, []) => Ok(answer::ok(&self.visible_settings(rights))),
            (&Method::PUT, []) => {
                rights.require(&["manage-realm"])?;
                self.update(body::<RealmRepresentation>(request, "RealmRepresentation")?);
                Ok(answer::no_content())
            }
            (&Method::GET, ["events", "config"]) => {
                rights.require(&["view-events"])?;
                Ok(answer::ok(&json!({
                    "eventsEnabled": self.events_enabled, "eventsListeners": ["jboss-logging"],
                    "enabledEventTypes": self.event_types, "adminEventsEnabled": false,
                    "adminEventsDetailsEnabled": false,
                })))
            }
            (&Method::GET, ["events"]) => self.events(rights, request),
            (&Method::GET, ["attack-detection", "brute-force", "users", id]) => {
                rights.require(VIEW)?;
                let user = self.user(id);
                Ok(answer::ok(&json!({
                    "failedLoginNotBefore": 0, "numFailures": user.map_or(0, |user| user.failures),
                    "numTemporaryLockouts": 0,
                    "disabled": user.is_some_and(|user| self.is_locked(user)), "numSecondaryAuthFailures": 0,
                    "lastIPFailure": "n/a", "lastFailure": 0,
                })))
            }
            (&Method::DELETE, ["sessions", sid]) => {
                rights.require(MANAGE)?;
                let query = parameters(request, &["isOffline"])?;
                let offline = query.get("isOffline").is_some_and(|value| value == "true");
                let ended = self.end(sid, offline).map(|()| answer::no_content());
                // Keycloak's spelling.
                ended.ok_or_else(|| answer::error(404, "Sesssion not found"))
            }
            (&Method::GET, ["client-scopes"]) => {
                rights.require(&["view-clients", "manage-clients"])?;
                let scope = |name: &str| json!({"name": name, "protocol": "openid-connect", "protocolMappers": []});
                Ok(answer::list(["basic", "profile", "email"].into_iter().map(scope)))
            }
            (&Method::POST, ["components"]) => {
                rights.require(&["manage-realm"])?;
                let component: NewComponent = body(request, "ComponentRepresentation")?;
                if component.provider_type != "org.keycloak.keys.KeyProvider"
                    || component.provider_id != "rsa-generated"
                {
                    return Err(answer::stricter_than_keycloak("only a key can be added"));
                }
                self.rotate_keys()?;
                Ok(answer::created(&format!("/admin/realms/{}/components/key", self.name)))
            }
            (_, ["clients", rest @ ..]) => self.clients(rights, rest, request),
            _ => Err(answer::not_found()),
        }
    }

    /// Returns the realm's settings that the roles may view.
    fn visible_settings(&self, rights: &Rights) -> Value {
        let mut shown = json!({
            "realm": self.name, "bruteForceProtected": self.brute_force, "supportedLocales": [],
            "organizationsEnabled": false,
        });
        if rights.include(VIEW) {
            put(&mut shown, "registrationEmailAsUsername", json!(false));
        }
        if rights.include(&["view-realm", "manage-realm"]) {
            put(&mut shown, "enabled", json!(self.enabled));
            put(&mut shown, "smtpServer", json!(self.smtp));
            put(&mut shown, "eventsEnabled", json!(self.events_enabled));
            put(&mut shown, "duplicateEmailsAllowed", json!(self.duplicate_emails));
        }
        shown
    }

    fn events(&self, rights: &Rights, request: &Incoming) -> Result<Answer, Answer> {
        rights.require(&["view-events"])?;
        let query = parameters(request, &["type", "user", "first", "max"])?;
        let get = |name: &str| query.get(name).map(String::as_str);
        if get("type") != Some("LOGIN") {
            return Err(answer::crash());
        }
        let (Some(user), Some(first), Some(max)) = (get("user"), number(get("first")), number(get("max"))) else {
            return Err(answer::stricter_than_keycloak("a search for events needs `user`, `first` and `max`"));
        };
        let logins = self.logins.iter().rev().filter(|login| login.user == user).skip(first).take(max);
        let shown =
            logins.map(|login| json!({"time": login.time, "type": "LOGIN", "userId": login.user, "details": {}}));
        Ok(answer::list(shown))
    }

    fn clients(&mut self, rights: &Rights, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        if request.method == Method::GET {
            rights.require(&["view-clients", "manage-clients"])?;
        } else {
            rights.require(&["manage-clients"])?;
        }
        match (&request.method, path) {
            (&Method::POST, []) => {
                let id = self.add_client(body::<ClientRepresentation>(request, "ClientRepresentation")?);
                Ok(answer::created(&format!("/admin/realms/{}/clients/{id}", self.name)))
            }
            (&Method::GET, []) => {
                let query = parameters(request, &["clientId"])?;
                let wanted = query.get("clientId");
                let found = self.clients.iter().filter(|client| Some(&client.client_id) == wanted);
                Ok(answer::list(found.map(Client::representation)))
            }
            (&Method::GET, [id, "service-account-user"]) => {
                let client = self.clients.iter().find(|client| client.id == *id).map(|client| client.client_id.clone());
                let own = self.users.iter().find(|user| client.is_some() && user.service_account_of == client);
                own.map(|user| answer::ok(&self.representation(user))).ok_or_else(answer::user_not_found)
            }
            (&Method::POST, [id, "protocol-mappers", "models"]) => {
                let mapper: Mapper = body(request, "ProtocolMapperRepresentation")?;
                let client = self.clients.iter_mut().find(|client| client.id == *id).ok_or_else(answer::not_found)?;
                client.mappers.push(mapper);
                Ok(answer::created(&format!("/admin/realms/{}/clients/{id}/protocol-mappers/models/it", self.name)))
            }
            (&Method::DELETE, [id, "protocol-mappers", "models", mapper]) => {
                let client = self.clients.iter_mut().find(|client| client.id == *id).ok_or_else(answer::not_found)?;
                // The fake uses the name of a mapper as its id.
                client.mappers.retain(|own| own.name != *mapper);
                Ok(answer::no_content())
            }
            (&Method::GET, [_, "roles", name]) => Ok(answer::ok(&json!({"id": name, "name": name}))),
            _ => Err(answer::not_found()),
        }
    }

    pub(crate) fn set_profile(&mut self, rights: &Rights, request: &Incoming) -> Result<Answer, Answer> {
        rights.require(&["manage-realm"])?;
        let Some(profile) = UserProfile::new(body(request, "UPConfig")?) else {
            return Err(answer::message(400, "[Invalid attribute name]"));
        };
        self.profile = profile;
        Ok(answer::ok(&self.profile.json.clone()))
    }
}

impl Client {
    fn representation(&self) -> Value {
        let mappers = self.mappers.iter().map(|mapper| {
            let mut shown = json!(mapper);
            put(&mut shown, "id", json!(mapper.name));
            shown
        });
        json!({
            "id": self.id, "clientId": self.client_id, "enabled": self.enabled, "publicClient": self.public,
            "serviceAccountsEnabled": self.service_account, "redirectUris": self.redirect_uris,
            "attributes": self.attributes, "protocolMappers": mappers.collect::<Vec<_>>(), "defaultClientScopes": ["basic", "profile", "email"],
        })
    }
}

/// Parses a number.
pub(crate) fn number(text: Option<&str>) -> Option<usize> {
    text?.parse().ok()
}
