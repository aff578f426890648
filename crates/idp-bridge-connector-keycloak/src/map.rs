//! From Keycloak's user to the one User model.

use std::collections::HashMap;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Email, EmailStatus, Error, ErrorKind, Result, UserId, UserRecord};
use serde::Deserialize;

/// The part of Keycloak's UserRepresentation that the bridge reads.
///
/// Only this part is parsed, so that a change of another field in a later Keycloak cannot break a read.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeycloakUser {
    id: String,
    username: Option<String>,
    email: Option<String>,
    pub(crate) email_verified: Option<bool>,
    pub(crate) enabled: Option<bool>,
    created_timestamp: Option<i64>,
    attributes: Option<HashMap<String, Vec<Option<String>>>>,
    access: Option<HashMap<String, bool>>,
    federation_link: Option<String>,
}

impl KeycloakUser {
    /// The id, if it is one that the bridge can use.
    pub(crate) fn id(&self) -> Result<UserId> {
        UserId::new(self.id.as_str()).map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "keycloak returned a user with an unusable id")
                .with_source(error)
        })
    }

    /// Whether this is its id, byte for byte.
    pub(crate) fn has_id(&self, id: &UserId) -> bool {
        self.id == id.as_str()
    }

    /// The user name.
    pub(crate) fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// Whether both are the same user.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Whether the user comes from a user federation, such as LDAP.
    pub(crate) fn is_federated(&self) -> bool {
        self.federation_link.is_some() || self.id.starts_with("f:")
    }

    /// Whether the user has the name that Keycloak gives to the service account of a client. People may have such a name, too.
    pub(crate) fn is_named_like_service_account(&self) -> bool {
        self.username().is_some_and(|name| name.starts_with("service-account-"))
    }

    /// The address in force, if it is well-formed.
    pub(crate) fn email(&self) -> Option<Email> {
        self.email.as_deref().and_then(|text| Email::new(text).ok())
    }

    /// Whether this is the address in force.
    pub(crate) fn has_email(&self, email: &Email) -> bool {
        self.email().is_some_and(|own| own.matches(email))
    }

    /// The address and whether it is proven.
    pub(crate) fn email_status(&self) -> EmailStatus {
        EmailStatus { email: self.email(), verified: self.email_verified == Some(true) }
    }

    /// The values of an attribute; none if the user has none, or if the user profile hides them from the bridge.
    pub(crate) fn attribute(&self, name: &str) -> Vec<&str> {
        let values = self.attributes.as_ref().and_then(|attributes| attributes.get(name));
        values.into_iter().flatten().filter_map(Option::as_deref).collect()
    }

    /// Whether the bridge's client may change this user; not every answer says so.
    pub(crate) fn may_be_managed(&self) -> Option<bool> {
        self.access.as_ref().and_then(|access| access.get("manage")).copied()
    }

    /// The record of this user. Keycloak keeps no time of the last change, and login data only in events.
    pub(crate) fn record(&self, customer_attribute: &str) -> Result<UserRecord> {
        Ok(UserRecord {
            customer: Customer::from_values(&self.attribute(customer_attribute)),
            email: self.email(),
            create_time: self.created_timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            email_verified: self.email_verified,
            blocked: self.enabled.map(|enabled| !enabled),
            ..UserRecord::new(self.id()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::CustomerId;
    use serde_json::{Value, json};

    use super::*;

    fn user(value: Value) -> KeycloakUser {
        serde_json::from_value(value).unwrap()
    }

    fn record(value: Value) -> UserRecord {
        user(value).record("customer_id").unwrap()
    }

    /// As Keycloak 26.7.3 answered it.
    fn alice() -> Value {
        json!({
            "id": "43180368-bb2a-4a4a-b8b7-bee14c82bb42", "username": "alice", "firstName": "Alice", "lastName": "Test",
            "email": "alice@example.com", "emailVerified": true, "attributes": {"customer_id": ["cust-1"]},
            "enabled": true, "createdTimestamp": 1_795_562_773_040_i64, "totp": false, "disableableCredentialTypes": [],
            "requiredActions": [], "notBefore": 0, "access": {"view": true, "manage": true}
        })
    }

    #[test]
    fn a_real_user_becomes_a_record() {
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
    fn what_is_absent_stays_absent() {
        let id = UserId::new("legacy-42").unwrap();
        assert_eq!(record(json!({"id": "legacy-42"})), UserRecord::new(id));
    }

    #[test]
    fn odd_values_are_absent_and_never_invented() {
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
    fn customer_values_are_never_chosen_among() {
        let customer = |values: Value| record(json!({"id": "u", "attributes": {"customer_id": values}})).customer;
        assert_eq!(customer(json!([])), Customer::Absent);
        assert_eq!(customer(json!(["a", "b"])), Customer::Several);
        assert_eq!(customer(json!(["a", "a"])), Customer::Several);
        assert_eq!(customer(json!([""])), Customer::Unusable);
    }

    #[test]
    fn a_disabled_user_is_blocked() {
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
    fn an_unusable_id_is_an_invalid_response() {
        for id in ["", "..", "a\nb"] {
            let error = user(json!({"id": id})).record("customer_id").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }
}
