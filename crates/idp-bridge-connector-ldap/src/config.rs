//! A tenant's settings of the connector.

use idp_bridge_core::Secret;
use idp_bridge_mailer::MailerConfig;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Preset;

/// The settings of a directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ldap")]
#[non_exhaustive]
pub struct LdapConfig {
    /// The server: `ldaps://host:636`, or `ldap://host:389`, which starts TLS.
    pub url: String,

    /// Whether a connection to `ldap://` starts TLS. Only loopback hosts may go without, and others with `allow_http`.
    #[serde(default = "default_start_tls")]
    pub start_tls: bool,

    /// The name of the bridge's own entry, such as `cn=idp-bridge,ou=services,dc=acme,dc=example`.
    pub bind_dn: String,

    /// The password of the bridge's own entry.
    pub password: Secret,

    /// The name of the entry above all users, such as `ou=people,dc=acme,dc=example`.
    pub base_dn: String,

    /// The product, from which the attributes and the filter have their defaults.
    pub preset: Preset,

    /// The filter that all users match and no other entries, such as `(objectClass=inetOrgPerson)`.
    pub user_filter: Option<String>,

    /// The attributes with the fields of a user.
    #[serde(default)]
    pub attributes: Attributes,

    /// The delivery of mails. Without it, the calls that send mails are unsupported.
    pub mail: Option<MailerConfig>,

    /// The number of entries that the directory returns at once.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 1))]
    pub page_size: u16,

    /// The maximum number of connections to the directory; at most `limits.connections`.
    #[serde(default = "default_connections")]
    #[schemars(range(min = 1))]
    pub connections: u16,
}

impl LdapConfig {
    /// Creates settings with the defaults of a preset.
    pub fn new(
        url: impl Into<String>,
        bind_dn: impl Into<String>,
        password: Secret,
        base_dn: impl Into<String>,
        preset: Preset,
    ) -> Self {
        Self {
            url: url.into(),
            start_tls: default_start_tls(),
            bind_dn: bind_dn.into(),
            password,
            base_dn: base_dn.into(),
            preset,
            user_filter: None,
            attributes: Attributes::default(),
            mail: None,
            page_size: default_page_size(),
            connections: default_connections(),
        }
    }
}

fn default_start_tls() -> bool {
    true
}

fn default_page_size() -> u16 {
    50
}

fn default_connections() -> u16 {
    10
}

/// The names of attributes. One that is not set has the name of the preset; an empty one is absent.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LdapAttributes")]
pub struct Attributes {
    /// The id, which never changes: `entryUUID`, `objectGUID`, or a text that the directory keeps unique.
    pub id: Option<String>,

    /// The customer. Users must not be able to write it.
    pub customer: Option<String>,

    /// The address. An entry with several values has none.
    pub email: Option<String>,

    /// Whether the address is verified: `TRUE` or `FALSE`. The bridge writes it.
    pub email_verified: Option<String>,

    /// Whether the user is blocked: `userAccountControl`, `pwdAccountLockedTime`, or `TRUE` and `FALSE`.
    pub blocked: Option<String>,

    /// When the user was created.
    pub create_time: Option<String>,

    /// When the user was last changed.
    pub update_time: Option<String>,

    /// When the user last logged in.
    pub login_time: Option<String>,
}
