//! What the fake keeps: users, groups, app clients and the IAM principals who may ask.

use std::collections::{BTreeMap, BTreeSet};

use idp_bridge_conformance::fake::Answer;
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::FakeCognito;
use super::answer::{no_such_user, refusal};
use super::oauth::{CALLBACK, OAuth, SIGNED_OUT};

/// A user pool.
#[derive(Default)]
pub struct Pool {
    /// The IAM users and roles that may ask, all of this pool.
    pub principals: Vec<Principal>,
    /// The app clients.
    pub app_clients: Vec<AppClient>,
    /// Members of the pool's description, in the place of the fake's own.
    pub settings: BTreeMap<String, Value>,
    /// The attributes that name a user like the username does; an address only where it is verified.
    pub aliases: BTreeSet<String>,
    /// Whether the first page of every list of users is empty and not the last, as Cognito's may be.
    pub begins_with_an_empty_page: bool,
    /// Whether an id means its user even where somebody else has it for a name. Cognito's own order is not documented.
    pub ids_before_names: bool,
    /// Whether tokens outlive the end of their login for a while, as they may in a system of many parts.
    pub ends_late: bool,
    /// Whether codes go by text message, as to users who have a number where the pool prefers that.
    pub texts_codes: bool,
    pub(crate) users: Vec<User>,
    pub(crate) mails: Vec<Mail>,
    pub(crate) oauth: OAuth,
    refusals: BTreeMap<String, Vec<(String, String)>>,
    made: u64,
}

/// An IAM user or role.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Principal {
    /// The id of its access key.
    pub access_key_id: String,
    /// The secret of its access key.
    pub secret_access_key: String,
    /// The token that belongs to a temporary key.
    pub session_token: Option<String>,
    /// The operations that it may ask for.
    pub actions: BTreeSet<String>,
    /// The ids of the pools that its policy names by their ARNs; none stands for every pool.
    pub pools: Option<BTreeSet<String>>,
}

impl Principal {
    /// An IAM user with these rights, such as `AdminGetUser`, on the fake's own pool alone.
    pub fn new(access_key_id: &str, secret_access_key: &str, actions: &[&str]) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            pools: Some([FakeCognito::POOL.to_owned()].into()),
        }
    }

    /// Whether its policy allows the action on a pool, be there such a pool or not.
    pub(crate) fn may(&self, action: &str, pool: &str) -> bool {
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
    /// Whether it hides who is a user (`PreventUserExistenceErrors`): refusals then look like success.
    pub hides_users: bool,
    /// What its users' browsers may be sent to with a code.
    pub callback_urls: Vec<String>,
    /// What its users' browsers may be sent to after a logout.
    pub logout_urls: Vec<String>,
    /// The scopes that it may ask for.
    pub scopes: Vec<String>,
    /// The attributes that it may read; without a list all standard ones.
    pub readable: Option<BTreeSet<String>>,
    /// Whether its tokens can be revoked.
    pub revokes_tokens: bool,
    /// Members of its description, in the place of the fake's own.
    pub settings: BTreeMap<String, Value>,
}

impl AppClient {
    /// An app client with a secret, which hides who is a user, and by which people can sign in.
    pub fn new(client_id: &str, secret: &str) -> Self {
        Self {
            client_id: client_id.into(),
            secret: Some(secret.into()),
            hides_users: true,
            callback_urls: vec![CALLBACK.into()],
            logout_urls: vec![SIGNED_OUT.into()],
            scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
            readable: None,
            revokes_tokens: true,
            settings: BTreeMap::new(),
        }
    }

    /// An app client for programs that act for themselves.
    pub fn machine(client_id: &str, secret: &str) -> Self {
        Self { callback_urls: Vec::new(), scopes: vec!["api/read".into()], ..Self::new(client_id, secret) }
    }
}

/// The state of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Signed up, and has not proved the address.
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
    /// The name, which is another text than the id.
    pub username: String,
    /// The attributes, `sub` among them once it is in the pool.
    pub attributes: BTreeMap<String, String>,
    /// The state.
    pub status: Status,
    /// Whether it may sign in.
    pub enabled: bool,
    /// The groups that it is a member of.
    pub groups: BTreeSet<String>,
    /// The password, if it has one.
    pub password: Option<String>,
    pub(crate) created: f64,
    pub(crate) modified: f64,
}

impl User {
    /// A user in this state with these attributes.
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

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The id: the attribute `sub`.
    pub fn id(&self) -> &str {
        self.attribute("sub").unwrap_or_default()
    }

    pub(crate) fn has_verified(&self, attribute: &str) -> bool {
        self.attribute(attribute).is_some() && self.attribute(&format!("{attribute}_verified")) == Some("true")
    }

    /// Sets an attribute. A new address is not proved, unless the same change says so.
    pub fn set(&mut self, name: &str, value: &str) {
        if matches!(name, "email" | "phone_number") && self.attribute(name) != Some(value) {
            self.attributes.insert(format!("{name}_verified"), "false".into());
        }
        self.attributes.insert(name.into(), value.into());
        self.modified = now();
    }

    /// The user as `ListUsers` shows it; `AdminGetUser` calls the attributes otherwise.
    pub(crate) fn shown(&self, attributes: &str) -> Value {
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

/// A mail that the fake would have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The user's address.
    pub to: String,
    /// The operation that ordered it.
    pub ordered_by: String,
    /// The app client by which it was ordered, if it was by one.
    pub client_id: Option<String>,
}

impl Pool {
    /// Takes a user in, and answers its id: that of its attributes, or a new one.
    pub fn insert(&mut self, mut user: User) -> String {
        let new = self.new_id();
        let id = user.attributes.entry("sub".into()).or_insert(new).clone();
        self.users.push(user);
        id
    }

    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id() == id)
    }

    /// The name of the user with this address, in its case.
    pub fn username_of(&self, email: &str) -> Option<String> {
        let user = self.users.iter().find(|user| user.attribute("email") == Some(email))?;
        Some(user.username.clone())
    }

    /// Changes a user as another writer does; one that is not there is left alone.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut User)) {
        self.users.iter_mut().find(|user| user.id() == id).map(change);
    }

    /// Deletes a user as another writer does.
    pub fn remove(&mut self, id: &str) {
        self.users.retain(|user| user.id() != id);
    }

    /// Refuses this operation the next time with this code; often, if called often.
    pub fn refuse(&mut self, operation: &str, code: &str, message: &str) {
        self.refusals.entry(operation.into()).or_default().push((code.into(), message.into()));
    }

    pub(crate) fn next_refusal(&mut self, operation: &str) -> Option<Answer> {
        let left = self.refusals.get_mut(operation).filter(|left| !left.is_empty())?;
        let (code, message) = left.remove(0);
        Some(refusal(&code, &message))
    }

    /// The place of the user whom Cognito means by this name: the username, an alias, or the id of a user of its own.
    pub(crate) fn named(&self, name: &str) -> Result<usize, Answer> {
        let by = |is: &dyn Fn(&User) -> bool| self.users.iter().position(is);
        let is_called = |user: &User| {
            self.aliases.iter().any(|alias| {
                let counts = alias == "preferred_username" || user.has_verified(alias);
                counts && user.attribute(alias).is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
        };
        let by_id = by(&|user| user.status != Status::ExternalProvider && user.id() == name);
        let by_name = by(&|user| user.username == name).or_else(|| by(&is_called));
        let found = if self.ids_before_names { by_id.or(by_name) } else { by_name.or(by_id) };
        found.ok_or_else(no_such_user)
    }

    pub(crate) fn user_named(&self, name: &str) -> Result<&User, Answer> {
        self.users.get(self.named(name)?).ok_or_else(no_such_user)
    }

    /// "Sends" a mail to a user's address, unless its mail system refuses it.
    pub(crate) fn send(&mut self, to: &str, ordered_by: &str, client_id: Option<&str>) -> Result<(), Answer> {
        if to.starts_with("undeliverable") {
            return Err(refusal("CodeDeliveryFailureException", "Unable to deliver message to user."));
        }
        let client_id = client_id.map(str::to_owned);
        self.mails.push(Mail { to: to.into(), ordered_by: ordered_by.into(), client_id });
        Ok(())
    }

    /// An id in the form of Cognito's, far away from all others.
    pub(crate) fn new_id(&mut self) -> String {
        self.made += 1;
        let spread = self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digits = format!("{spread:016x}{:016x}", spread.rotate_left(29) ^ 0x5bd1_e995_c2b2_ae35);
        let lengths = [8, 4, 4, 4, 12];
        let mut rest = digits.as_str();
        let parts = lengths.iter().filter_map(|length| {
            let (part, left) = rest.split_at_checked(*length)?;
            rest = left;
            Some(part)
        });
        parts.collect::<Vec<_>>().join("-")
    }
}

/// Now, as Cognito writes it: seconds with a fraction.
pub(crate) fn now() -> f64 {
    SystemClock.now().as_duration().as_millis_f64().round() / 1000.0
}
