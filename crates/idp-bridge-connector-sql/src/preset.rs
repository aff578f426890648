//! Statements for known schemas, as of November 2026.

use idp_bridge_core::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Statements;
use crate::database::Dialect;

/// A known schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The table `user` of better-auth.
    BetterAuth,
    /// The table `auth.users` of Supabase.
    Supabase,
    /// The table `auth_user` of Django.
    Django,
    /// The table `users` of Laravel.
    Laravel,
    /// The table that `idp-bridge serve --sqlite` creates.
    IdpBridge,
}

/// The parts of a schema's statements.
struct Parts {
    table: &'static str,
    /// The columns after the id and the customer.
    columns: &'static str,
    email: &'static str,
    /// A condition for the users that exist.
    exists: &'static str,
    /// The assignments that set and clear the mark.
    mark: Option<[String; 2]>,
}

impl Preset {
    /// Returns the statements. `customer` is the name of the column with the customer.
    pub(crate) fn statements(self, dialect: Dialect, customer: Option<&str>) -> Result<Statements> {
        self.check_dialect(dialect)?;
        let own = (self == Self::IdpBridge).then_some("customer");
        let customer = customer.or(own).map(|name| self.customer(name)).transpose()?;
        let Parts { table, columns, email, exists, mark } = self.parts(dialect);
        let select = match &customer {
            Some(customer) => format!("select id, {customer} as customer, {columns} from {table} where {exists}"),
            None => format!("select id, {columns} from {table} where {exists}"),
        };
        let has_address = format!("lower({email}) = lower(:email)");
        let update = |set: &String, more: &str| format!("update {table} set {set} where id = :id and {exists}{more}");
        Ok(Statements {
            get_by_id: Some(format!("{select} and id = :id")),
            get_by_email: Some(format!("{select} and {has_address} limit 2")),
            get_by_customer: customer.map(|customer| format!("{select} and {customer} = :customer limit 2")),
            delete: Some(format!("delete from {table} where id = :id and {exists}")),
            mark_email_verified: mark.as_ref().map(|[set, _]| update(set, &format!(" and {has_address}"))),
            unmark_email_verified: mark.as_ref().map(|[_, unset]| update(unset, "")),
        })
    }

    /// Returns the expression of the customer.
    fn customer(self, name: &str) -> Result<String> {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if name.is_empty() || name.len() > 63 || !name.chars().all(is_word) {
            return Err(Error::misconfigured("`customer_column` is not a name of a column")
                .with("setting", "customer_column")
                .with_hint("use letters, digits and `_`, or write the statements yourself"));
        }
        Ok(match self {
            Self::Supabase => format!("raw_app_meta_data ->> '{name}'"),
            Self::BetterAuth | Self::Django | Self::Laravel | Self::IdpBridge => format!("\"{name}\""),
        })
    }

    /// Fails for a product that does not run on this kind of database.
    fn check_dialect(self, dialect: Dialect) -> Result<()> {
        let message = match (self, dialect) {
            (Self::Supabase, Dialect::Sqlite) => "the preset `supabase` is for PostgreSQL",
            (Self::IdpBridge, Dialect::Postgres) => "the preset `idp-bridge` is for SQLite",
            _ => return Ok(()),
        };
        Err(Error::misconfigured(message).with("setting", "preset"))
    }

    fn parts(self, dialect: Dialect) -> Parts {
        let is_postgres = dialect == Dialect::Postgres;
        match self {
            // https://www.better-auth.com/docs/concepts/database#user
            Self::BetterAuth => {
                let now = if is_postgres { "now()" } else { "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')" };
                Parts {
                    table: "\"user\"",
                    columns: "email, \"emailVerified\" as email_verified, \"createdAt\" as create_time, \
                              \"updatedAt\" as update_time",
                    email: "email",
                    exists: "true",
                    mark: Some(
                        ["true", "false"].map(|flag| format!("\"emailVerified\" = {flag}, \"updatedAt\" = {now}")),
                    ),
                }
            }
            // https://github.com/supabase/auth/tree/master/migrations
            Self::Supabase => Parts {
                table: "auth.users",
                columns: "nullif(email, '') as email, email_confirmed_at is not null as email_verified, \
                          coalesce(banned_until > now(), false) as blocked, created_at as create_time, \
                          updated_at as update_time, last_sign_in_at as login_time",
                email: "email",
                exists: "deleted_at is null",
                mark: Some(["now()", "null"].map(|time| format!("email_confirmed_at = {time}, updated_at = now()"))),
            },
            Self::IdpBridge => Parts {
                table: "users",
                columns: "email, email_verified, blocked, service_account, create_time, update_time, login_time, \
                          logins_count",
                email: "email",
                exists: "true",
                mark: Some(["1", "0"].map(|flag| {
                    format!("email_verified = {flag}, update_time = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
                })),
            },
            // https://docs.djangoproject.com/en/5.2/ref/contrib/auth/#fields
            Self::Django => Parts {
                table: "auth_user",
                columns: "nullif(email, '') as email, not is_active as blocked, date_joined as create_time, \
                          last_login as login_time",
                email: "email",
                exists: "true",
                mark: None,
            },
            // https://github.com/laravel/laravel/blob/12.x/database/migrations/0001_01_01_000000_create_users_table.php
            Self::Laravel => {
                let now = if is_postgres { "now() at time zone 'utc'" } else { "datetime('now')" };
                Parts {
                    table: "users",
                    columns: "email, email_verified_at is not null as email_verified, created_at as create_time, \
                              updated_at as update_time",
                    email: "email",
                    exists: "true",
                    mark: Some([now, "null"].map(|time| format!("email_verified_at = {time}, updated_at = {now}"))),
                }
            }
        }
    }
}

impl Statements {
    /// Replaces statements that are not set by those of others. An empty statement stays empty.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            get_by_id: self.get_by_id.or(others.get_by_id),
            get_by_email: self.get_by_email.or(others.get_by_email),
            get_by_customer: self.get_by_customer.or(others.get_by_customer),
            delete: self.delete.or(others.delete),
            mark_email_verified: self.mark_email_verified.or(others.mark_email_verified),
            unmark_email_verified: self.unmark_email_verified.or(others.unmark_email_verified),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customer_columns_are_plain_names() {
        let get = |name: &str| Preset::Laravel.statements(Dialect::Postgres, Some(name));
        assert!(get("org_id").unwrap().get_by_customer.unwrap().ends_with("and \"org_id\" = :customer limit 2"));
        for name in ["", "a\"b", "a b", "a'b", "ä", "a;b", &"x".repeat(64)] {
            assert!(get(name).is_err(), "{name}");
        }
        assert!(Preset::Supabase.statements(Dialect::Sqlite, None).is_err());
        assert!(Preset::IdpBridge.statements(Dialect::Postgres, None).is_err());
    }

    #[test]
    fn own_statements_replace_those_of_a_preset() {
        let own = Statements { delete: Some(String::new()), ..Statements::default() };
        let merged = own.or(Preset::Django.statements(Dialect::Sqlite, None).unwrap());
        assert_eq!(merged.delete.as_deref(), Some(""));
        assert!(merged.get_by_id.is_some() && merged.get_by_customer.is_none() && merged.mark_email_verified.is_none());
    }
}
