//! The fake's Admin REST API, except the endpoints for users.

use std::collections::BTreeSet;

use idp_bridge_conformance::fake::{Answer, Incoming};
use idp_bridge_http::Method;
use serde_json::{Value, json};

use super::answer::{self, recorded};
use super::import::{Client, Mapper, RealmRepresentation, UserProfile};
use super::realm::{Realm, SCOPES, put};
use super::{Issued, World};
use super::{body, parameters};

/// The roles of a token in a realm.
pub(crate) struct Rights(Option<BTreeSet<String>>);

impl Rights {
    /// Returns whether the token has one of these roles. The administrator has all roles.
    pub(crate) fn include(&self, roles: &[&str]) -> bool {
        self.0.as_ref().is_none_or(|own| own.contains("realm-admin") || roles.iter().any(|role| own.contains(*role)))
    }

    /// Fails unless the token has one of these roles.
    pub(crate) fn require(&self, roles: &[&str]) -> Result<(), Answer> {
        if self.include(roles) { Ok(()) } else { Err(recorded("forbidden")) }
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
        let Some(issued) = issued else { return Err(recorded("unauthorized")) };
        let [realm, rest @ ..] = path else { return self.create_realm(&issued, request) };
        let Some(realm) = self.realms.get_mut(*realm) else { return Err(recorded("realm unknown to administrators")) };
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
            return Err(recorded("forbidden"));
        }
        let realm = Realm::import(body(request, "RealmRepresentation")?, &self.hostname)?;
        if self.realms.contains_key(&realm.name) {
            return Err(recorded("realm exists"));
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
        return Err(recorded("forbidden"));
    }
    let user = realm.user(issued.text("sub")).filter(|user| user.enabled).ok_or_else(|| recorded("unauthorized"))?;
    let client = user.service_account_of.as_deref().and_then(|client| realm.client(client));
    if client.is_some_and(|client| client.enabled != Some(true)) {
        return Err(recorded("unauthorized"));
    }
    Ok(Rights(Some(user.roles.clone())))
}

impl Realm {
    fn settings(&mut self, rights: &Rights, path: &[&str], request: &Incoming) -> Result<Answer, Answer> {
        match (&request.method, path) {
            (&Method::GET, []) if rights.is_empty() => Err(recorded("forbidden")),
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
                ended.ok_or_else(|| recorded("session not found"))
            }
            (&Method::GET, ["client-scopes"]) => {
                rights.require(&["view-clients", "manage-clients"])?;
                let scope = |name: &str| json!({"name": name, "protocol": "openid-connect", "protocolMappers": []});
                Ok(answer::list(SCOPES.into_iter().map(scope)))
            }
            (_, ["clients", rest @ ..]) => self.clients(rights, rest, request),
            _ => Err(recorded("not found")),
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
            return Err(recorded("internal error"));
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
                let id = self.add_client(body::<Client>(request, "ClientRepresentation")?);
                Ok(answer::created(&format!("/admin/realms/{}/clients/{id}", self.name)))
            }
            (&Method::GET, []) => {
                let query = parameters(request, &["clientId"])?;
                let wanted = query.get("clientId");
                let found = self.clients.iter().filter(|client| Some(&client.client_id) == wanted);
                Ok(answer::list(found.map(|client| json!(client))))
            }
            (&Method::GET, [id, "service-account-user"]) => {
                let client = self.clients.iter().find(|client| client.id == *id).map(|client| client.client_id.clone());
                let own = self.users.iter().find(|user| client.is_some() && user.service_account_of == client);
                own.map(|user| answer::ok(&self.representation(user))).ok_or_else(|| recorded("user not found"))
            }
            (&Method::POST, [id, "protocol-mappers", "models"]) => {
                let mut mapper: Mapper = body(request, "ProtocolMapperRepresentation")?;
                mapper.id.clone_from(&mapper.name);
                self.client_by_uuid(id)?.protocol_mappers.push(mapper);
                Ok(answer::created(&format!("/admin/realms/{}/clients/{id}/protocol-mappers/models/it", self.name)))
            }
            (&Method::DELETE, [id, "protocol-mappers", "models", mapper]) => {
                self.client_by_uuid(id)?.protocol_mappers.retain(|own| own.id != *mapper);
                Ok(answer::no_content())
            }
            (&Method::GET, [_, "roles", name]) => Ok(answer::ok(&json!({"id": name, "name": name}))),
            _ => Err(recorded("not found")),
        }
    }

    fn client_by_uuid(&mut self, id: &str) -> Result<&mut Client, Answer> {
        self.clients.iter_mut().find(|client| client.id == id).ok_or_else(|| recorded("not found"))
    }

    pub(crate) fn set_profile(&mut self, rights: &Rights, request: &Incoming) -> Result<Answer, Answer> {
        rights.require(&["manage-realm"])?;
        let Some(profile) = UserProfile::new(body(request, "UPConfig")?) else {
            return Err(recorded("invalid attribute name"));
        };
        self.profile = profile;
        Ok(answer::ok(&self.profile.json.clone()))
    }
}

/// Parses a number.
pub(crate) fn number(text: Option<&str>) -> Option<usize> {
    text?.parse().ok()
}
