//! Converts Cognito's users to stored users.

use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;
use aws_sdk_cognitoidentityprovider::primitives::DateTime;
use aws_sdk_cognitoidentityprovider::types::{UserStatusType, UserType};
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Email, Error, ErrorKind, Result, StoredUser, UserId, UserRecord};

/// A user of a pool, with a name and an id.
pub(crate) struct PoolUser {
    /// The name that operations take.
    pub(crate) name: String,
    /// The id: the attribute `sub`.
    pub(crate) id: UserId,
    user: UserType,
}

/// Data beside the record for writes and mails.
pub struct PoolDetail {
    /// The name that operations take.
    pub(crate) name: String,
    pub(crate) status: Option<UserStatusType>,
}

impl PoolUser {
    /// Returns the value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        attribute(&self.user, name)
    }

    /// Returns whether Cognito may find this user by the name. Names and aliases share one space.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let aliases = ["preferred_username", "email", "phone_number"].map(|alias| self.attribute(alias));
        aliases.into_iter().flatten().chain([self.name.as_str()]).any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Converts the user. Cognito stores no logins, except as events of its most expensive plan.
    pub(crate) fn into_stored(self, customer_attribute: &str) -> StoredUser<PoolDetail> {
        let record = UserRecord {
            email: self.attribute("email").and_then(|text| Email::new(text).ok()),
            create_time: self.user.user_create_date.and_then(timestamp),
            update_time: self.user.user_last_modified_date.and_then(timestamp),
            // Attributes are texts. An absent flag is not verified.
            email_verified: Some(self.attribute("email_verified") == Some("true")),
            blocked: Some(!self.user.enabled),
            ..UserRecord::new(self.id.clone())
        };
        let customer = self.attribute(customer_attribute).map(str::to_owned);
        StoredUser::new(record, PoolDetail { name: self.name, status: self.user.user_status }).with_customers(customer)
    }
}

impl TryFrom<UserType> for PoolUser {
    type Error = Error;

    fn try_from(user: UserType) -> Result<Self> {
        let name = user.username.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unusable("a user without a name"))?;
        let id = attribute(&user, "sub").ok_or_else(|| unusable("a user without an id"))?;
        let id = UserId::new(id).map_err(|error| unusable("a user with an unusable id").with_source(error))?;
        Ok(Self { name, id, user })
    }
}

impl TryFrom<AdminGetUserOutput> for PoolUser {
    type Error = Error;

    fn try_from(user: AdminGetUserOutput) -> Result<Self> {
        let listed = UserType::builder()
            .username(user.username)
            .set_attributes(user.user_attributes)
            .set_user_create_date(user.user_create_date)
            .set_user_last_modified_date(user.user_last_modified_date)
            .enabled(user.enabled)
            .set_user_status(user.user_status);
        listed.build().try_into()
    }
}

fn attribute<'a>(user: &'a UserType, name: &str) -> Option<&'a str> {
    user.attributes().iter().find(|attribute| attribute.name == name).and_then(|attribute| attribute.value.as_deref())
}

fn unusable(what: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "cognito returned a user that cannot be identified").with("what", what)
}

fn timestamp(time: DateTime) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanoseconds).ok()
}
