//! The User model: the record that a provider returns, and the user on the wire.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CustomerId, Email, TenantId, UserId};

/// The customer of a user, as the identity provider stores it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Customer {
    /// No value.
    #[default]
    Absent,
    /// Exactly one valid value.
    One(CustomerId),
    /// More than one value.
    Several,
    /// One value that is not a valid [`CustomerId`]: empty, too long, or with control characters.
    Unusable,
}

impl Customer {
    /// Converts the values of a multi-valued attribute. Does not choose one of several.
    pub fn from_values<S: AsRef<str>>(values: &[S]) -> Self {
        match values {
            [] => Self::Absent,
            [value] => CustomerId::new(value.as_ref()).map_or(Self::Unusable, Self::One),
            _ => Self::Several,
        }
    }

    /// Returns whether this is exactly the given customer, byte for byte.
    pub fn is(&self, customer: &CustomerId) -> bool {
        matches!(self, Self::One(own) if own == customer)
    }
}

/// A user as the identity provider stores it, without a tenant.
///
/// A field that the identity provider does not store is absent. It is never replaced by another value, such as zero or the
/// creation time. Only the server turns a record into a [`User`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The identity provider's stable id of the user.
    pub id: UserId,
    /// The customer this user belongs to, from a source that users cannot edit.
    pub customer: Customer,
    /// The current address, not a pending one. `None` if the user has none, or if it is malformed.
    pub email: Option<Email>,
    /// When the user was created.
    pub create_time: Option<Timestamp>,
    /// When the user was last changed.
    pub update_time: Option<Timestamp>,
    /// When the user last logged in.
    pub login_time: Option<Timestamp>,
    /// The number of logins; not negative.
    pub logins_count: Option<i64>,
    /// Whether the address is verified.
    pub email_verified: Option<bool>,
    /// Whether the user is blocked from logging in.
    pub blocked: Option<bool>,
}

impl UserRecord {
    /// Creates a record with only an id.
    pub fn new(id: UserId) -> Self {
        Self {
            id,
            customer: Customer::Absent,
            email: None,
            create_time: None,
            update_time: None,
            login_time: None,
            logins_count: None,
            email_verified: None,
            blocked: None,
        }
    }
}

/// A user on the wire, for every identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The platform's id of the tenant.
    pub tenant: TenantId,
    /// The identity provider's id of the user.
    pub id: UserId,
    /// The tenant's identifier for the customer this user belongs to.
    pub customer: CustomerId,
    /// The current address.
    pub email: Email,
    /// When the user was created (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("type" = "string", "format" = "date-time"))]
    pub create_time: Option<Timestamp>,
    /// When the user was last changed (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("type" = "string", "format" = "date-time"))]
    pub update_time: Option<Timestamp>,
    /// When the user last logged in (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("type" = "string", "format" = "date-time"))]
    pub login_time: Option<Timestamp>,
    /// The number of logins: an int64 as a JSON string.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "int64_as_string",
        deserialize_with = "int64_from_string_or_number"
    )]
    #[schemars(with = "Option<String>", extend("type" = "string", "format" = "int64", "pattern" = "^[0-9]{1,19}$"))]
    pub logins_count: Option<i64>,
    /// Whether the address is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<bool>", extend("type" = "boolean"))]
    pub email_verified: Option<bool>,
    /// Whether the user is blocked from logging in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<bool>", extend("type" = "boolean"))]
    pub blocked: Option<bool>,
}

impl User {
    /// Completes a provider's record with the tenant, customer and email.
    pub fn from_record(record: UserRecord, tenant: TenantId, customer: CustomerId, email: Email) -> Self {
        Self {
            tenant,
            id: record.id,
            customer,
            email,
            create_time: record.create_time,
            update_time: record.update_time,
            login_time: record.login_time,
            logins_count: record.logins_count,
            email_verified: record.email_verified,
            blocked: record.blocked,
        }
    }
}

fn int64_as_string<S: Serializer>(value: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(count) => serializer.collect_str(count),
        None => serializer.serialize_none(),
    }
}

/// Accepts `"42"` and `42`, because JSON libraries differ in how they write an int64.
fn int64_from_string_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Int64 {
        Text(String),
        Number(i64),
    }
    match Option::<Int64>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Int64::Number(number)) => Ok(Some(number)),
        Some(Int64::Text(text)) => {
            text.parse().map(Some).map_err(|_| serde::de::Error::custom("expected an int64 as a string of digits"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(extra: serde_json::Value) -> Result<User, serde_json::Error> {
        let mut value = json!({"tenant": "acme", "id": "u-1", "customer": "c-9", "email": "a@b.c"});
        if let (Some(all), Some(more)) = (value.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        serde_json::from_value(value)
    }

    #[test]
    fn absent_fields_stay_absent() {
        let user = user(json!({})).unwrap();
        assert_eq!(
            serde_json::to_value(&user).unwrap(),
            json!({"tenant": "acme", "id": "u-1", "customer": "c-9", "email": "a@b.c"})
        );
    }

    #[test]
    fn times_are_utc_and_counts_are_strings() {
        let user = user(json!({
            "create_time": "2024-05-01T12:00:00+02:00", "login_time": "2024-05-01T10:00:00.250Z", "logins_count": 42
        }))
        .unwrap();
        let wire = serde_json::to_value(&user).unwrap();
        assert_eq!(wire["create_time"], "2024-05-01T10:00:00Z");
        assert_eq!(wire["login_time"], "2024-05-01T10:00:00.25Z");
        assert_eq!(wire["logins_count"], "42");
    }

    #[test]
    fn a_count_is_a_string_or_a_number() {
        assert_eq!(user(json!({"logins_count": "9223372036854775807"})).unwrap().logins_count, Some(i64::MAX));
        assert_eq!(user(json!({"logins_count": 7})).unwrap().logins_count, Some(7));
        for bad in [json!("9223372036854775808"), json!("seven"), json!(1.5), json!(true)] {
            assert!(user(json!({"logins_count": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_customer_values_stay_several() {
        assert_eq!(Customer::from_values::<&str>(&[]), Customer::Absent);
        assert_eq!(Customer::from_values(&["c"]), Customer::One(CustomerId::new("c").unwrap()));
        assert_eq!(Customer::from_values(&["c", "c"]), Customer::Several);
        assert_eq!(Customer::from_values(&[""]), Customer::Unusable);
    }
}
