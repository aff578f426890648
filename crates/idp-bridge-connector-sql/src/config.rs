//! A tenant's settings of the connector.

use idp_bridge_core::Secret;
use idp_bridge_mailer::SmtpConfig;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Preset;

/// The settings of a users table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sql")]
#[non_exhaustive]
pub struct SqlConfig {
    /// The database: `postgres://user@host/database`, or `sqlite:///absolute/path/users.db`. As `url_file` or `url_env` it may
    /// contain the password.
    pub url: Secret,

    /// The password of the database user, if `url` has none.
    pub password: Option<Secret>,

    /// The statements for a known schema. Those in `statements` replace them one by one.
    pub preset: Option<Preset>,

    /// The name of the column with the customer, for a preset. With `supabase` it is a key of `raw_app_meta_data`, which users cannot
    /// write.
    pub customer_column: Option<String>,

    /// One SQL statement for each call.
    #[serde(default)]
    pub statements: Statements,

    /// The delivery of mails. Without it, the calls that send mails are unsupported.
    pub mail: Option<MailConfig>,

    /// The unit of times that are integers.
    pub integer_times: Option<EpochUnit>,

    /// The maximum number of connections to the database; at most `limits.connections`.
    #[serde(default = "default_connections")]
    #[schemars(range(min = 1))]
    pub connections: u16,

    /// Whether row-level security of PostgreSQL may hide rows from the bridge. Otherwise a policy that hides rows is an error, since
    /// a hidden user would look deleted.
    #[serde(default)]
    pub row_security: bool,
}

impl SqlConfig {
    /// Creates settings with this database, without statements.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            password: None,
            preset: None,
            customer_column: None,
            statements: Statements::default(),
            mail: None,
            integer_times: None,
            connections: default_connections(),
            row_security: false,
        }
    }
}

fn default_connections() -> u16 {
    10
}

/// The delivery of mails: one of `url`, `smtp` and `outbox`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SqlMail")]
#[non_exhaustive]
pub struct MailConfig {
    /// The URL of the tenant's mailer, which gets a signed webhook for each mail.
    pub url: Option<String>,

    /// The mail server, to which the bridge itself sends the mails.
    pub smtp: Option<SmtpConfig>,

    /// The statement that inserts a row for each mail, which the tenant's own program sends. Its parameters are `:kind`, `:id`,
    /// `:email` and `:token`.
    pub outbox: Option<String>,

    /// The key that signs webhooks and the tokens of links: `whsk_…` (Ed25519) or `whsec_…` (HMAC-SHA256).
    pub signing_key: Secret,
}

impl MailConfig {
    /// Creates settings with this key, without a delivery.
    pub fn new(signing_key: impl Into<String>) -> Self {
        Self { url: None, smtp: None, outbox: None, signing_key: Secret::new(signing_key) }
    }
}

/// The statements of the calls. A call without a statement is unsupported.
///
/// Reads return columns with the names `id`, `customer`, `email`, `create_time`, `update_time`, `login_time`, `logins_count`,
/// `email_verified`, `blocked` and `service_account`. Only `id` is required. All reads return the same columns.
/// The parameters are `:id`, `:email` and `:customer`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SqlStatements")]
pub struct Statements {
    /// Returns the user with `:id`. Required, unless a preset has it.
    pub get_by_id: Option<String>,

    /// Returns the users with the address `:email`, in any ASCII case: `where lower(email) = lower(:email)`.
    pub get_by_email: Option<String>,

    /// Returns the users of `:customer`.
    pub get_by_customer: Option<String>,

    /// Deletes the user with `:id`.
    pub delete: Option<String>,

    /// Marks the address of the user with `:id` as verified, if it still is `:email`.
    pub mark_email_verified: Option<String>,

    /// Clears the mark of `:id`, if the address changed while it was marked.
    pub unmark_email_verified: Option<String>,
}

/// The unit of a time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}
