//! Converts Keycloak's users.

use std::collections::BTreeMap;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};
use serde::Deserialize;

/// The part of a UserRepresentation that the bridge reads.
///
/// Other fields are not parsed, so that a change of them in a later Keycloak cannot break a read.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeycloakUser {
    pub(crate) id: String,
    pub(crate) username: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    enabled: Option<bool>,
    created_timestamp: Option<i64>,
    attributes: Option<BTreeMap<String, Vec<Option<String>>>>,
    access: Option<Access>,
    federation_link: Option<String>,
}

/// The rights of the bridge's client on a user.
#[derive(Clone, Deserialize)]
struct Access {
    manage: Option<bool>,
}

impl KeycloakUser {
    /// Returns whether this is another spelling of the id.
    pub(crate) fn differs_only_in_case(&self, id: &UserId) -> bool {
        self.id != id.as_str() && self.id.eq_ignore_ascii_case(id.as_str())
    }

    /// Returns whether the user comes from a user federation, such as LDAP.
    pub(crate) fn is_federated(&self) -> bool {
        self.federation_link.is_some() || self.id.starts_with("f:")
    }

    /// Returns whether the user has the name that Keycloak gives to the service account of a client. People may have such a name, too.
    pub(crate) fn is_named_like_service_account(&self) -> bool {
        self.username.as_deref().is_some_and(|name| name.starts_with("service-account-"))
    }

    /// Returns the values of an attribute, except those that the user profile hides.
    pub(crate) fn attribute(&self, name: &str) -> Vec<&str> {
        let values = self.attributes.as_ref().and_then(|attributes| attributes.get(name));
        values.into_iter().flatten().filter_map(Option::as_deref).collect()
    }

    /// Returns whether the bridge's client may change this user, if the representation contains it.
    pub(crate) fn may_be_managed(&self) -> Option<bool> {
        self.access.as_ref().and_then(|access| access.manage)
    }

    /// Converts the user. Keycloak stores no time of the last change, and logins only as events.
    pub(crate) fn into_stored(self, customer_attribute: &str) -> Result<StoredUser<Self>> {
        let id = UserId::new(self.id.as_str()).map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "keycloak returned a user with an unusable id")
                .with_source(error)
        })?;
        let record = UserRecord {
            email: self.email.as_deref().and_then(|text| Email::new(text).ok()),
            create_time: self.created_timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            email_verified: self.email_verified,
            blocked: self.enabled.map(|enabled| !enabled),
            ..UserRecord::new(id)
        };
        let customers: Vec<String> = self.attribute(customer_attribute).into_iter().map(Into::into).collect();
        Ok(StoredUser::new(record, self).with_customers(customers))
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::{Customer, CustomerId};
    use serde_json::{Value, json};

    use super::*;

    fn user(value: Value) -> KeycloakUser {
        serde_json::from_value(value).unwrap()
    }

    fn record(value: Value) -> UserRecord {
        user(value).into_stored("customer_id").unwrap().record
    }

    /// A user as Keycloak 26.7.3 returned it.
    fn alice() -> Value {
        json!({
            "id": "43180368-bb2a-4a4a-b8b7-bee14c82bb42", "username": "alice", "firstName": "Alice", "lastName": "Test",
            "email": "alice@example.com", "emailVerified": true, "attributes": {"customer_id": ["cust-1"]},
            "enabled": true, "createdTimestamp": 1_795_562_773_040_i64, "totp": false, "disableableCredentialTypes": [],
            "requiredActions": [], "notBefore": 0, "access": {"view": true, "manage": true}
        })
    }

    #[test]
    fn real_user_is_converted() {
        assert_eq!(
            record(alice()),
            UserRecord {
                customer: Customer::One(CustomerId::new("cust-1").unwrap()),
                email: Some(Email::new("alice@example.com").unwrap()),
                create_time: Some("2026-11-24T23:26:13.04Z".parse().unwrap()),
                email_verified: Some(true),
                blocked: Some(false),
                ..UserRecord::new(UserId::new("43180368-bb2a-4a4a-b8b7-bee14c82bb42").unwrap())
            }
        );
    }

    #[test]
    fn absent_fields_stay_absent() {
        let id = UserId::new("legacy-42").unwrap();
        assert_eq!(record(json!({"id": "legacy-42"})), UserRecord::new(id));
    }

    #[test]
    fn malformed_values_become_absent() {
        for (change, expected) in [
            (json!({"id": "u", "email": ""}), UserRecord::new(UserId::new("u").unwrap())),
            (json!({"id": "u", "email": "no address"}), UserRecord::new(UserId::new("u").unwrap())),
            (json!({"id": "u", "createdTimestamp": i64::MAX}), UserRecord::new(UserId::new("u").unwrap())),
            (json!({"id": "u", "attributes": {"other": ["x"]}}), UserRecord::new(UserId::new("u").unwrap())),
            (json!({"id": "u", "attributes": {"customer_id": [null]}}), UserRecord::new(UserId::new("u").unwrap())),
        ] {
            assert_eq!(record(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn disabled_user_is_blocked() {
        assert_eq!(record(json!({"id": "u", "enabled": false})).blocked, Some(true));
    }

    #[test]
    fn names_of_service_accounts_are_recognised() {
        assert!(user(json!({"id": "u", "username": "service-account-idp-bridge"})).is_named_like_service_account());
        assert!(!user(json!({"id": "u", "username": "ada"})).is_named_like_service_account());
        assert!(!user(json!({"id": "u"})).is_named_like_service_account());
    }

    #[test]
    fn users_of_a_federation_are_recognised() {
        assert!(user(json!({"id": "u", "federationLink": "ldap"})).is_federated());
        assert!(user(json!({"id": "f:5f7b:ada"})).is_federated());
        assert!(!user(json!({"id": "u"})).is_federated());
    }

    #[test]
    fn unusable_id_is_an_invalid_response() {
        for id in ["", "..", "a\nb"] {
            let error = user(json!({"id": id})).into_stored("customer_id").err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }

    #[test]
    fn ids_are_compared_by_case() {
        let id = UserId::new("u-a").unwrap();
        for (own, differs) in [("u-a", false), ("U-A", true), ("u-b", false)] {
            assert_eq!(user(json!({"id": own})).differs_only_in_case(&id), differs, "{own}");
        }
    }
}
