//! The seven calls of the Users service.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CustomerId, Email, UserId};

/// A call with its validated arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Get the user with this id.
    GetById(UserId),
    /// Get the user with this address.
    GetByEmail(Email),
    /// Get the user of this customer.
    GetByCustomer(CustomerId),
    /// Delete the user with this id, if it exists.
    Delete(UserId),
    /// Mark the user's address as verified, if it equals the given one.
    MarkEmailVerified {
        /// The user.
        id: UserId,
        /// The expected address. Any address is accepted if absent.
        email: Option<Email>,
    },
    /// Request a mail that lets the user verify the address.
    SendVerificationEmail(UserId),
    /// Request a mail that lets the user choose a new password.
    SendPasswordResetEmail(Email),
}

impl Call {
    /// Returns the kind of this call.
    pub fn kind(&self) -> CallKind {
        match self {
            Self::GetById(_) => CallKind::GetById,
            Self::GetByEmail(_) => CallKind::GetByEmail,
            Self::GetByCustomer(_) => CallKind::GetByCustomer,
            Self::Delete(_) => CallKind::Delete,
            Self::MarkEmailVerified { .. } => CallKind::MarkEmailVerified,
            Self::SendVerificationEmail(_) => CallKind::SendVerificationEmail,
            Self::SendPasswordResetEmail(_) => CallKind::SendPasswordResetEmail,
        }
    }
}

/// The name of a call; on the wire `users.get_by_id` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CallKind {
    /// `users.get_by_id`
    #[serde(rename = "users.get_by_id")]
    GetById,
    /// `users.get_by_email`
    #[serde(rename = "users.get_by_email")]
    GetByEmail,
    /// `users.get_by_customer`
    #[serde(rename = "users.get_by_customer")]
    GetByCustomer,
    /// `users.delete`
    #[serde(rename = "users.delete")]
    Delete,
    /// `users.mark_email_verified`
    #[serde(rename = "users.mark_email_verified")]
    MarkEmailVerified,
    /// `users.send_verification_email`
    #[serde(rename = "users.send_verification_email")]
    SendVerificationEmail,
    /// `users.send_password_reset_email`
    #[serde(rename = "users.send_password_reset_email")]
    SendPasswordResetEmail,
}

impl CallKind {
    /// All seven, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::GetById,
        Self::GetByEmail,
        Self::GetByCustomer,
        Self::Delete,
        Self::MarkEmailVerified,
        Self::SendVerificationEmail,
        Self::SendPasswordResetEmail,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetById => "users.get_by_id",
            Self::GetByEmail => "users.get_by_email",
            Self::GetByCustomer => "users.get_by_customer",
            Self::Delete => "users.delete",
            Self::MarkEmailVerified => "users.mark_email_verified",
            Self::SendVerificationEmail => "users.send_verification_email",
            Self::SendPasswordResetEmail => "users.send_password_reset_email",
        }
    }

    /// Returns whether the call changes a user or sends a mail.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::GetById | Self::GetByEmail | Self::GetByCustomer)
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of a user lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKey<'a> {
    /// The identity provider's id.
    Id(&'a UserId),
    /// The current address.
    Email(&'a Email),
    /// The tenant's customer id.
    Customer(&'a CustomerId),
}

impl UserKey<'_> {
    /// Returns the call that looks a user up by this key.
    pub fn call(self) -> CallKind {
        match self {
            Self::Id(_) => CallKind::GetById,
            Self::Email(_) => CallKind::GetByEmail,
            Self::Customer(_) => CallKind::GetByCustomer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialized_and_displayed_names_are_equal() {
        for kind in CallKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
