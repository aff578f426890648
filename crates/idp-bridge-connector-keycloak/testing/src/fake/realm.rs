//! The fake's realms, with their clients, users and events.

use std::collections::{BTreeMap, BTreeSet};

use idp_bridge_conformance::fake::{Answer, SigningKey, UsedAssertions};
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::answer::{self, recorded};
use super::import::{Client, RealmRepresentation, UserProfile, UserRepresentation};
use super::session::Session;

/// The client scopes of a realm. They have no mappers.
pub(crate) const SCOPES: [&str; 3] = ["basic", "profile", "email"];

/// A realm.
#[derive(Default)]
pub(crate) struct Realm {
    pub(crate) name: String,
    pub(crate) enabled: bool,
    pub(crate) duplicate_emails: bool,
    pub(crate) events_enabled: bool,
    pub(crate) event_types: Vec<String>,
    pub(crate) brute_force: bool,
    pub(crate) failure_factor: u32,
    pub(crate) smtp: BTreeMap<String, String>,
    pub(crate) profile: UserProfile,
    pub(crate) clients: Vec<Client>,
    pub(crate) users: Vec<User>,
    pub(crate) logins: Vec<Login>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) used_assertions: UsedAssertions,
    /// The published keys. The first one signs.
    pub(crate) keys: Vec<SigningKey>,
    /// The recorded logout tokens.
    pub(crate) logout_tokens: Vec<String>,
    /// The server's base URL.
    pub(crate) hostname: String,
    ids: u64,
}

/// A user. Tests may change it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct User {
    /// The id.
    pub id: String,
    /// The user name, in lower case.
    pub username: String,
    /// The address, in lower case.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Whether the user may log in.
    pub enabled: bool,
    /// The first and last name.
    pub names: [Option<String>; 2],
    /// All attributes, including those that the user profile hides.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The client of this service account. `None` for people.
    pub service_account_of: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) roles: BTreeSet<String>,
    /// Whether the user has the role `offline_access`.
    pub(crate) has_offline_access: bool,
    pub(crate) failures: u32,
    created: i64,
}

/// A login event.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) time: i64,
}

impl Realm {
    /// Creates the realm of a representation.
    pub(crate) fn import(mut representation: RealmRepresentation, hostname: &str) -> Result<Self, Answer> {
        let mut realm = Self {
            name: representation.realm.clone(),
            failure_factor: 30,
            hostname: hostname.into(),
            ..Self::default()
        };
        // Keycloak's default is RS256. Generating such a key would take longer than the rest of the realm.
        let key = SigningKey::es256(realm.new_id()).map_err(|_| recorded("internal error"))?;
        realm.keys.push(key);
        realm.add_client(Client { client_id: "realm-management".into(), ..Client::default() });
        let (clients, users) = (std::mem::take(&mut representation.clients), std::mem::take(&mut representation.users));
        realm.update(representation);
        for client in clients {
            realm.add_client(client);
        }
        for user in users {
            realm.add_user(user)?;
        }
        Ok(realm)
    }

    /// Changes the settings that the representation contains.
    pub(crate) fn update(&mut self, given: RealmRepresentation) {
        self.enabled = given.enabled.unwrap_or(self.enabled);
        self.duplicate_emails = given.duplicate_emails_allowed.unwrap_or(self.duplicate_emails);
        self.events_enabled = given.events_enabled.unwrap_or(self.events_enabled);
        self.brute_force = given.brute_force_protected.unwrap_or(self.brute_force);
        self.failure_factor = given.failure_factor.unwrap_or(self.failure_factor);
        if let Some(types) = given.enabled_event_types {
            self.event_types = types;
        }
        if let Some(smtp) = given.smtp_server {
            self.smtp = smtp;
        }
    }

    /// Returns a new id that resembles a random one.
    pub(crate) fn new_id(&mut self) -> String {
        self.ids += 1;
        let realm = self.name.bytes().fold(7_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(byte));
        let spread = self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{realm:08x}-fa4e-4000-{:04x}-{:012x}", spread >> 48, spread & 0xffff_ffff_ffff)
    }

    pub(crate) fn add_client(&mut self, mut client: Client) -> String {
        let id = self.new_id();
        client.id.clone_from(&id);
        client.enabled = client.enabled.or(Some(true));
        client.default_client_scopes = SCOPES.map(str::to_owned).into();
        client.protocol_mappers.iter_mut().for_each(|mapper| mapper.id.clone_from(&mapper.name));
        if client.service_accounts_enabled {
            let user = self.new_user(&format!("service-account-{}", client.client_id));
            self.users.push(User { service_account_of: Some(client.client_id.clone()), ..user });
        }
        self.clients.push(client);
        id
    }

    fn new_user(&mut self, username: &str) -> User {
        let (id, created) = (self.new_id(), SystemClock.now().as_millisecond());
        User { id, username: username.to_lowercase(), enabled: true, created, ..User::default() }
    }

    /// Creates a user. A representation with a client's service account adds its roles instead, like an import.
    pub(crate) fn add_user(&mut self, given: UserRepresentation) -> Result<String, Answer> {
        if let Some(client) = &given.service_account_client_id {
            let own = self.users.iter_mut().find(|user| user.service_account_of.as_ref() == Some(client));
            let Some(own) = own else { return Err(answer::stricter_than_keycloak("no such client")) };
            own.roles.extend(given.client_roles.into_values().flatten());
            return Ok(own.id.clone());
        }
        let Some(username) = given.username.clone().filter(|name| name.chars().count() >= 3) else {
            return Err(answer::field("username", "error-invalid-length", &json!(["username", 3, 255])));
        };
        if self.users.iter().any(|user| user.username == username.to_lowercase()) {
            return Err(recorded("username exists"));
        }
        let mut user = self.new_user(&username);
        user.enabled = false;
        user.has_offline_access = given.realm_roles.iter().any(|role| role == "offline_access");
        if let Some(id) = &given.id {
            user.id.clone_from(id);
        }
        self.change(&mut user, given, false)?;
        let id = user.id.clone();
        self.users.push(user);
        Ok(id)
    }

    /// Changes a user. A `PUT` with `attributes` clears all omitted fields of the user profile.
    pub(crate) fn change(&self, user: &mut User, given: UserRepresentation, is_put: bool) -> Result<(), Answer> {
        let wipes = is_put && given.attributes.is_some();
        if let Some(email) = &given.email {
            self.check_email(user, email)?;
        }
        if given.email.is_some() || wipes {
            user.email = given.email.map(|email| email.to_lowercase()).filter(|email| !email.is_empty());
        }
        for (name, given) in user.names.iter_mut().zip([given.first_name, given.last_name]) {
            if given.is_some() || wipes {
                *name = given;
            }
        }
        if let Some(attributes) = given.attributes {
            let profile = &self.profile;
            user.attributes.retain(|name, _| !profile.shows(name));
            user.attributes.extend(attributes.into_iter().filter(|(name, _)| profile.shows(name) || !is_put));
        }
        user.email_verified = given.email_verified.unwrap_or(user.email_verified);
        user.enabled = given.enabled.unwrap_or(user.enabled);
        if let Some(password) = given.credentials.into_iter().find(|credential| credential.kind == "password") {
            user.password = (!password.temporary).then_some(password.value);
        }
        let missing = self.profile.required().find(|name| user.attributes.get(*name).is_none_or(Vec::is_empty));
        match missing {
            Some(name) if is_put => Err(answer::field(name, "error-user-attribute-required", &json!([name]))),
            _ => Ok(()),
        }
    }

    /// Returns a user's account, without the attributes.
    pub(crate) fn account(&self, id: &str) -> Result<Answer, Answer> {
        let user = self.user(id).ok_or_else(|| recorded("user not found"))?;
        let [first, last] = &user.names;
        let shown =
            json!({"id": id, "username": user.username, "email": user.email, "firstName": first, "lastName": last});
        Ok(answer::ok(&shown))
    }

    /// Changes the names and attributes of a user. Fails for attributes that users may not edit.
    pub(crate) fn edit_account(&mut self, id: &str, given: UserRepresentation) -> Result<Answer, Answer> {
        let attributes = given.attributes.unwrap_or_default();
        if let Some(name) = attributes.keys().find(|name| !self.profile.is_user_editable(name)) {
            return Err(answer::field(name, "error-user-attribute-read-only", &json!([name])));
        }
        let user = self.users.iter_mut().find(|user| user.id == id).ok_or_else(|| recorded("user not found"))?;
        user.names = [given.first_name, given.last_name];
        user.attributes.extend(attributes);
        Ok(answer::no_content())
    }

    fn check_email(&self, user: &User, email: &str) -> Result<(), Answer> {
        let lower = email.to_lowercase();
        if !lower.is_empty() && !lower.contains('@') {
            return Err(answer::field("email", "error-invalid-email", &json!(["email", email])));
        }
        let taken = |other: &User| other.id != user.id && other.email.as_ref() == Some(&lower);
        if !self.duplicate_emails && self.users.iter().any(taken) {
            return Err(recorded("email exists"));
        }
        Ok(())
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.client_id == client_id)
    }

    pub(crate) fn keeps_logins(&self) -> bool {
        self.events_enabled && self.event_types.iter().any(|kind| kind == "LOGIN")
    }

    pub(crate) fn is_locked(&self, user: &User) -> bool {
        self.brute_force && user.failures >= self.failure_factor
    }

    /// Returns a UserRepresentation without `access`, which depends on the caller.
    pub(crate) fn representation(&self, user: &User) -> Value {
        let mut shown = json!({
            "id": user.id, "username": user.username, "emailVerified": user.email_verified, "enabled": user.enabled,
            "createdTimestamp": user.created, "totp": false, "disableableCredentialTypes": [],
            "requiredActions": [], "notBefore": 0,
        });
        let attributes: BTreeMap<_, _> = user.attributes.iter().filter(|(name, _)| self.profile.shows(name)).collect();
        let [first, last] = &user.names;
        for (name, value) in [("email", &user.email), ("firstName", first), ("lastName", last)] {
            if let Some(value) = value {
                put(&mut shown, name, json!(value));
            }
        }
        if !attributes.is_empty() {
            put(&mut shown, "attributes", json!(attributes));
        }
        shown
    }
}

/// Adds a member to an object.
pub(crate) fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.into(), value);
    }
}
