//! From New IdP's user to the one User model.

use std::collections::HashMap;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Email, Error, ErrorKind, Result, UserId, UserRecord};
use serde::Deserialize;

/// The part of New IdP's user that the bridge reads.
///
/// Only this part is parsed, so that a change of another field in a later version cannot break a read.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewIdpUser {
    id: String,
    email: Option<String>,
    email_verified: Option<bool>,
    disabled: Option<bool>,
    created_at: Option<String>,
    #[serde(default)]
    attributes: HashMap<String, Vec<String>>,
}

impl NewIdpUser {
    /// The id, if it is one that the bridge can use.
    fn id(&self) -> Result<UserId> {
        UserId::new(self.id.as_str()).map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "new-idp returned a user with an unusable id")
                .with_source(error)
        })
    }

    /// Whether this is its id, byte for byte.
    pub(crate) fn has_id(&self, id: &UserId) -> bool {
        self.id == id.as_str()
    }

    /// The address in force, if it is well-formed.
    fn email(&self) -> Option<Email> {
        self.email.as_deref().and_then(|text| Email::new(text).ok())
    }

    /// The user as the bridge knows it. What is not there stays absent.
    pub(crate) fn record(&self, customer_attribute: &str) -> Result<UserRecord> {
        let customers = self.attributes.get(customer_attribute).map(Vec::as_slice).unwrap_or_default();
        Ok(UserRecord {
            customer: Customer::from_values(customers),
            email: self.email(),
            create_time: self.created_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: self.email_verified,
            blocked: self.disabled,
            ..UserRecord::new(self.id()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::CustomerId;
    use serde_json::{Value, json};

    use super::*;

    fn record(value: Value) -> UserRecord {
        serde_json::from_value::<NewIdpUser>(value).unwrap().record("customer_id").unwrap()
    }

    #[test]
    fn a_user_becomes_a_record() {
        let ada = json!({
            "id": "u-1", "email": "ada@acme.example", "emailVerified": true, "disabled": false,
            "createdAt": "2026-11-24T23:26:13.04Z", "attributes": {"customer_id": ["cust-1"], "shoe_size": ["39"]}
        });
        assert_eq!(
            record(ada),
            UserRecord {
                customer: Customer::One(CustomerId::new("cust-1").unwrap()),
                email: Some(Email::new("ada@acme.example").unwrap()),
                create_time: Some("2026-11-24T23:26:13.04Z".parse().unwrap()),
                email_verified: Some(true),
                blocked: Some(false),
                ..UserRecord::new(UserId::new("u-1").unwrap())
            }
        );
    }

    #[test]
    fn what_is_absent_or_odd_is_absent_and_never_invented() {
        let only_the_id = UserRecord::new(UserId::new("u-1").unwrap());
        for user in [
            json!({"id": "u-1"}),
            json!({"id": "u-1", "email": "no address"}),
            json!({"id": "u-1", "createdAt": "yesterday"}),
            json!({"id": "u-1", "attributes": {"customer_id": []}}),
        ] {
            assert_eq!(record(user.clone()), only_the_id, "{user}");
        }
    }

    #[test]
    fn an_unusable_id_is_an_invalid_response() {
        for id in ["", "..", "a\nb"] {
            let user: NewIdpUser = serde_json::from_value(json!({"id": id})).unwrap();
            assert_eq!(user.record("customer_id").unwrap_err().kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }
}
