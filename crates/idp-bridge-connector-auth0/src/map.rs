//! Converts Auth0's users to user records.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The part of Auth0's user that the bridge reads.
///
/// Only the id is required and must have the documented type. All other members are optional in practice and come in undocumented
/// types: times as objects, flags as strings, ids as numbers (seen in issues of Auth0's SDKs: go-auth0, auth0-python #831,
/// auth0-cli #840).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Auth0User {
    user_id: String,
    email: Value,
    email_verified: Value,
    blocked: Value,
    created_at: Value,
    updated_at: Value,
    last_login: Value,
    logins_count: Value,
    app_metadata: Value,
    identities: Value,
}

/// The login methods of one user.
#[derive(Clone)]
pub struct Identities(Vec<Identity>);

#[derive(Clone, Deserialize)]
struct Identity {
    provider: String,
    connection: String,
    user_id: Value,
    #[serde(default, rename = "profileData")]
    profile: Map<String, Value>,
}

/// An identity as a job names it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IdentityName {
    provider: String,
    user_id: String,
}

/// Returns whether a text has the form of Auth0's user ids, `provider|id`.
pub(crate) fn is_user_id(id: &str) -> bool {
    id.split_once('|').is_some_and(|(provider, rest)| !provider.is_empty() && !rest.is_empty())
}

/// Returns the identity that a job about this user must name; `None` for users of Auth0's own databases.
pub(crate) fn named_identity(id: &UserId) -> Option<IdentityName> {
    let (provider, rest) = id.as_str().split_once('|')?;
    (provider != "auth0").then(|| IdentityName { provider: provider.to_owned(), user_id: rest.to_owned() })
}

impl Auth0User {
    /// Returns the user as a directory reads it. Time and number of logins are absent before the first login.
    pub(crate) fn to_stored(&self, customer_key: &str) -> Result<StoredUser<Identities>> {
        let record = UserRecord {
            email: self.email.as_str().and_then(|text| Email::new(text).ok()),
            create_time: time(&self.created_at),
            update_time: time(&self.updated_at),
            login_time: time(&self.last_login),
            logins_count: self.logins_count.as_i64().filter(|count| *count >= 0),
            email_verified: self.email_verified(),
            blocked: Some(self.is_blocked()),
            ..UserRecord::new(self.id()?)
        };
        let mut user = StoredUser::new(record, self.identities());
        match self.customers(customer_key) {
            Some(customers) => user = user.with_customers(customers),
            None => user.record.customer = Customer::Unusable,
        }
        Ok(user)
    }

    fn id(&self) -> Result<UserId> {
        UserId::new(self.user_id.as_str())
            .ok()
            .filter(|id| is_user_id(id.as_str()))
            .ok_or_else(|| Error::upstream(ErrorKind::InvalidResponse, "auth0 returned a user with an unusable id"))
    }

    /// Returns whether the address is verified. Connections may map any value to the flag; only `true` and `"true"` count.
    fn email_verified(&self) -> Option<bool> {
        match &self.email_verified {
            Value::Null => None,
            Value::Bool(verified) => Some(*verified),
            other => Some(other == "true"),
        }
    }

    /// Returns whether an administrator blocked the user. The member is absent for most other users.
    fn is_blocked(&self) -> bool {
        self.blocked == true || self.blocked == "true"
    }

    /// Returns the customers of the user; `None` if one of the values cannot be an identifier.
    fn customers(&self, key: &str) -> Option<Vec<String>> {
        match self.app_metadata.get(key) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(text_from).collect(),
            Some(value) => text_from(value).map(|text| vec![text]),
        }
    }

    /// Returns the readable identities.
    fn identities(&self) -> Identities {
        let values = self.identities.as_array().into_iter().flatten();
        Identities(values.filter_map(|value| Identity::deserialize(value).ok()).collect())
    }
}

impl Identities {
    /// Returns whether the user logs in through this connection.
    pub(crate) fn has_connection(&self, connection: &str) -> bool {
        self.0.iter().any(|identity| identity.connection == connection)
    }

    /// Returns whether the user has a password in this database connection, under the current address.
    pub(crate) fn has_password_in(&self, connection: &str, user: &UserRecord) -> bool {
        self.0.iter().any(|identity| {
            let is_primary = text_from(&identity.user_id).is_some_and(|id| user.id.as_str() == format!("auth0|{id}"));
            let linked = identity.profile.get("email").and_then(Value::as_str).and_then(|text| Email::new(text).ok());
            let has_address = linked.zip(user.email.as_ref()).is_some_and(|(linked, email)| email.matches(&linked));
            identity.provider == "auth0" && identity.connection == connection && (is_primary || has_address)
        })
    }
}

/// Returns a string, or a whole number as a string: tenants store customers as both.
fn text_from(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::CustomerId;
    use serde_json::json;

    use super::*;

    fn stored(value: Value) -> Result<StoredUser<Identities>> {
        serde_json::from_value::<Auth0User>(value).unwrap().to_stored("customer_id")
    }

    /// Converts a user with the id `auth0|1` and these members.
    fn record(members: Value) -> UserRecord {
        let mut value = json!({"user_id": "auth0|1"});
        value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        stored(value).ok().unwrap().record
    }

    /// The record of a user with only an id.
    fn bare() -> UserRecord {
        UserRecord { blocked: Some(false), ..UserRecord::new(UserId::new("auth0|1").unwrap()) }
    }

    #[test]
    fn a_user_becomes_a_record() {
        // The shape of a user of a database connection, as recorded.
        let ada = record(json!({
            "created_at": "2021-09-03T07:08:20.562Z", "updated_at": "2021-09-04T07:08:20.562Z", "email": "ada@acme.example",
            "email_verified": true, "blocked": true, "name": "ada@acme.example", "nickname": "ada", "logins_count": 3,
            "last_login": "2021-09-04T07:08:20.562Z", "last_ip": "203.0.113.7", "app_metadata": {"customer_id": "c-1"},
            "identities": [{"user_id": "1", "connection": "Username-Password-Authentication", "provider": "auth0", "isSocial": false}],
        }));
        assert_eq!(
            ada,
            UserRecord {
                customer: Customer::One(CustomerId::new("c-1").unwrap()),
                email: Some(Email::new("ada@acme.example").unwrap()),
                create_time: Some("2021-09-03T07:08:20.562Z".parse().unwrap()),
                update_time: Some("2021-09-04T07:08:20.562Z".parse().unwrap()),
                login_time: Some("2021-09-04T07:08:20.562Z".parse().unwrap()),
                logins_count: Some(3),
                email_verified: Some(true),
                blocked: Some(true),
                ..bare()
            }
        );
    }

    #[test]
    fn absent_members_stay_absent() {
        assert_eq!(record(json!({})), bare());
    }

    #[test]
    fn values_of_other_types_are_absent() {
        for change in [
            json!({"email": ""}),
            json!({"email": "no address"}),
            json!({"email": 7}),
            json!({"created_at": {"$date": "2021-09-03T07:08:20.562Z"}, "last_login": 1_630_652_900}),
            json!({"updated_at": "yesterday"}),
            json!({"logins_count": "3"}),
            json!({"logins_count": -1}),
            json!({"logins_count": 1.5}),
            json!({"app_metadata": null}),
            json!({"app_metadata": {"customer_id": null}}),
            json!({"app_metadata": ["customer_id"]}),
            json!({"identities": {"provider": "auth0"}}),
            json!({"identities": [7, {"provider": 7}]}),
        ] {
            assert_eq!(record(change.clone()), bare(), "{change}");
        }
    }

    #[test]
    fn only_true_verifies_an_address() {
        for (value, verified) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(false), Some(false)),
            (json!("false"), Some(false)),
            (json!("ada@acme.example"), Some(false)),
            (json!("True"), Some(false)),
            (json!(1), Some(false)),
            (json!([true]), Some(false)),
            (json!(null), None),
        ] {
            assert_eq!(record(json!({"email_verified": value})).email_verified, verified, "{value}");
        }
    }

    #[test]
    fn customers_are_strings_or_whole_numbers() {
        let customer = |value: Value| record(json!({"app_metadata": {"customer_id": value}})).customer;
        let one = |text: &str| Customer::One(CustomerId::new(text).unwrap());
        assert_eq!(customer(json!("c-1")), one("c-1"));
        assert_eq!(customer(json!(42)), one("42"));
        assert_eq!(customer(json!(u64::MAX)), one("18446744073709551615"));
        assert_eq!(customer(json!(["c-1"])), one("c-1"));
        assert_eq!(customer(json!(["c-1", 2])), Customer::Several);
        assert_eq!(customer(json!([])), Customer::Absent);
        for unusable in [json!(""), json!(4.2), json!(true), json!({"id": "c-1"}), json!([null]), json!("a\nb")] {
            assert_eq!(customer(unusable.clone()), Customer::Unusable, "{unusable}");
        }
    }

    #[test]
    fn ids_have_a_provider_and_a_rest() {
        for id in [
            "auth0|1",
            "samlp|acme|ada@acme.example",
            "google-oauth2|1",
            "oauth2|a/b",
            "auth0|a%3Ab",
            "waad|..",
            "..|..",
        ] {
            assert!(is_user_id(id), "{id}");
        }
        for id in ["", "auth0", "|", "auth0|", "|1", "../tenants/settings", ".."] {
            assert!(!is_user_id(id), "{id}");
        }
        for id in ["", "..", "auth0", "a\nb|c"] {
            let error = stored(json!({"user_id": id})).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }

    #[test]
    fn jobs_name_identities_outside_databases() {
        let named = |id| named_identity(&UserId::new(id).unwrap());
        assert_eq!(named("auth0|1"), None);
        for (id, provider, rest) in [
            ("google-oauth2|1", "google-oauth2", "1"),
            ("samlp|acme|ada", "samlp", "acme|ada"),
            ("email|1", "email", "1"),
        ] {
            let name = IdentityName { provider: provider.into(), user_id: rest.into() };
            assert_eq!(named(id), Some(name));
        }
    }

    #[test]
    fn passwords_belong_to_the_address_in_force() {
        let database = |id: Value, profile: Value| json!({"provider": "auth0", "connection": "db", "user_id": id, "profileData": profile});
        let has = |id: &str, identities: Value| {
            let user =
                stored(json!({"user_id": id, "email": "ada@acme.example", "identities": identities})).ok().unwrap();
            user.detail.has_password_in("db", &user.record)
        };
        assert!(has("auth0|1", json!([database(json!("1"), json!({}))])));
        assert!(has("auth0|1", json!([database(json!(1), json!({}))])));
        assert!(!has("auth0|1", json!([{"provider": "auth0", "connection": "other", "user_id": "1"}])));
        assert!(!has("google-oauth2|1", json!([{"provider": "google-oauth2", "connection": "db", "user_id": "1"}])));
        // Linked identities keep their own addresses.
        let google = json!({"provider": "google-oauth2", "connection": "google-oauth2", "user_id": "9"});
        let linked = |email: &str| json!([google, database(json!("1"), json!({"email": email}))]);
        assert!(has("google-oauth2|9", linked("Ada@acme.example")));
        assert!(!has("google-oauth2|9", linked("other@acme.example")));
        assert!(!has("google-oauth2|9", json!([google, database(json!("1"), json!({}))])));
    }
}
