//! The representations that the fake accepts. Unknown fields are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A RealmRepresentation: all of a new realm, or the changed settings of one.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RealmRepresentation {
    pub(crate) realm: String,
    pub(crate) enabled: Option<bool>,
    pub(crate) duplicate_emails_allowed: Option<bool>,
    pub(crate) login_with_email_allowed: Option<bool>,
    pub(crate) events_enabled: Option<bool>,
    pub(crate) enabled_event_types: Option<Vec<String>>,
    pub(crate) brute_force_protected: Option<bool>,
    pub(crate) failure_factor: Option<u32>,
    pub(crate) quick_login_check_milli_seconds: Option<u64>,
    pub(crate) smtp_server: Option<BTreeMap<String, String>>,
    pub(crate) clients: Vec<Client>,
    pub(crate) users: Vec<UserRepresentation>,
}

/// A ClientRepresentation. The fake gives it the `id`.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) enabled: Option<bool>,
    #[serde(skip_serializing)]
    pub(crate) secret: Option<String>,
    pub(crate) client_authenticator_type: Option<String>,
    pub(crate) public_client: bool,
    pub(crate) service_accounts_enabled: bool,
    pub(crate) standard_flow_enabled: bool,
    pub(crate) direct_access_grants_enabled: bool,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) protocol_mappers: Vec<Mapper>,
    pub(crate) attributes: BTreeMap<String, String>,
    #[serde(skip_deserializing)]
    pub(crate) default_client_scopes: Vec<String>,
}

/// A ProtocolMapperRepresentation, which adds a claim to tokens and responses.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Mapper {
    /// The fake uses the name.
    #[serde(default)]
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) protocol: String,
    pub(crate) protocol_mapper: String,
    pub(crate) config: BTreeMap<String, String>,
}

/// A UserRepresentation: all of a new user, or the changed fields of one.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserRepresentation {
    pub(crate) id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: Option<bool>,
    pub(crate) enabled: Option<bool>,
    pub(crate) attributes: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) service_account_client_id: Option<String>,
    pub(crate) client_roles: BTreeMap<String, Vec<String>>,
    pub(crate) realm_roles: Vec<String>,
}

/// A password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Credential {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) temporary: bool,
}

/// A realm's user profile: the original JSON and its parsed rules.
#[derive(Clone, Default)]
pub(crate) struct UserProfile {
    pub(crate) json: Value,
    rules: Rules,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    attributes: Vec<Rule>,
    unmanaged_attribute_policy: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Rule {
    name: String,
    permissions: Option<Permissions>,
    required: Option<Required>,
}

#[derive(Clone, Deserialize)]
struct Permissions {
    view: Vec<String>,
    edit: Vec<String>,
}

#[derive(Clone, Deserialize)]
struct Required {
    #[serde(default)]
    roles: Vec<String>,
}

impl UserProfile {
    pub(crate) fn new(json: Value) -> Option<Self> {
        let rules: Rules = serde_json::from_value(json.clone()).ok()?;
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        rules.attributes.iter().all(|rule| plain(&rule.name)).then_some(Self { json, rules })
    }

    /// Returns whether administrators may view this attribute.
    pub(crate) fn shows(&self, name: &str) -> bool {
        let Some(rule) = self.rules.attributes.iter().find(|rule| rule.name == name) else {
            return self.rules.unmanaged_attribute_policy.is_some();
        };
        let Some(Permissions { view, edit }) = &rule.permissions else { return false };
        view.iter().chain(edit).any(|role| role == "admin")
    }

    /// Returns whether users may edit this attribute themselves.
    pub(crate) fn is_user_editable(&self, name: &str) -> bool {
        match self.rules.attributes.iter().find(|rule| rule.name == name) {
            Some(rule) => rule.permissions.iter().any(|own| own.edit.iter().any(|role| role == "user")),
            None => self.rules.unmanaged_attribute_policy.as_deref() == Some("ENABLED"),
        }
    }

    /// Returns the attributes that administrators must set.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        let for_admins = |rule: &&Rule| {
            rule.required
                .as_ref()
                .is_some_and(|required| required.roles.is_empty() || required.roles.iter().any(|role| role == "admin"))
        };
        self.rules.attributes.iter().filter(for_admins).map(|rule| rule.name.as_str())
    }
}
