//! The user store: Rolodex's operations on people.
//!
//! [`Directory`](idp_bridge_core::Directory) builds the calls on them. It compares ids and search hits, refuses ambiguous
//! matches, and skips service accounts, so the store only converts requests and responses.

use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Finding, MailKind, Page, Result, SearchKey, StoredUser, UserId, UserStore,
    async_trait, if_found,
};

use crate::Rolodex;
use crate::map::Person;

impl Rolodex {
    fn convert(&self, person: Person) -> Result<StoredUser> {
        person.into_stored(&self.config.customer_field)
    }
}

#[async_trait]
impl UserStore for Rolodex {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser>> {
        if_found(self.api.person(scope, id).await)?.map(|person| self.convert(person)).transpose()
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, _: Option<&str>) -> Result<Page<()>> {
        let people = match key {
            SearchKey::Email(email) => self.api.search(scope, "mail", email.as_str()).await?,
            SearchKey::Customer(customer) => {
                let field = format!("fields.{}", self.config.customer_field);
                self.api.search(scope, &field, customer.as_str()).await?
            }
        };
        let users: Result<Vec<_>> = people.into_iter().map(|person| self.convert(person)).collect();
        Ok(Page::last(users?))
    }

    fn reads_before_delete(&self) -> bool {
        // Rolodex has no service accounts.
        false
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, _: Option<&StoredUser>) -> Result<Deleted> {
        Ok(if_found(self.api.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser,
        verified: bool,
    ) -> Result<Option<StoredUser>> {
        self.convert(self.api.set_verified(scope, &user.record.id, verified).await?).map(Some)
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser) -> Result<()> {
        let kind = match mail {
            MailKind::Verification => "verification",
            MailKind::PasswordReset => "password_reset",
        };
        self.api.send_mail(scope, &user.record.id, kind).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        crate::diagnose::check_key(&self.api, scope).await
    }
}
