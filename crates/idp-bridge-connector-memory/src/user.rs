//! A user as the file holds it, and as a call answers it.

use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::schemars::{self, JsonSchema};
use idp_bridge_core::serde::{self, Deserialize, Serialize};
use idp_bridge_core::{Customer, CustomerId, Email, UserId, UserRecord};

/// A user of the memory connector: one entry of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", deny_unknown_fields)]
#[schemars(crate = "self::schemars")]
pub struct MemoryUser {
    /// The stable id; no two users share one.
    pub id: UserId,
    /// The tenant's own id of whom the user belongs to: a text, or a list of texts to try what happens with several.
    #[serde(default, skip_serializing_if = "Customers::is_none")]
    pub customer: Customers,
    /// The address in force.
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
    /// How often the user logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins_count: Option<u32>,
    /// Whether the address is proven to be the user's.
    #[serde(default)]
    pub email_verified: bool,
    /// Whether the user is kept from logging in.
    #[serde(default)]
    pub blocked: bool,
    /// Whether this is no person: such an entry is there, but no call finds it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub service_account: bool,
}

impl MemoryUser {
    /// A person of whom only the id is known.
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

    /// What a call answers.
    pub(crate) fn record(&self) -> UserRecord {
        UserRecord {
            customer: Customer::from_values(&self.customer.values().map(CustomerId::as_str).collect::<Vec<_>>()),
            email: self.email.clone(),
            create_time: self.create_time,
            update_time: self.update_time,
            login_time: self.login_time,
            logins_count: self.logins_count.map(i64::from),
            email_verified: Some(self.email_verified),
            blocked: Some(self.blocked),
            ..UserRecord::new(self.id.clone())
        }
    }
}

/// The customers that an entry names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", untagged, expecting = "expected a customer id or a list of customer ids")]
#[schemars(crate = "self::schemars")]
pub enum Customers {
    /// One, as it should be.
    One(CustomerId),
    /// None, or several.
    List(Vec<CustomerId>),
}

impl Customers {
    /// All of them.
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
    fn the_sample_users_show_every_state_that_a_reader_wants_to_try() {
        let users = sample_users();
        assert_eq!(users.len(), 5);
        assert_eq!(users[0].email, Some(Email::new("ada@acme.example").unwrap()));
        assert!(users.iter().any(|user| user.blocked));
        assert!(users.iter().any(|user| !user.email_verified && !user.blocked));
        assert!(users.iter().any(|user| user.customer.is_none()));
    }

    #[test]
    fn an_entry_is_written_as_it_is_read() {
        let users = sample_users();
        let text = serde_json::to_string(&users).unwrap();
        assert_eq!(serde_json::from_str::<Vec<MemoryUser>>(&text).unwrap(), users);
    }
}
