//! The conversion of Rolodex's people.

use std::collections::HashMap;

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};
use serde::Deserialize;

/// The parsed fields of a person.
///
/// No other field is parsed, so that a later version of Rolodex can change it.
#[derive(Deserialize)]
pub(crate) struct Person {
    id: String,
    mail: Option<String>,
    mail_verified: Option<bool>,
    suspended: Option<bool>,
    joined: Option<String>,
    #[serde(default)]
    fields: HashMap<String, String>,
}

impl Person {
    /// Converts the person to a user. A value that the bridge cannot use is left out; an unusable id is an error.
    pub(crate) fn into_stored(mut self, customer_field: &str) -> Result<StoredUser> {
        let id = UserId::new(self.id).map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "rolodex returned a person with an unusable id")
                .with_source(error)
        })?;
        let record = UserRecord {
            email: self.mail.and_then(|text| Email::new(text).ok()),
            create_time: self.joined.and_then(|text| text.parse::<Timestamp>().ok()),
            email_verified: self.mail_verified,
            blocked: self.suspended,
            ..UserRecord::new(id)
        };
        Ok(StoredUser::new(record, ()).with_customers(self.fields.remove(customer_field)))
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::{Customer, CustomerId};
    use serde_json::{Value, json};

    use super::*;

    fn record(value: Value) -> UserRecord {
        serde_json::from_value::<Person>(value).unwrap().into_stored("client").unwrap().record
    }

    #[test]
    fn a_person_is_converted() {
        let ada = json!({
            "id": "u-1", "mail": "ada@acme.example", "mail_verified": true, "suspended": false,
            "joined": "2026-11-24T23:26:13.04Z", "fields": {"client": "cust-1", "shoe_size": "39"}
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
    fn unusable_values_are_left_out() {
        let only_the_id = UserRecord::new(UserId::new("u-1").unwrap());
        for person in [
            json!({"id": "u-1"}),
            json!({"id": "u-1", "mail": "no address"}),
            json!({"id": "u-1", "joined": "yesterday"}),
            json!({"id": "u-1", "fields": {}}),
        ] {
            assert_eq!(record(person.clone()), only_the_id, "{person}");
        }
    }

    #[test]
    fn unusable_ids_are_invalid_responses() {
        for id in ["", "..", "a\nb"] {
            let person: Person = serde_json::from_value(json!({"id": id})).unwrap();
            assert_eq!(person.into_stored("client").unwrap_err().kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }
}
