//! The state of the fake: users, groups, app clients and IAM principals.

use std::collections::{BTreeMap, BTreeSet};

use idp_bridge_conformance::fake::Answer;
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::FakeCognito;
use super::answer::{no_such_user, refusal};
use super::oauth::SIGNED_OUT;
use super::sessions::Logins;

/// A user pool.
#[derive(Default)]
pub struct Pool {
    /// The IAM users and roles.
    pub principals: Vec<Principal>,
    /// The app clients.
    pub app_clients: Vec<AppClient>,
    /// Members that replace those of the pool's description.
    pub settings: BTreeMap<String, Value>,
    /// The attributes that work as user names. An address works only if it is verified.
    pub aliases: BTreeSet<String>,
    /// Whether lists of users start with an empty page, as Cognito's may.
    pub begins_with_an_empty_page: bool,
    /// Whether an id has precedence over an equal name. AWS does not document Cognito's order.
    pub ids_before_names: bool,
    /// Whether tokens remain active after the end of their login, as if it took effect late.
    pub ends_late: bool,
    /// Whether codes are sent by text message, as in pools that prefer it.
    pub texts_codes: bool,
    pub(crate) users: Vec<User>,
    /// The recorded mails.
    pub mails: Vec<Mail>,
    pub(crate) logins: Logins,
    refusals: BTreeMap<String, Vec<(String, String)>>,
    created: u64,
}

/// An IAM user or role.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Principal {
    /// The id of the access key.
    pub access_key_id: String,
    /// The secret of the access key.
    pub secret_access_key: String,
    /// The session token of a temporary key.
    pub session_token: Option<String>,
    /// The allowed operations.
    pub actions: BTreeSet<String>,
    /// The ids of the allowed pools; all pools if absent.
    pub pools: Option<BTreeSet<String>>,
}

impl Principal {
    /// Creates an IAM user with these rights, such as `AdminGetUser`, for the fake's pool only.
    pub fn new(access_key_id: &str, secret_access_key: &str, actions: &[&str]) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            pools: Some([FakeCognito::POOL.to_owned()].into()),
        }
    }

    /// Returns whether the policy allows the action on a pool. The pool need not exist.
    pub(crate) fn is_allowed(&self, action: &str, pool: &str) -> bool {
        self.actions.contains(action) && self.pools.as_ref().is_none_or(|pools| pools.contains(pool))
    }
}

/// An app client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AppClient {
    /// The client id.
    pub client_id: String,
    /// The secret, if it has one.
    pub secret: Option<String>,
    /// Whether errors hide which users exist (`PreventUserExistenceErrors`). Some errors then look like success.
    pub hides_users: bool,
    /// The allowed sign-out URLs.
    pub logout_urls: Vec<String>,
    /// The allowed scopes.
    pub scopes: Vec<String>,
    /// The readable attributes; all standard attributes if absent.
    pub readable: Option<BTreeSet<String>>,
    /// Whether the client's tokens can be revoked.
    pub revokes_tokens: bool,
    /// Members that replace those of the client's description.
    pub settings: BTreeMap<String, Value>,
}

impl AppClient {
    /// Creates an app client with a secret that hides users and allows sign-ins.
    pub fn new(client_id: &str, secret: &str) -> Self {
        Self {
            client_id: client_id.into(),
            secret: Some(secret.into()),
            hides_users: true,
            logout_urls: vec![SIGNED_OUT.into()],
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            readable: None,
            revokes_tokens: true,
            settings: BTreeMap::new(),
        }
    }
}

/// The state of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Has signed up, and not confirmed it.
    Unconfirmed,
    /// Can sign in.
    Confirmed,
    /// Was invited, and has never signed in.
    ForceChangePassword,
    /// Cannot sign in before choosing a new password.
    ResetRequired,
    /// Signs in at another identity provider.
    ExternalProvider,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Confirmed => "CONFIRMED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
            Self::ResetRequired => "RESET_REQUIRED",
            Self::ExternalProvider => "EXTERNAL_PROVIDER",
        }
    }
}

/// A user.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct User {
    /// The name, which differs from the id.
    pub username: String,
    /// The attributes. A pool adds `sub`.
    pub attributes: BTreeMap<String, String>,
    /// The state.
    pub status: Status,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// The user's groups.
    pub groups: BTreeSet<String>,
    /// The password, if it has one.
    pub password: Option<String>,
    pub(crate) created: f64,
    pub(crate) modified: f64,
}

impl User {
    /// Creates a user in this state with these attributes.
    pub fn new(username: &str, status: Status, attributes: &[(&str, &str)]) -> Self {
        Self {
            username: username.into(),
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            status,
            enabled: true,
            groups: BTreeSet::new(),
            password: None,
            created: now(),
            modified: now(),
        }
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Returns the id: the attribute `sub`.
    pub fn id(&self) -> &str {
        self.attribute("sub").unwrap_or_default()
    }

    pub(crate) fn has_verified(&self, attribute: &str) -> bool {
        self.attribute(attribute).is_some() && self.attribute(&format!("{attribute}_verified")) == Some("true")
    }

    /// Sets an attribute. A new address or number is not verified.
    pub fn set(&mut self, name: &str, value: &str) {
        if matches!(name, "email" | "phone_number") && self.attribute(name) != Some(value) {
            self.attributes.insert(format!("{name}_verified"), "false".into());
        }
        self.attributes.insert(name.into(), value.into());
        self.modified = now();
    }

    /// Returns the user as JSON. `ListUsers` and `AdminGetUser` use different names for the attributes.
    pub(crate) fn to_json(&self, attributes: &str) -> Value {
        let pairs = self.attributes.iter().map(|(name, value)| json!({"Name": name, "Value": value}));
        json!({
            "Username": self.username,
            attributes: pairs.collect::<Value>(),
            "UserCreateDate": self.created,
            "UserLastModifiedDate": self.modified,
            "Enabled": self.enabled,
            "UserStatus": self.status.name(),
        })
    }
}

/// A recorded mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The user's address.
    pub to: String,
    /// The operation that requested the mail.
    pub operation: String,
    /// The app client that requested the mail, if any.
    pub client_id: Option<String>,
}

impl Pool {
    /// The pool's id.
    pub(crate) const ID: &'static str = FakeCognito::POOL;

    /// Adds a user, and returns the id. Generates one if the attributes have none.
    pub fn insert(&mut self, mut user: User) -> String {
        let new = self.new_id();
        let id = user.attributes.entry("sub".into()).or_insert(new).clone();
        self.users.push(user);
        id
    }

    /// Returns the user with this id.
    pub fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id() == id)
    }

    /// Returns the name of the user with exactly this address.
    pub fn username_of(&self, email: &str) -> Option<String> {
        let user = self.users.iter().find(|user| user.attribute("email") == Some(email))?;
        Some(user.username.clone())
    }

    /// Changes a user, if it exists, as another writer would.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut User)) {
        self.users.iter_mut().find(|user| user.id() == id).map(change);
    }

    /// Deletes a user, as another writer would.
    pub fn remove(&mut self, id: &str) {
        self.users.retain(|user| user.id() != id);
    }

    /// Makes the next request of this operation fail with this code. Repeated calls queue up.
    pub fn refuse(&mut self, operation: &str, code: &str, message: &str) {
        self.refusals.entry(operation.into()).or_default().push((code.into(), message.into()));
    }

    pub(crate) fn next_refusal(&mut self, operation: &str) -> Option<Answer> {
        let left = self.refusals.get_mut(operation).filter(|left| !left.is_empty())?;
        let (code, message) = left.remove(0);
        Some(refusal(&code, &message))
    }

    /// Returns the index of the user with this name: the username, an alias, or the id of a user of the pool itself.
    pub(crate) fn find_index(&self, name: &str) -> Result<usize, Answer> {
        let by = |is: &dyn Fn(&User) -> bool| self.users.iter().position(is);
        let has_alias = |user: &User| {
            self.aliases.iter().any(|alias| {
                let counts = alias == "preferred_username" || user.has_verified(alias);
                counts && user.attribute(alias).is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
        };
        let by_id = by(&|user| user.status != Status::ExternalProvider && user.id() == name);
        let by_name = by(&|user| user.username == name).or_else(|| by(&has_alias));
        let found = if self.ids_before_names { by_id.or(by_name) } else { by_name.or(by_id) };
        found.ok_or_else(no_such_user)
    }

    pub(crate) fn user_named(&self, name: &str) -> Result<&User, Answer> {
        self.users.get(self.find_index(name)?).ok_or_else(no_such_user)
    }

    /// Returns the enabled user with this name and password.
    pub fn user_with_password(&self, name: &str, password: &str) -> Option<&User> {
        self.user_named(name).ok().filter(|user| user.enabled && user.password.as_deref() == Some(password))
    }

    pub(crate) fn app_client(&self, id: &str) -> Option<&AppClient> {
        self.app_clients.iter().find(|client| client.client_id == id)
    }

    /// Records a mail. Fails for addresses that start with `undeliverable`.
    pub(crate) fn send(&mut self, to: &str, operation: &str, client_id: Option<&str>) -> Result<(), Answer> {
        if to.starts_with("undeliverable") {
            return Err(refusal("CodeDeliveryFailureException", "Unable to deliver message to user."));
        }
        let client_id = client_id.map(str::to_owned);
        self.mails.push(Mail { to: to.into(), operation: operation.into(), client_id });
        Ok(())
    }

    /// Generates a UUID that differs strongly from the previous ones.
    pub(crate) fn new_id(&mut self) -> String {
        self.created += 1;
        let spread = self.created.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (high, low) = (spread, spread.rotate_left(29) ^ 0x5bd1_e995_c2b2_ae35);
        let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
        format!("{first:08x}-{second:04x}-{third:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
    }
}

/// Returns the current time as Cognito writes it: seconds with a fraction.
pub(crate) fn now() -> f64 {
    SystemClock.now().as_duration().as_millis_f64().round() / 1000.0
}
