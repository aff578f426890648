//! The rules that are the same for every identity provider, on top of a product's primitive operations.

mod store;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

pub use store::{Hit, MailKind, Page, SearchKey, StoredUser, UserStore};

use crate::{
    CallKind, CallScope, Capabilities, Deleted, Email, EmailStatus, Error, ErrorKind, Federation, Finding,
    IdentityProvider, MailTokens, Matches, Result, UserId, UserKey, UserRecord, mark_verified,
};

/// The maximum number of pages of one search.
const MAX_PAGES: usize = 100;

/// An [`IdentityProvider`] over a [`UserStore`].
///
/// Applies the rules that every product has in common, so that a store cannot break them:
///
/// - A call that the capabilities do not declare is `Unsupported` without a request.
/// - A user with another id than the requested one is an `InvalidResponse`.
/// - Each search hit is compared with the searched value; several matches are `Ambiguous`.
/// - Service accounts are not found and not deleted.
/// - A user without an email gets neither mails nor a mark; a verified user gets no verification mail.
/// - An address that changes while it is being marked as verified does not stay verified.
#[derive(Debug, Clone)]
pub struct Directory<S> {
    store: S,
}

impl<S: UserStore> Directory<S> {
    /// Creates a directory over this store.
    pub fn new(store: S) -> Self {
        Self { store }
    }

    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Reads the person with this id.
    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<S::Detail>>> {
        let user = self.store.read(scope, id).await?;
        let user = user.map(|user| check_id(user, id)).transpose()?;
        let is_person = self.is_person(scope, user.as_ref()).await?;
        Ok(user.filter(|_| is_person))
    }

    /// Reads the person with this id by the name that a write addresses.
    async fn read_to_write(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<S::Detail>>> {
        match self.read(scope, id).await? {
            Some(user) => self.to_write(scope, user).await,
            None => Ok(None),
        }
    }

    /// Reads a user again, unless the record is current and was read by the name that a write addresses.
    async fn to_write(&self, scope: &CallScope, user: StoredUser<S::Detail>) -> Result<Option<StoredUser<S::Detail>>> {
        if user.is_stale || user.reread_before_write {
            let current = self.reread(scope, &user).await?;
            let is_person = self.is_person(scope, current.as_ref()).await?;
            return Ok(current.filter(|_| is_person));
        }
        Ok(Some(user))
    }

    /// Returns whether the user exists and is a person.
    async fn is_person(&self, scope: &CallScope, user: Option<&StoredUser<S::Detail>>) -> Result<bool> {
        match user {
            Some(user) => self.store.is_person(scope, user).await,
            None => Ok(false),
        }
    }

    /// Reads a user again, as it is now.
    async fn reread(&self, scope: &CallScope, user: &StoredUser<S::Detail>) -> Result<Option<StoredUser<S::Detail>>> {
        let current = self.store.reread(scope, user).await?;
        current.map(|current| check_id(current, &user.record.id)).transpose()
    }

    /// Finds the one person with this email or customer.
    async fn find(&self, scope: &CallScope, key: SearchKey<'_>) -> Result<StoredUser<S::Detail>> {
        let mut matches = self.search(scope, key).await?;
        if self.store.can_choose(key) {
            self.store.choose(key, &mut matches);
        }
        let mut user = matches.into_single()?;
        if user.is_stale {
            let current = self.reread(scope, &user).await?;
            let is_person = self.is_person(scope, current.as_ref()).await?;
            user = current.filter(|user| is_person && key.matches(user)).ok_or_else(Error::no_such_user)?;
        }
        if matches!(key, SearchKey::Customer(_)) && user.has_several_customers() {
            return Err(Error::upstream(ErrorKind::Ambiguous, "the user of this customer has other customers too"));
        }
        Ok(user)
    }

    /// Reads the pages of a search until the last, or until it is known to be ambiguous.
    async fn search(&self, scope: &CallScope, key: SearchKey<'_>) -> Result<Matches<StoredUser<S::Detail>>> {
        let mut matches = Matches::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let page = self.store.search(scope, key, cursor.as_deref()).await?;
            for hit in page.hits {
                let user = match hit {
                    Hit::User(user) if key.matches(&user) && self.store.is_person(scope, &user).await? => Some(user),
                    Hit::User(_) => None,
                    Hit::Id(id) => self.read(scope, &id).await?.filter(|user| key.matches(user)),
                };
                if let Some(user) = user {
                    matches.add(user.record.id.clone(), user);
                }
            }
            if page.next.is_none() || (matches.is_ambiguous() && !self.store.can_choose(key)) {
                return Ok(matches);
            }
            if page.next == cursor {
                break;
            }
            cursor = page.next;
        }
        Err(Error::upstream(ErrorKind::InvalidResponse, "the pages of a search do not end"))
    }

    /// Writes the flag, and returns the user's address and flag afterwards.
    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser<S::Detail>,
        verified: bool,
    ) -> Result<EmailStatus> {
        let after = match self.store.set_email_verified(scope, user, verified).await? {
            Some(after) => Some(check_id(after, &user.record.id)?),
            None => self.reread(scope, user).await?,
        };
        Ok(after.ok_or_else(Error::no_such_user)?.email_status())
    }

    /// Requests a mail, if the user can get it.
    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser<S::Detail>) -> Result<()> {
        if user.record.email.is_none() {
            return Err(Error::state("the user has no email"));
        }
        self.store.check_mail(mail, user)?;
        self.store.send_mail(scope, mail, user).await
    }
}

#[async_trait]
impl<S: UserStore> IdentityProvider for Directory<S> {
    fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        self.capabilities().require(key.call())?;
        // Searches are boxed, since the future of this function is copied for each read by id, too.
        let mut user = match key {
            UserKey::Id(id) => self.read(scope, id).await?.ok_or_else(Error::no_such_user)?,
            UserKey::Email(email) => Box::pin(self.find(scope, SearchKey::Email(email))).await?,
            UserKey::Customer(customer) => Box::pin(self.find(scope, SearchKey::Customer(customer))).await?,
        };
        self.store.complete(scope, &mut user).await?;
        Ok(user.record)
    }

    async fn get_for_userinfo(&self, scope: &CallScope, id: &UserId) -> Result<UserRecord> {
        self.capabilities().require(CallKind::GetById)?;
        let user = self.read(scope, id).await?.ok_or_else(Error::no_such_user)?;
        Ok(user.record)
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        self.capabilities().require(CallKind::Delete)?;
        if !self.store.reads_before_delete() {
            return self.store.delete(scope, id, None).await;
        }
        match self.read_to_write(scope, id).await? {
            Some(user) => self.store.delete(scope, id, Some(&user)).await,
            None => Ok(Deleted::Absent),
        }
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        self.capabilities().require(CallKind::MarkEmailVerified)?;
        let user = &self.read_to_write(scope, id).await?.ok_or_else(Error::no_such_user)?;
        mark_verified(user.email_status(), expected, |verified| self.set_email_verified(scope, user, verified)).await
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        self.capabilities().require(CallKind::SendVerificationEmail)?;
        let user = self.read_to_write(scope, id).await?.ok_or_else(Error::no_such_user)?;
        let status = user.email_status();
        if status.email.is_some() && status.verified {
            return Ok(());
        }
        self.send_mail(scope, MailKind::Verification, &user).await
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        self.capabilities().require(CallKind::SendPasswordResetEmail)?;
        let key = SearchKey::Email(email);
        let found = self.find(scope, key).await?;
        let user = self.to_write(scope, found).await?.filter(|user| key.matches(user));
        self.send_mail(scope, MailKind::PasswordReset, &user.ok_or_else(Error::no_such_user)?).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        self.store.diagnose(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.store.federation()
    }

    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        self.store.mail_tokens().filter(|_| self.capabilities().call(CallKind::MarkEmailVerified).is_possible())
    }
}

/// Returns the user if it has the requested id.
fn check_id<D>(user: StoredUser<D>, id: &UserId) -> Result<StoredUser<D>> {
    if user.record.id == *id {
        return Ok(user);
    }
    Err(Error::another_user())
}
