//! The user store: the calls as searches and writes.

use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Error, ErrorKind, Field, Finding, MailKind, MailTokens, Page, Result, SearchKey,
    StoredUser, UserId, UserStore, async_trait,
};

use crate::Ldap;
use crate::client::undeclared;
use crate::connection::Found;
use crate::filter::Filter;
use crate::map;
use crate::message::{Action, Change, Depth, Search, Write};
use crate::values::IdForm;

/// The maximum number of entries of a search. Further ones would be ambiguous.
const MOST: usize = 100;

#[async_trait]
impl UserStore for Ldap {
    type Detail = String;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<String>>> {
        let Some(condition) = self.id_filter(id) else { return Ok(None) };
        let found = self.find(scope, &self.schema.id, &condition).await?;
        let users = found.entries.iter().map(|entry| map::to_user(entry, &self.schema)).collect::<Result<Vec<_>>>()?;
        // A directory may compare a text without regard to case or spaces. Any other user stays, and is refused above.
        let is_spelling = |own: &UserId| self.schema.id_form == IdForm::Text && own != id && fold(own) == fold(id);
        let mut users = users.into_iter().filter(|user| !is_spelling(&user.record.id));
        match (users.next(), users.next()) {
            (user, None) => Ok(user),
            _ => Err(Error::upstream(ErrorKind::Misconfigured, "several entries have one id")
                .with_hint("let `attributes.id` be an attribute that the directory keeps unique")),
        }
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, _: Option<&str>) -> Result<Page<String>> {
        let (field, value) = match key {
            SearchKey::Email(email) => (Field::Email, email.as_str()),
            SearchKey::Customer(customer) => (Field::Customer, customer.as_str()),
        };
        let attribute = self.schema.attribute(field).ok_or_else(undeclared)?;
        let found = self.find(scope, attribute, &Filter::equal(attribute, value.as_bytes())).await?;
        // An entry that can be found by an attribute, but not read, would look like one of another user.
        if found.entries.iter().any(|entry| entry.values(attribute).is_empty()) {
            return Err(map::hidden(attribute));
        }
        if found.is_cut {
            let message = "the search has too many results";
            return Err(Error::upstream(ErrorKind::Ambiguous, message).with("attribute", attribute.to_owned()));
        }
        let users = found.entries.iter().map(|entry| map::to_user(entry, &self.schema)).collect::<Result<Vec<_>>>()?;
        Ok(Page::last(users))
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, user: Option<&StoredUser<String>>) -> Result<Deleted> {
        let Some(user) = user else { return Ok(Deleted::Absent) };
        let deleted = self.client.write(scope, &self.write(user, None, Action::Delete)?).await;
        match deleted.map_err(|error| (error.kind(), error)) {
            Ok(()) => Ok(Deleted::Existed),
            Err((ErrorKind::NotFound | ErrorKind::Conflict, error)) => match self.read(scope, id).await? {
                Some(_) => Err(error.with_message("the entry of the user was moved while it was deleted")),
                None => Ok(Deleted::Absent),
            },
            Err((_, error)) => Err(error),
        }
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser<String>,
        verified: bool,
    ) -> Result<Option<StoredUser<String>>> {
        let attribute = self.schema.attribute(Field::EmailVerified).ok_or_else(undeclared)?;
        let value = if verified { "TRUE" } else { "FALSE" };
        let flag = Change::Replace(attribute.to_owned(), value.to_owned());
        // A mark depends on the address. Its removal does not.
        let email = user.record.email.as_ref().filter(|_| verified).map(|email| email.as_str());
        let write = self.write(user, email, Action::Modify(vec![flag]))?;
        match self.client.write(scope, &write).await {
            // The address has changed. The directory reads the user again.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(|()| None),
        }
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser<String>) -> Result<()> {
        self.mailer.as_ref().ok_or_else(undeclared)?.send(scope, mail, &user.record).await
    }

    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        self.mailer.as_ref().map(|mailer| -> &dyn MailTokens { mailer.signer() })
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        crate::diagnose::run(self, scope).await
    }
}

/// Removes the differences that a directory may ignore.
fn fold(id: &UserId) -> String {
    id.as_str().split_whitespace().collect::<String>().to_lowercase()
}

impl Ldap {
    /// Returns the filter of a user's id, or `None` if no user can have it.
    fn id_filter(&self, id: &UserId) -> Option<Filter> {
        self.schema.id_form.to_value(id.as_str()).map(|value| Filter::equal(&self.schema.id, &value))
    }

    /// Returns a search below the base for users that match a condition.
    pub(crate) fn users(&self, condition: &Filter, attributes: Vec<String>, limit: usize) -> Search {
        Search {
            base: self.base_dn.clone(),
            depth: Depth::Subtree,
            filter: Filter::all([&self.schema.user_filter, condition]),
            attributes,
            limit,
            page_size: (limit > 1).then_some(self.page_size),
        }
    }

    /// Searches users by a condition on an attribute. An empty result is proved.
    async fn find(&self, scope: &CallScope, attribute: &str, condition: &Filter) -> Result<Found> {
        let search = self.users(condition, self.schema.attributes(), MOST);
        let found = self.client.search(scope, &search).await?;
        if found.entries.is_empty() {
            self.check_visible(scope, attribute).await?;
        }
        Ok(found)
    }

    /// Checks that the directory shows a user with this attribute.
    ///
    /// To an entry without the right, and for an attribute that it does not have, a directory returns an empty result.
    pub(crate) async fn check_visible(&self, scope: &CallScope, attribute: &str) -> Result<()> {
        let search = self.users(&Filter::present(attribute), vec![attribute.to_owned()], 1);
        let found = self.client.search(scope, &search).await?;
        match found.entries.first() {
            Some(entry) if !entry.values(attribute).is_empty() => Ok(()),
            _ => Err(map::hidden(attribute)),
        }
    }

    /// Returns a write to a user's entry, which fails with `Conflict` if the entry is no longer that of the user, or if the user
    /// no longer has this address.
    pub(crate) fn write(&self, user: &StoredUser<String>, email: Option<&str>, action: Action) -> Result<Write> {
        let id = &user.record.id;
        let is_user = Filter::all([&self.schema.user_filter, &self.id_filter(id).ok_or_else(Error::another_user)?]);
        let address = self.schema.attribute(Field::Email).zip(email);
        if self.schema.id_form != IdForm::Guid {
            let condition = match address {
                Some((attribute, email)) => Filter::all([&is_user, &Filter::equal(attribute, email.as_bytes())]),
                None => is_user,
            };
            return Ok(Write { entry: user.detail.clone(), condition: Some(condition), action });
        }
        // Active Directory finds entries by their id
        // (<https://learn.microsoft.com/openspecs/windows_protocols/ms-adts>, section 3.1.1.3.1.2.4, November 2026).
        // It lacks the assertion control: the values of a modification are checked instead.
        let action = match (action, address) {
            (Action::Modify(changes), Some((attribute, email))) => {
                let (attribute, email) = (|| attribute.to_owned(), || email.to_owned());
                let same = [Change::Delete(attribute(), email()), Change::Add(attribute(), email())];
                Action::Modify(same.into_iter().chain(changes).collect())
            }
            (action, _) => action,
        };
        Ok(Write { entry: format!("<GUID={}>", id.as_str()), condition: None, action })
    }
}
