//! The conversion of New IdP's users.

use std::collections::HashMap;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};
use serde::Deserialize;

/// The fields of New IdP's user that the bridge reads.
///
/// No other field is parsed, so that a later version of New IdP can change it.
#[derive(Deserialize)]
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
    /// Converts the user. A value that the bridge cannot use is left out; an unusable id is an error.
    pub(crate) fn into_stored(mut self, customer_attribute: &str) -> Result<StoredUser> {
        let id = UserId::new(self.id).map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "new-idp returned a user with an unusable id")
                .with_source(error)
        })?;
        let record = UserRecord {
            email: self.email.and_then(|text| Email::new(text).ok()),
            create_time: self.created_at.and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: self.email_verified,
            blocked: self.disabled,
            ..UserRecord::new(id)
        };
        let customers = self.attributes.remove(customer_attribute).unwrap_or_default();
        Ok(StoredUser::new(record, ()).with_customers(customers))
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::{Customer, CustomerId};
    use serde_json::{Value, json};

    use super::*;

    fn record(value: Value) -> UserRecord {
        serde_json::from_value::<NewIdpUser>(value).unwrap().into_stored("customer_id").unwrap().record
    }

    #[test]
    fn a_user_is_converted() {
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
    fn an_unusable_value_is_left_out() {
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
            assert_eq!(user.into_stored("customer_id").unwrap_err().kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }
}
