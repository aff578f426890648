//! From Auth0's user to the one User model.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, CustomerId, Email, EmailStatus, Error, ErrorKind, Result, UserId, UserRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The part of Auth0's user that the bridge reads.
///
/// Only the id must be what it should. Everything else is optional in practice, and comes in other types than documented: times
/// as objects, flags as texts, ids as numbers (seen in issues of Auth0's SDKs: go-auth0, auth0-python #831, auth0-cli #840).
#[derive(Clone, Deserialize)]
pub(crate) struct Auth0User {
    user_id: String,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    blocked: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    updated_at: Value,
    #[serde(default)]
    last_login: Value,
    #[serde(default)]
    logins_count: Value,
    #[serde(default)]
    app_metadata: Value,
    #[serde(default)]
    identities: Value,
}

/// One of the ways in which a user logs in.
#[derive(Deserialize)]
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

/// Whether a text has the form of Auth0's ids, `provider|id`. Nothing else is a user, whatever it would reach as part of a path.
pub(crate) fn is_user_id(id: &str) -> bool {
    id.split_once('|').is_some_and(|(provider, rest)| !provider.is_empty() && !rest.is_empty())
}

impl Auth0User {
    /// The id, if it is one that the bridge can use.
    pub(crate) fn id(&self) -> Result<UserId> {
        UserId::new(self.user_id.as_str())
            .ok()
            .filter(|id| is_user_id(id.as_str()))
            .ok_or_else(|| Error::upstream(ErrorKind::InvalidResponse, "auth0 returned a user with an unusable id"))
    }

    /// Whether this is its id, byte for byte.
    pub(crate) fn has_id(&self, id: &UserId) -> bool {
        self.user_id == id.as_str()
    }

    /// The address in force, if it is well-formed.
    pub(crate) fn email(&self) -> Option<Email> {
        self.email.as_str().and_then(|text| Email::new(text).ok())
    }

    /// Whether this is the address in force.
    pub(crate) fn has_email(&self, email: &Email) -> bool {
        self.email().is_some_and(|own| own.matches(email))
    }

    /// Whether the address is proven. Connections may map anything to it, so that only `true`, as a flag or as a text, is a proof.
    pub(crate) fn email_verified(&self) -> Option<bool> {
        match &self.email_verified {
            Value::Null => None,
            Value::Bool(verified) => Some(*verified),
            other => Some(other == "true"),
        }
    }

    /// The address and whether it is proven.
    pub(crate) fn email_status(&self) -> EmailStatus {
        EmailStatus { email: self.email(), verified: self.email_verified() == Some(true) }
    }

    /// Whether an administrator blocked the user; of others Auth0 does not say that they are not.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked == true || self.blocked == "true"
    }

    /// Whom the user belongs to.
    pub(crate) fn customer(&self, key: &str) -> Customer {
        self.customers(key).map_or(Customer::Unusable, |texts| Customer::from_values(&texts))
    }

    /// Whether this is one of the customers of the user.
    pub(crate) fn has_customer(&self, key: &str, customer: &CustomerId) -> bool {
        self.customers(key).is_some_and(|texts| texts.iter().any(|text| text == customer.as_str()))
    }

    /// The values of the customer; nothing if one of them can be none.
    fn customers(&self, key: &str) -> Option<Vec<String>> {
        match self.app_metadata.get(key) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(text_of).collect(),
            Some(value) => text_of(value).map(|text| vec![text]),
        }
    }

    /// Whether the user logs in through this connection.
    pub(crate) fn is_of(&self, connection: &str) -> bool {
        self.identities().any(|identity| identity.connection == connection)
    }

    /// Whether the user has a password in this database connection, under the address in force.
    pub(crate) fn has_password_in(&self, connection: &str) -> bool {
        self.identities().any(|identity| {
            let is_primary = text_of(&identity.user_id).is_some_and(|id| self.user_id == format!("auth0|{id}"));
            let own = identity.profile.get("email").and_then(Value::as_str).and_then(|text| Email::new(text).ok());
            let has_address = is_primary || own.is_some_and(|own| self.has_email(&own));
            identity.provider == "auth0" && identity.connection == connection && has_address
        })
    }

    /// The identity that must be named for a job about this user; none for users of Auth0's own databases.
    pub(crate) fn named_identity(&self) -> Option<IdentityName> {
        let (provider, rest) = self.user_id.split_once('|')?;
        (provider != "auth0").then(|| IdentityName { provider: provider.to_owned(), user_id: rest.to_owned() })
    }

    /// The identities that can be read.
    fn identities(&self) -> impl Iterator<Item = Identity> {
        self.identities.as_array().into_iter().flatten().filter_map(|value| Identity::deserialize(value).ok())
    }

    /// The record of this user. Time and number of logins are missing until the first one.
    pub(crate) fn record(&self, customer_key: &str) -> Result<UserRecord> {
        Ok(UserRecord {
            customer: self.customer(customer_key),
            email: self.email(),
            create_time: time(&self.created_at),
            update_time: time(&self.updated_at),
            login_time: time(&self.last_login),
            logins_count: self.logins_count.as_i64().filter(|count| *count >= 0),
            email_verified: self.email_verified(),
            blocked: Some(self.is_blocked()),
            ..UserRecord::new(self.id()?)
        })
    }
}

/// A text, or a whole number as one: tenants keep customers as both.
fn text_of(value: &Value) -> Option<String> {
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
    use serde_json::json;

    use super::*;

    fn user(value: Value) -> Auth0User {
        serde_json::from_value(value).unwrap()
    }

    fn with(change: Value) -> Auth0User {
        let mut value = json!({"user_id": "auth0|1"});
        value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        user(value)
    }

    fn record(change: Value) -> UserRecord {
        with(change).record("customer_id").unwrap()
    }

    /// What is known of a user of whom Auth0 tells the id alone.
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
    fn what_is_absent_stays_absent() {
        assert_eq!(record(json!({})), bare());
    }

    #[test]
    fn odd_values_are_absent_and_never_invented() {
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
    fn only_true_is_a_proof_of_an_address() {
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
    fn a_customer_is_a_text_or_a_whole_number_and_never_chosen_among_several() {
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
    fn an_id_is_a_provider_and_something() {
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
            let error = user(json!({"user_id": id})).record("customer_id").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{id:?}");
        }
    }

    #[test]
    fn a_job_names_the_identity_of_whoever_is_in_no_database() {
        assert_eq!(user(json!({"user_id": "auth0|1"})).named_identity(), None);
        for (id, provider, rest) in [
            ("google-oauth2|1", "google-oauth2", "1"),
            ("samlp|acme|ada", "samlp", "acme|ada"),
            ("email|1", "email", "1"),
        ] {
            let name = IdentityName { provider: provider.into(), user_id: rest.into() };
            assert_eq!(user(json!({"user_id": id})).named_identity(), Some(name));
        }
    }

    #[test]
    fn a_password_is_in_a_database_under_the_address_in_force() {
        let database = |id: Value, profile: Value| json!({"provider": "auth0", "connection": "db", "user_id": id, "profileData": profile});
        let has = |id: &str, identities: Value| {
            let user = json!({"user_id": id, "email": "ada@acme.example", "identities": identities});
            serde_json::from_value::<Auth0User>(user).unwrap().has_password_in("db")
        };
        assert!(has("auth0|1", json!([database(json!("1"), json!({}))])));
        assert!(has("auth0|1", json!([database(json!(1), json!({}))])));
        assert!(!has("auth0|1", json!([{"provider": "auth0", "connection": "other", "user_id": "1"}])));
        assert!(!has("google-oauth2|1", json!([{"provider": "google-oauth2", "connection": "db", "user_id": "1"}])));
        // Linked accounts keep their own addresses.
        let google = json!({"provider": "google-oauth2", "connection": "google-oauth2", "user_id": "9"});
        let linked = |email: &str| json!([google, database(json!("1"), json!({"email": email}))]);
        assert!(has("google-oauth2|9", linked("Ada@acme.example")));
        assert!(!has("google-oauth2|9", linked("other@acme.example")));
        assert!(!has("google-oauth2|9", json!([google, database(json!("1"), json!({}))])));
    }
}
