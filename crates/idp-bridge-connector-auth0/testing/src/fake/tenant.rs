//! The state of the fake: applications, connections, users, the search index and email templates.

use std::collections::{BTreeMap, BTreeSet};

use idp_bridge_conformance::fake::{Answer, UsedAssertions};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::answer::too_many_requests;
use super::logins::Logins;
use super::text;

/// A tenant.
#[derive(Default)]
pub struct Tenant {
    /// The applications.
    pub applications: Vec<Application>,
    /// The strategies of the connections, by name: `auth0` is a database, `google-oauth2` is social, `samlp` is enterprise.
    pub connections: BTreeMap<String, String>,
    /// The names of changed email templates, and whether they are enabled.
    pub templates: BTreeMap<String, bool>,
    /// Whether there are several custom domains without a default, so that requests that may cause a mail must name one.
    pub has_rival_domains: bool,
    /// Whether token responses omit the scopes.
    pub hides_scopes: bool,
    /// The identifiers of APIs, and whether their access tokens have the profile of RFC 9068 instead of Auth0's.
    pub apis: BTreeMap<String, bool>,
    /// The claim that an Action adds to tokens: `customer_id` of the user's `app_metadata`.
    pub customer_claim: Option<String>,
    /// Whether the plan allows ending sessions through the Management API.
    pub is_enterprise: bool,
    /// Whether device credentials stay listed after their deletion.
    pub keeps_credentials: bool,
    /// Whether discovery omits the logout page, as in older tenants.
    pub hides_logout: bool,
    pub(crate) users: Vec<Value>,
    /// The passwords, by user id.
    pub passwords: BTreeMap<String, String>,
    pub(crate) mails: Vec<Mail>,
    pub(crate) tokens: BTreeMap<String, BTreeSet<String>>,
    pub(crate) logins: Logins,
    pub(crate) used_assertions: UsedAssertions,
    index: Option<Vec<Value>>,
    limit: Option<(usize, i64)>,
    made: u64,
}

/// An application.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Application {
    /// The client id.
    pub client_id: String,
    /// The name, which need not be unique.
    pub name: String,
    /// The type: `non_interactive` for machines, `regular_web` or `spa` for users.
    pub kind: &'static str,
    /// The secret, if it has one.
    pub secret: Option<String>,
    /// The public key as a JWK, if it has one.
    pub jwk: Option<Value>,
    /// The scopes of its grant for the Management API. Without a grant it gets no token.
    pub scopes: Option<BTreeSet<String>>,
    /// The allowed logout URLs.
    pub logout_urls: Vec<String>,
    /// Whether its refresh tokens rotate.
    pub rotates: bool,
    /// Whether its ID tokens are signed with its secret, as those of the oldest applications.
    pub signs_with_secret: bool,
}

impl Application {
    /// Creates a machine-to-machine application with a secret.
    pub fn machine(client_id: &str, secret: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Self { scopes: Some(scopes), kind: "non_interactive", ..Self::web(client_id, secret) }
    }

    /// Creates a confidential application for users.
    pub fn web(client_id: &str, secret: &str) -> Self {
        Self { secret: Some(secret.into()), kind: "regular_web", ..Self::public(client_id) }
    }

    /// Creates a public application for users, such as one that runs in a browser.
    pub fn public(client_id: &str) -> Self {
        Self { client_id: client_id.into(), name: client_id.into(), kind: "spa", ..Self::default() }
    }

    /// Returns the members that the Management API shows, without the secret.
    pub(crate) fn shown(&self) -> Value {
        let grant = if self.kind == "non_interactive" { "client_credentials" } else { "authorization_code" };
        json!({"client_id": self.client_id, "name": self.name, "app_type": self.kind, "grant_types": [grant]})
    }

    /// Returns whether it has no credential.
    pub(crate) fn is_public(&self) -> bool {
        self.secret.is_none() && self.jwk.is_none()
    }
}

/// A recorded mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The recipient.
    pub to: String,
    /// The template.
    pub template: String,
    /// The application that it is sent for; `None` for the tenant.
    pub client_id: Option<String>,
    /// The custom domain of its links.
    pub custom_domain: Option<String>,
}

impl Tenant {
    /// Invalidates all Management API tokens.
    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Freezes the search index.
    pub fn hold_index(&mut self) {
        self.index = Some(self.users.clone());
    }

    /// Ends [`hold_index`](Self::hold_index).
    pub fn release_index(&mut self) {
        self.index = None;
    }

    /// Refuses this many requests with a rate limit that ends in this many seconds.
    pub fn limit(&mut self, requests: usize, seconds: i64) {
        self.limit = Some((requests, seconds));
    }

    pub(crate) fn rate_limited(&mut self) -> Option<Answer> {
        let (left, seconds) = self.limit.as_mut()?;
        *left = left.checked_sub(1)?;
        Some(too_many_requests(*seconds))
    }

    /// Returns the users of the search index.
    pub(crate) fn indexed(&self) -> &[Value] {
        self.index.as_ref().unwrap_or(&self.users)
    }

    /// Adds a user with all given members, as the first login of a connection does.
    pub fn insert(&mut self, user: Value) {
        self.users.push(user);
    }

    /// Returns the user with this id.
    pub fn user(&self, id: &str) -> Option<&Value> {
        self.users.iter().find(|user| text(user, "user_id") == Some(id))
    }

    /// Returns the id of the user with exactly this address.
    pub fn id_of(&self, email: &str) -> Option<String> {
        let user = self.users.iter().find(|user| text(user, "email") == Some(email))?;
        text(user, "user_id").map(str::to_owned)
    }

    /// Changes a user as another writer does. Does nothing for a missing user.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Value)) {
        self.user_mut(id).map(change);
    }

    /// Changes an application as an operator does. Does nothing for a missing application.
    pub fn change_application(&mut self, client_id: &str, change: impl FnOnce(&mut Application)) {
        self.applications.iter_mut().find(|application| application.client_id == client_id).map(change);
    }

    /// Grants a scope to an application or revokes it, and invalidates all tokens.
    pub fn set_scope(&mut self, client_id: &str, scope: &str, granted: bool) {
        self.change_application(client_id, |application| {
            let scopes = application.scopes.get_or_insert_default();
            let _ = if granted { scopes.insert(scope.to_owned()) } else { scopes.remove(scope) };
        });
        self.expire_tokens();
    }

    pub(crate) fn user_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.users.iter_mut().find(|user| text(user, "user_id") == Some(id))
    }

    pub(crate) fn application(&self, client_id: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.client_id == client_id)
    }

    pub(crate) fn has_password(&self, user: &Value, password: &str) -> bool {
        text(user, "user_id").and_then(|id| self.passwords.get(id)).is_some_and(|own| own == password)
    }

    /// Returns whether a template is enabled. Unchanged templates are.
    pub(crate) fn sends(&self, template: &str) -> bool {
        self.templates.get(template).copied().unwrap_or(true)
    }

    /// Returns a unique id of 24 hexadecimal digits that resembles no other.
    pub fn new_id(&mut self) -> String {
        self.made += 1;
        let spread = self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{spread:016x}{:08x}", spread.rotate_left(17) & 0xffff_ffff)
    }

    /// Returns a unique id of 16 hexadecimal digits.
    pub(crate) fn short_id(&mut self) -> String {
        self.new_id().chars().take(16).collect()
    }
}

/// Returns the current time in Auth0's format.
pub fn now() -> Value {
    let now = SystemClock.now();
    json!(Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now).to_string())
}

/// Returns whether a user logs in through this connection.
pub(crate) fn has_connection(user: &Value, connection: &str) -> bool {
    let identities = user.get("identities").and_then(Value::as_array);
    identities.into_iter().flatten().any(|identity| text(identity, "connection") == Some(connection))
}
