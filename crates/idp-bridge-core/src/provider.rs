//! The contract that every connector keeps.

use async_trait::async_trait;

use crate::{CallScope, Capabilities, Email, Error, Federation, Finding, Result, UserId, UserKey, UserRecord};

/// How a delete ended. All three mean that no such user is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// The user was there.
    Existed,
    /// There was no such user.
    Absent,
    /// The identity provider does not tell.
    Unknown,
}

/// An identity provider with one tenant's settings.
///
/// # Behavior of every method
///
/// - A call that [`capabilities`](Self::capabilities) declares unsupported answers `Unsupported` without an upstream request.
/// - An outage, a refused credential, a missing right or a missing realm is never `NotFound` and never an empty answer.
/// - A refusal by something in front of the identity provider (a gateway's 401, 403 or 404), and an answer about another user, is
///   `InvalidResponse` or `Unavailable`: it says nothing about the user or the credential.
/// - The call ends before `scope.deadline()`, whatever the identity provider does; late is `Timeout`.
/// - `scope.recorder()` is told of every request and attempt, and of a write before its first byte leaves.
/// - An upstream rate limit is `RateLimited` with the identity provider's own waiting time, if it named one.
/// - An upstream 5xx or a broken connection is `Unavailable`; an answer that cannot be read is `InvalidResponse`.
/// - Errors hold no upstream body, no address, no id, no token.
/// - A write is sent again only if the first one surely did not run.
/// - A credential is sent only to the origin that it is for, also where the identity provider has several.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// What this provider can promise with its settings: at most what its connector declares.
    fn capabilities(&self) -> &Capabilities;

    /// Gets the one user with this key.
    ///
    /// Needs `users.get_by_id`, `users.get_by_email` or `users.get_by_customer`.
    ///
    /// # Behavior
    ///
    /// - No user is `NotFound`; several are `Ambiguous`, unless a configured rule chooses; never the first.
    /// - The returned user has exactly the asked id or customer, or the asked address without regard to ASCII case.
    /// - An id that would reach another resource of the identity provider is `NotFound` or `InvalidInput`, without a request.
    /// - Characters that mean something in a URL or in a search filter mean nothing in a value.
    /// - A substring, a prefix or a wildcard of a value is no match; another case of an id or customer is none either.
    /// - Several customer values are [`Customer::Several`](crate::Customer::Several), never one of them.
    /// - A user without a customer or an email is returned without it.
    /// - What is not a person (a service account) is `NotFound`.
    /// - A field that is declared absent is absent; a field that is declared exact is the identity provider's value.
    /// - A blocked user is returned, with `blocked`.
    /// - An `update_time` that is declared exact is later after a change of the user.
    /// - The customer comes from a place that users cannot write themselves.
    /// - `email` is the address in force, and `email_verified` is about this address and no other of the user.
    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let _ = (scope, key);
        Err(Error::unsupported("this connector cannot look users up"))
    }

    /// Gets the user with this id as far as userinfo needs it, for the price of one request: what costs more may be absent.
    ///
    /// It keeps what [`get`](Self::get) promises of an id.
    async fn get_for_userinfo(&self, scope: &CallScope, id: &UserId) -> Result<UserRecord> {
        self.get(scope, UserKey::Id(id)).await
    }

    /// Makes sure that no user with this id exists.
    ///
    /// Needs `users.delete`.
    ///
    /// # Behavior
    ///
    /// - A user that is there is gone afterwards, by id, by email and by customer; the answer is `Existed` or `Unknown`.
    /// - A user that is not there is `Absent` or `Unknown`, not an error; a repeated delete likewise.
    /// - No other user is touched, whatever characters the id has.
    /// - A user without a customer or an email is deleted like any other.
    /// - What is not a person (a service account) is not deleted.
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
    /// - Afterwards a get says `email_verified: true`, and nothing else of the user has changed.
    /// - Of a user that is verified already it is Ok.
    /// - With `expected`, another address is `Conflict`, before and after the write; if it changed in between, the flag is set back.
    /// - No such user is `NotFound`; a user without an email is `State`.
    /// - It works on a blocked user and on a user without a customer.
    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let _ = (scope, id, expected);
        Err(Error::unsupported("this connector cannot mark addresses as verified"))
    }

    /// Has the identity provider send a mail that proves the user's address.
    ///
    /// Needs `users.send_verification_email`.
    ///
    /// # Behavior
    ///
    /// - Ok means that the identity provider accepted the order; one mail goes to the user's address and to no other.
    /// - Of a user that is verified already it is Ok, and no mail is sent where the identity provider lets us avoid it.
    /// - No such user is `NotFound`; a user without an email, or one that the identity provider sends no mail to (blocked), is `State`.
    /// - A failure of the identity provider's mail system is `Unavailable` with an unknown outcome.
    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let _ = (scope, id);
        Err(Error::unsupported("this connector cannot send verification emails"))
    }

    /// Has the identity provider send a mail that lets the user with this address choose a new password.
    ///
    /// Needs `users.send_password_reset_email`.
    ///
    /// The server answers the platform when the recorder reports that the write begins, and lets the rest run on: what is looked up
    /// before it can still be an error of the tenant, and what comes after it is for the log alone.
    ///
    /// # Behavior
    ///
    /// - Ok means that the identity provider accepted the order; the present password goes on working until a new one is chosen.
    /// - No such address is `NotFound` and several are `Ambiguous`; a user who cannot reset a password (blocked) is `State`; no mail then.
    ///   (The server answers the platform alike for all of these.)
    /// - A failure of the identity provider's mail system is `Unavailable` with an unknown outcome.
    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        let _ = (scope, email);
        Err(Error::unsupported("this connector cannot send password reset emails"))
    }

    /// Checks settings, credentials and rights against the identity provider, without side effects.
    ///
    /// # Behavior
    ///
    /// - Every supported call is named by at least one finding.
    /// - With a wrong secret, a wrong realm or a missing right at least one finding is `failed` and says how to mend it.
    /// - What a narrow right hides is `not_visible` and says which right shows it; it is never `ok`.
    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding>;

    /// The OAuth side, if the tenant's settings switch it on and the connector has it.
    ///
    /// # Behavior
    ///
    /// - It is there exactly if [`capabilities`](Self::capabilities) declares federation.
    fn federation(&self) -> Option<&dyn Federation> {
        None
    }
}
