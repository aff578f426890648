//! The attributes of known products, as of November 2026.

use idp_bridge_core::{Error, Field, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::LdapConfig;
use crate::filter::{Filter, check_attribute};
use crate::values::IdForm;

/// A known product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// OpenLDAP, and other servers with the assertion control (RFC 4528).
    Openldap,
    /// Active Directory, and Samba as its domain controller.
    ActiveDirectory,
}

/// The names of the attributes, and the filter of users.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) id: String,
    pub(crate) id_form: IdForm,
    pub(crate) user_filter: Filter,
    fields: Vec<(Field, String)>,
}

impl Schema {
    /// Combines the settings with the preset.
    pub(crate) fn new(config: &LdapConfig) -> Result<Self> {
        let (id, filter) = match config.preset {
            Preset::Openldap => ("entryUUID", "(objectClass=inetOrgPerson)"),
            // Persons, without computers: <https://learn.microsoft.com/windows/win32/adschema/a-samaccounttype> (November 2026).
            Preset::ActiveDirectory => ("objectGUID", "(sAMAccountType=805306368)"),
        };
        let id = config.attributes.id.as_deref().filter(|id| !id.is_empty()).unwrap_or(id).to_owned();
        let mut fields = Vec::new();
        for field in Field::ALL {
            let name = own_name(config, field).or(config.preset.attribute(field)).filter(|name| !name.is_empty());
            fields.extend(name.map(|name| (field, name.to_owned())));
        }
        for name in fields.iter().map(|(_, name)| name).chain([&id]) {
            check_attribute(name).map_err(|reason| {
                Error::misconfigured(format!("`attributes` {reason}"))
                    .with("setting", "attributes")
                    .with_hint("write the name of an attribute, such as `mail`")
            })?;
        }
        let filter = config.user_filter.as_deref().unwrap_or(filter);
        let user_filter = Filter::parse(filter).map_err(|reason| {
            Error::misconfigured(format!("`user_filter` {reason}"))
                .with("setting", "user_filter")
                .with_hint("write a filter such as `(objectClass=inetOrgPerson)`")
        })?;
        let id_form = IdForm::from_attribute(&id);
        // Writes address an entry by this id there, and by a control that other servers have.
        if (config.preset == Preset::ActiveDirectory) != (id_form == IdForm::Guid) {
            return Err(Error::misconfigured(format!("`attributes.id` is `{id}`, which does not fit the preset"))
                .with("setting", "attributes")
                .with_hint("with `active-directory` the id is `objectGUID`, and only there"));
        }
        Ok(Self { id_form, id, user_filter, fields })
    }

    /// Returns the attribute of a field.
    pub(crate) fn attribute(&self, field: Field) -> Option<&str> {
        self.fields.iter().find(|(own, _)| *own == field).map(|(_, name)| name.as_str())
    }

    /// Returns all attributes that the bridge reads.
    pub(crate) fn attributes(&self) -> Vec<String> {
        self.fields.iter().map(|(_, name)| name).chain([&self.id]).cloned().collect()
    }
}

/// Returns the name in the settings.
fn own_name(config: &LdapConfig, field: Field) -> Option<&str> {
    let own = &config.attributes;
    let name = match field {
        Field::Customer => &own.customer,
        Field::Email => &own.email,
        Field::CreateTime => &own.create_time,
        Field::UpdateTime => &own.update_time,
        Field::LoginTime => &own.login_time,
        Field::LoginsCount => &None,
        Field::EmailVerified => &own.email_verified,
        Field::Blocked => &own.blocked,
    };
    name.as_deref()
}

impl Preset {
    fn attribute(self, field: Field) -> Option<&'static str> {
        let is_openldap = self == Self::Openldap;
        Some(match field {
            Field::Email => "mail",
            Field::CreateTime => {
                if is_openldap {
                    "createTimestamp"
                } else {
                    "whenCreated"
                }
            }
            Field::UpdateTime => {
                if is_openldap {
                    "modifyTimestamp"
                } else {
                    "whenChanged"
                }
            }
            Field::LoginTime if !is_openldap => "lastLogonTimestamp",
            Field::Blocked if !is_openldap => "userAccountControl",
            Field::Customer | Field::LoginTime | Field::LoginsCount | Field::EmailVerified | Field::Blocked => {
                return None;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::Secret;

    use super::*;

    fn config(preset: Preset) -> LdapConfig {
        LdapConfig::new("ldaps://h", "cn=b", Secret::new("s"), "dc=acme", preset)
    }

    #[test]
    fn settings_replace_and_remove_attributes() {
        let mut config = config(Preset::ActiveDirectory);
        config.attributes.customer = Some("employeeID".to_owned());
        config.attributes.login_time = Some(String::new());
        let schema = Schema::new(&config).unwrap();
        assert_eq!((schema.id.as_str(), schema.id_form), ("objectGUID", IdForm::Guid));
        assert_eq!(schema.attribute(Field::Customer), Some("employeeID"));
        assert_eq!(schema.attribute(Field::LoginTime), None);
        assert_eq!(schema.attribute(Field::Blocked), Some("userAccountControl"));
        let expected = ["employeeID", "mail", "whenCreated", "whenChanged", "userAccountControl", "objectGUID"];
        assert_eq!(schema.attributes(), expected);
    }

    #[test]
    fn mistakes_name_their_setting() {
        let mut wrong = config(Preset::Openldap);
        wrong.attributes.email = Some("mail)(uid=*".to_owned());
        let error = Schema::new(&wrong).unwrap_err();
        assert!(error.to_string().contains("`attributes` has `mail)(uid=*`"), "{error}");
        let mut wrong = config(Preset::Openldap);
        wrong.user_filter = Some("(objectClass=person".to_owned());
        let error = Schema::new(&wrong).unwrap_err();
        assert!(error.to_string().contains("`user_filter`") && error.hint().is_some(), "{error}");
    }
}
