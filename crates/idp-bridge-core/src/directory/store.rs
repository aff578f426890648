//! The operations of a product's user store.

use async_trait::async_trait;

use crate::{
    CallScope, Capabilities, Customer, CustomerId, Deleted, Email, EmailStatus, Error, Federation, Finding, MailTokens,
    Matches, Result, UserId, UserRecord,
};

/// The primitive operations of one product, with one tenant's settings.
///
/// [`Directory`](crate::Directory) turns them into the calls and applies the rules that are the same for every product.
/// A store converts requests and answers, and reports its failures as the *Behavior* list of
/// [`IdentityProvider`](crate::IdentityProvider) says. It is called only for calls that its capabilities declare.
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// Data beside the record that addresses a user or sends mails, such as a user name.
    type Detail: Send + Sync;

    /// Returns the features that this store supports with its settings.
    fn capabilities(&self) -> &Capabilities;

    /// Reads the user with this id, service accounts included. `None` if the user does not exist.
    ///
    /// An id that the product cannot have issued, or that would reach another resource, is `None` without a request.
    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<Self::Detail>>>;

    /// Reads a user again, by the name that writes address.
    async fn reread(
        &self,
        scope: &CallScope,
        user: &StoredUser<Self::Detail>,
    ) -> Result<Option<StoredUser<Self::Detail>>> {
        self.read(scope, &user.record.id).await
    }

    /// Returns whether the user is a person. For products with records that do not contain it, so that a request is necessary.
    async fn is_person(&self, scope: &CallScope, user: &StoredUser<Self::Detail>) -> Result<bool> {
        let _ = scope;
        Ok(user.is_person)
    }

    /// Reads one page of the users that may have this email or customer. The first page has no cursor.
    ///
    /// Further hits are harmless. A missing right must be an error, not an empty page.
    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<Self::Detail>>;

    /// Returns whether [`choose`](Self::choose) may pick one of several matches of this search.
    fn can_choose(&self, key: SearchKey<'_>) -> bool {
        let _ = key;
        false
    }

    /// Reduces several matches to one, if a rule of the product or of the settings does.
    fn choose(&self, key: SearchKey<'_>, matches: &mut Matches<StoredUser<Self::Detail>>) {
        let _ = (key, matches);
    }

    /// Adds the fields that cost further requests to the record.
    async fn complete(&self, scope: &CallScope, user: &mut StoredUser<Self::Detail>) -> Result<()> {
        let _ = (scope, user);
        Ok(())
    }

    /// Returns whether a user is read before the delete. Otherwise a delete must not be able to reach service accounts.
    fn reads_before_delete(&self) -> bool {
        true
    }

    /// Deletes the user with this id. `user` is present if [`reads_before_delete`](Self::reads_before_delete) returns true.
    async fn delete(&self, scope: &CallScope, id: &UserId, user: Option<&StoredUser<Self::Detail>>) -> Result<Deleted>;

    /// Sets or clears the flag of a verified address. Returns the user afterwards if the answer contains it.
    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser<Self::Detail>,
        verified: bool,
    ) -> Result<Option<StoredUser<Self::Detail>>>;

    /// Returns `State` with the reason if the product does not send this mail to such a user. The user has an email.
    fn check_mail(&self, mail: MailKind, user: &StoredUser<Self::Detail>) -> Result<()> {
        let _ = mail;
        match user.record.blocked {
            Some(true) => Err(Error::state("the user is blocked and gets no mails")),
            Some(false) | None => Ok(()),
        }
    }

    /// Requests a mail to the user's address.
    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser<Self::Detail>) -> Result<()>;

    /// Checks settings, credentials and rights: [`diagnose`](crate::IdentityProvider::diagnose).
    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding>;

    /// Returns the OAuth side, if the settings switch it on.
    fn federation(&self) -> Option<&dyn Federation> {
        None
    }

    /// Returns the tokens in the links of mails, if the bridge itself sends them.
    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        None
    }
}

/// A mail that an identity provider sends on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Lets the user prove the address.
    Verification,
    /// Lets the user choose a new password.
    PasswordReset,
}

impl MailKind {
    /// Returns the name in webhooks and tokens of mails.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// The value that a search is for.
#[derive(Debug, Clone, Copy)]
pub enum SearchKey<'a> {
    /// The current address, compared without regard to ASCII case.
    Email(&'a Email),
    /// The customer, compared byte for byte.
    Customer(&'a CustomerId),
}

impl SearchKey<'_> {
    /// Returns whether the user has exactly this value, alone or among others.
    pub(super) fn matches<D>(&self, user: &StoredUser<D>) -> bool {
        match self {
            Self::Email(email) => user.record.email.as_ref().is_some_and(|own| own.matches(email)),
            Self::Customer(customer) => {
                user.record.customer.is(customer) || user.customers.iter().any(|own| own == customer.as_str())
            }
        }
    }
}

/// One page of a search.
#[derive(Debug)]
pub struct Page<D> {
    /// The users of the page.
    pub hits: Vec<Hit<D>>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<String>,
}

impl<D> Page<D> {
    /// Returns a last page with these users.
    pub fn last(users: impl IntoIterator<Item = StoredUser<D>>) -> Self {
        Self { hits: users.into_iter().map(Hit::User).collect(), next: None }
    }
}

/// A user that a search found.
#[derive(Debug)]
pub enum Hit<D> {
    /// The user as the search returned it.
    User(StoredUser<D>),
    /// Only the id, for products with searches that return outdated users. The directory reads the user.
    Id(UserId),
}

/// A user as a product stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser<D = ()> {
    /// The record. The customer is set by [`with_customers`](Self::with_customers).
    pub record: UserRecord,
    /// False for a service account.
    pub is_person: bool,
    /// Whether the record may be outdated. The directory reads the user again before it relies on it.
    pub is_stale: bool,
    /// Whether the user was not read by the name that writes address. The directory reads the user again before a write.
    pub reread_before_write: bool,
    /// The store's own data of the user.
    pub detail: D,
    customers: Vec<String>,
}

impl<D> StoredUser<D> {
    /// Creates a person with a current record.
    pub fn new(record: UserRecord, detail: D) -> Self {
        Self { record, is_person: true, is_stale: false, reread_before_write: false, detail, customers: Vec::new() }
    }

    /// Sets the customer from the values of a multi-valued attribute.
    #[must_use]
    pub fn with_customers<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.customers = values.into_iter().map(Into::into).collect();
        self.record.customer = Customer::from_values(&self.customers);
        self
    }

    pub(super) fn has_several_customers(&self) -> bool {
        self.record.customer == Customer::Several
    }

    /// Returns the address and whether it is verified.
    pub(super) fn email_status(&self) -> EmailStatus {
        EmailStatus { email: self.record.email.clone(), verified: self.record.email_verified == Some(true) }
    }
}
