//! From Cognito's user to the one User model.

use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;
use aws_sdk_cognitoidentityprovider::primitives::DateTime;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, UserStatusType, UserType};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Customer, Email, EmailStatus, Error, ErrorKind, Result, UserId, UserRecord};

/// A user of a pool: the part that the bridge reads, and that both of Cognito's representations have.
#[derive(Clone)]
pub(crate) struct PoolUser {
    /// The user's name in the pool, by which every operation means the user.
    pub(crate) name: String,
    /// The user's id: Cognito's `sub`.
    pub(crate) id: UserId,
    pub(crate) enabled: bool,
    pub(crate) status: Option<UserStatusType>,
    attributes: Vec<AttributeType>,
    created: Option<DateTime>,
    modified: Option<DateTime>,
}

impl PoolUser {
    /// An attribute's value.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        value_of(&self.attributes, name)
    }

    /// The address, if it is well-formed.
    pub(crate) fn email(&self) -> Option<Email> {
        self.attribute("email").and_then(|text| Email::new(text).ok())
    }

    /// Whether this is the address.
    pub(crate) fn has_email(&self, email: &Email) -> bool {
        self.email().is_some_and(|own| own.matches(email))
    }

    /// The address and whether it is proven.
    pub(crate) fn email_status(&self) -> EmailStatus {
        EmailStatus { email: self.email(), verified: self.email_verified() }
    }

    /// Whether the address is proven. Attributes are texts, and an absent one is not.
    pub(crate) fn email_verified(&self) -> bool {
        self.attribute("email_verified") == Some("true")
    }

    /// Whom the user belongs to. An attribute has one value at most.
    pub(crate) fn customer(&self, attribute: &str) -> Customer {
        Customer::from_values(self.attribute(attribute).as_slice())
    }

    /// Whether Cognito may mean this user by that name, although it is not the user's id: names and aliases share one space.
    pub(crate) fn may_be_called(&self, name: &str) -> bool {
        let aliases = ["preferred_username", "email", "phone_number"].into_iter().filter_map(|own| self.attribute(own));
        aliases.chain([self.name.as_str()]).any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The record of this user. Cognito keeps no logins (but as events of its most expensive plan).
    pub(crate) fn record(&self, customer_attribute: &str) -> UserRecord {
        UserRecord {
            customer: self.customer(customer_attribute),
            email: self.email(),
            create_time: self.created.and_then(timestamp),
            update_time: self.modified.and_then(timestamp),
            email_verified: Some(self.email_verified()),
            blocked: Some(!self.enabled),
            ..UserRecord::new(self.id.clone())
        }
    }
}

impl TryFrom<AdminGetUserOutput> for PoolUser {
    type Error = Error;

    fn try_from(user: AdminGetUserOutput) -> Result<Self> {
        let attributes = user.user_attributes.unwrap_or_default();
        Ok(Self {
            name: name(Some(user.username))?,
            id: id(&attributes)?,
            enabled: user.enabled,
            status: user.user_status,
            attributes,
            created: user.user_create_date,
            modified: user.user_last_modified_date,
        })
    }
}

impl TryFrom<UserType> for PoolUser {
    type Error = Error;

    fn try_from(user: UserType) -> Result<Self> {
        let attributes = user.attributes.unwrap_or_default();
        Ok(Self {
            name: name(user.username)?,
            id: id(&attributes)?,
            enabled: user.enabled,
            status: user.user_status,
            attributes,
            created: user.user_create_date,
            modified: user.user_last_modified_date,
        })
    }
}

fn value_of<'a>(attributes: &'a [AttributeType], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.name == name).and_then(|attribute| attribute.value.as_deref())
}

fn name(name: Option<String>) -> Result<String> {
    name.filter(|name| !name.is_empty()).ok_or_else(|| unusable("a user without a name"))
}

fn id(attributes: &[AttributeType]) -> Result<UserId> {
    let id = value_of(attributes, "sub").ok_or_else(|| unusable("a user without an id"))?;
    UserId::new(id).map_err(|error| unusable("a user with an unusable id").with_source(error))
}

fn unusable(what: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "cognito returned a user that cannot be told from others")
        .with("what", what)
}

fn timestamp(time: DateTime) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanoseconds).ok()
}
