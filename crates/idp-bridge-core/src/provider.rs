//! The contract of an identity provider.

use async_trait::async_trait;

use crate::{
    CallScope, Capabilities, Email, Error, Federation, Finding, MailTokens, Result, UserId, UserKey, UserRecord,
};

/// The result of a delete. In all three cases the user does not exist afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The user existed.
    Existed,
    /// The user did not exist.
    Absent,
    /// The identity provider does not say whether the user existed.
    Unknown,
}

/// An identity provider with one tenant's settings.
///
/// # Behavior of every method
///
/// - A call that [`capabilities`](Self::capabilities) declares unsupported is `Unsupported`, without an upstream request.
/// - An outage, a refused credential, a missing right or a missing realm is never `NotFound` and never an empty result.
/// - A 401, 403 or 404 of a gateway in front of the identity provider, and a response about another user, is `InvalidResponse`
///   or `Unavailable`.
/// - The call ends before `scope.deadline()`, also with a slow identity provider. An exceeded deadline is `Timeout`.
/// - `scope.recorder()` records every request and attempt, and a write before it is sent.
/// - An upstream rate limit is `RateLimited`, with the identity provider's retry hint if it sent one.
/// - An upstream 5xx or a broken connection is `Unavailable`. An unreadable response is `InvalidResponse`.
/// - Errors contain no upstream body, address, id or token.
/// - A write is retried only if it was certainly not executed.
/// - A credential is sent only to the origin it belongs to, also if the identity provider has several.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// Returns the capabilities with the tenant's settings, at most those that the connector declares.
    fn capabilities(&self) -> &Capabilities;

    /// Returns the user with this key.
    ///
    /// Needs `users.get_by_id`, `users.get_by_email` or `users.get_by_customer`.
    ///
    /// # Behavior
    ///
    /// - No match is `NotFound`. Several matches are `Ambiguous`, unless a configured rule selects one.
    /// - The returned user has exactly the requested id or customer, or the requested address in any ASCII case.
    /// - An id that is the path of another resource is `NotFound` or `InvalidInput`, without a request.
    /// - Special characters of URLs and search filters have no effect in values.
    /// - A substring, prefix or wildcard does not match. Neither does an id or customer in another case.
    /// - Several customer values are returned as [`Customer::Several`](crate::Customer::Several).
    /// - A user without a customer or an email is returned without it.
    /// - A service account is `NotFound`.
    /// - A field declared absent is absent. A field declared exact has the identity provider's value.
    /// - A blocked user is returned with `blocked`.
    /// - An `update_time` declared exact increases when the user changes.
    /// - The customer comes from data that users cannot edit themselves.
    /// - `email` is the current address, and `email_verified` refers to this address.
    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let _ = (scope, key);
        Err(Error::unsupported("this connector cannot look users up"))
    }

    /// Returns the user with this id, without the fields that cost more than one request.
    ///
    /// Behaves otherwise as [`get`](Self::get) with an id.
    async fn get_for_userinfo(&self, scope: &CallScope, id: &UserId) -> Result<UserRecord> {
        self.get(scope, UserKey::Id(id)).await
    }

    /// Deletes the user with this id, if it exists.
    ///
    /// Needs `users.delete`.
    ///
    /// # Behavior
    ///
    /// - An existing user is no longer found by id, email or customer. The result is `Existed` or `Unknown`.
    /// - A missing user, also after a repeated delete, is `Absent` or `Unknown`, not an error.
    /// - No other user changes, also with special characters in the id.
    /// - A user without a customer or an email is deleted.
    /// - A service account is not deleted.
    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        let _ = (scope, id);
        Err(Error::unsupported("this connector cannot delete users"))
    }

    /// Marks the user's address as verified.
    ///
    /// Needs `users.mark_email_verified`.
    ///
    /// # Behavior
    ///
    /// - Afterwards a get returns `email_verified: true`, and no other field has changed.
    /// - Succeeds for a verified user.
    /// - With `expected`, another address is `Conflict`, before and after the write. If the address changed during the write,
    ///   the flag is reset.
    /// - A missing user is `NotFound`. A user without an email is `State`.
    /// - Works for a blocked user and for a user without a customer.
    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let _ = (scope, id, expected);
        Err(Error::unsupported("this connector cannot mark addresses as verified"))
    }

    /// Requests a mail that lets the user verify the address.
    ///
    /// Needs `users.send_verification_email`.
    ///
    /// # Behavior
    ///
    /// - `Ok` means that the identity provider accepted the request. One mail is sent, only to the user's address.
    /// - Succeeds for a verified user. Sends no mail if the identity provider allows skipping it.
    /// - A missing user is `NotFound`. A user without an email, or one that gets no mails because it is blocked, is `State`.
    /// - A failure of the identity provider's mail system is `Unavailable` with an unknown outcome.
    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let _ = (scope, id);
        Err(Error::unsupported("this connector cannot send verification emails"))
    }

    /// Requests a mail that lets the user with this address choose a new password.
    ///
    /// Needs `users.send_password_reset_email`.
    ///
    /// The server waits only until the recorder reports the start of the write, and responds at the end of a fixed step. Errors
    /// before the write reach the platform unless the server conceals them; errors after it are only logged and audited.
    ///
    /// # Behavior
    ///
    /// - `Ok` means that the identity provider accepted the request. The current password stays valid until the user sets a new
    ///   one.
    /// - An unknown address is `NotFound`, several users are `Ambiguous`, and a user without password reset (blocked) is
    ///   `State`. No mail is sent then. (The server hides these errors from the platform.)
    /// - A failure of the identity provider's mail system is `Unavailable` with an unknown outcome.
    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        let _ = (scope, email);
        Err(Error::unsupported("this connector cannot send password reset emails"))
    }

    /// Checks settings, credentials and rights against the identity provider, without side effects.
    ///
    /// # Behavior
    ///
    /// - At least one finding names each supported call.
    /// - With a wrong secret, a wrong realm or a missing right, at least one finding is `failed` and contains a fix.
    /// - A check that needs a missing right is `not_visible` and names the right. It is never `ok`.
    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding>;

    /// Returns the OAuth side, if the tenant's settings switch it on and the connector has one.
    ///
    /// # Behavior
    ///
    /// - Is `Some` exactly if [`capabilities`](Self::capabilities) declares federation.
    fn federation(&self) -> Option<&dyn Federation> {
        None
    }

    /// Returns the tokens in the links of mails, if the bridge's page can verify addresses with them: the mails are the bridge's, and
    /// [`capabilities`](Self::capabilities) declares `users.mark_email_verified`.
    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        None
    }
}
