//! The tokens in the links of mails that the bridge itself sends.

use crate::{Email, MailKind, Result, UserId};

/// Verifies the tokens in the links of mails.
pub trait MailTokens: Send + Sync {
    /// Returns the contents of a token, without a request.
    ///
    /// # Behavior
    ///
    /// - A token with another signature, tenant or kind, and one after its end, is `InvalidToken`.
    /// - A token is valid until its end, also if the user or the address no longer exists.
    fn verify(&self, kind: MailKind, token: &str) -> Result<MailToken>;
}

/// The contents of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailToken {
    /// The id of the mail, which no other mail of the tenant has.
    pub id: String,
    /// The user at the time of the mail.
    pub user: UserId,
    /// The address that the mail was sent to.
    pub email: Email,
}
