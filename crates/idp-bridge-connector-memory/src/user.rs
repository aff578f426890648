//! A user as the file contains it.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::schemars::{self, JsonSchema};
use idp_bridge_core::serde::{self, Deserialize, Serialize};
use idp_bridge_core::{CustomerId, Email, StoredUser, UserId, UserRecord};

/// A user of the memory connector: one entry of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields)]
#[schemars(crate = "self::schemars")]
pub struct MemoryUser {
    /// The stable id; no two users share one.
    pub id: UserId,
    /// The tenant's identifier for the customer this user belongs to: a string, or a list of strings to try several.
    #[serde(default, skip_serializing_if = "Customers::is_none")]
    pub customer: Customers,
    /// The current address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// When the user was created (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub create_time: Option<Timestamp>,
    /// When the user was last changed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub update_time: Option<Timestamp>,
    /// When the user last logged in (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub login_time: Option<Timestamp>,
    /// The number of logins of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins_count: Option<u32>,
    /// Whether the address is verified.
    #[serde(default)]
    pub email_verified: bool,
    /// Whether the user is blocked from logging in.
    #[serde(default)]
    pub blocked: bool,
    /// Whether this is a service account, which no call finds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub service_account: bool,
}

impl MemoryUser {
    /// Creates a person with only an id.
    pub fn new(id: UserId) -> Self {
        Self {
            id,
            customer: Customers::default(),
            email: None,
            create_time: None,
            update_time: None,
            login_time: None,
            logins_count: None,
            email_verified: false,
            blocked: false,
            service_account: false,
        }
    }

    /// Returns the user as a directory reads it.
    pub(crate) fn to_stored(&self) -> StoredUser {
        let record = UserRecord {
            email: self.email.clone(),
            create_time: self.create_time,
            update_time: self.update_time,
            login_time: self.login_time,
            logins_count: self.logins_count.map(i64::from),
            email_verified: Some(self.email_verified),
            blocked: Some(self.blocked),
            ..UserRecord::new(self.id.clone())
        };
        let mut user = StoredUser::new(record, ()).with_customers(self.customer.values().map(CustomerId::as_str));
        user.is_person = !self.service_account;
        user
    }
}

/// The customers of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", untagged, expecting = "expected a customer id or a list of customer ids")]
#[schemars(crate = "self::schemars")]
pub enum Customers {
    /// One customer.
    One(CustomerId),
    /// A list of customers: none, or several.
    List(Vec<CustomerId>),
}

impl Customers {
    /// Returns all values.
    pub fn values(&self) -> impl Iterator<Item = &CustomerId> {
        match self {
            Self::One(customer) => std::slice::from_ref(customer).iter(),
            Self::List(customers) => customers.iter(),
        }
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::List(customers) if customers.is_empty())
    }
}

impl Default for Customers {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// The users of the demo: the file `sample_users.json` beside this one, which is also the example of the format.
///
/// Ada and Grace are in order, Linus is not verified, Mallory is blocked, and Nell has no customer.
#[expect(clippy::expect_used, reason = "the file is a part of the program, and a test reads it")]
pub fn sample_users() -> Vec<MemoryUser> {
    serde_json::from_str(include_str!("sample_users.json")).expect("the sample users are well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_users_cover_every_state() {
        let users = sample_users();
        assert_eq!(users.len(), 5);
        assert_eq!(users[0].email, Some(Email::new("ada@acme.example").unwrap()));
        assert!(users.iter().any(|user| user.blocked));
        assert!(users.iter().any(|user| !user.email_verified && !user.blocked));
        assert!(users.iter().any(|user| user.customer.is_none()));
    }

    #[test]
    fn an_entry_round_trips() {
        let users = sample_users();
        let text = serde_json::to_string(&users).unwrap();
        assert_eq!(serde_json::from_str::<Vec<MemoryUser>>(&text).unwrap(), users);
    }
}
