//! The user store: Rolodex's people, as the directory of the core reads and changes them.

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Deleted, Error, ErrorKind, Finding, MailKind, Page, Result, SearchKey,
    StoredUser, UserId, UserStore, async_trait, if_found,
};

use crate::Rolodex;
use crate::client::Person;

#[async_trait]
impl UserStore for Rolodex {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser>> {
        if_found(self.people.get(scope, id).await)?.map(Person::into_stored).transpose()
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, _: Option<&str>) -> Result<Page<()>> {
        let pair = match key {
            SearchKey::Email(email) => ("mail", email.as_str()),
            SearchKey::Customer(customer) => ("client", customer.as_str()),
        };
        let people = self.people.search(scope, pair).await?;
        // Rolodex has no pages.
        Ok(Page::last(people.into_iter().map(Person::into_stored).collect::<Result<Vec<_>>>()?))
    }

    fn reads_before_delete(&self) -> bool {
        // Rolodex has no service accounts.
        false
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, _: Option<&StoredUser>) -> Result<Deleted> {
        Ok(if_found(self.people.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser,
        verified: bool,
    ) -> Result<Option<StoredUser>> {
        self.people.set_verified(scope, &user.record.id, verified).await?.into_stored().map(Some)
    }

    async fn send_mail(&self, _: &CallScope, _: MailKind, _: &StoredUser) -> Result<()> {
        Err(Error::unsupported("Rolodex sends no mails"))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        let rights = self.people.rights(scope).await;
        let checks = [
            ("Rolodex is reachable", "check `url`, and that it can be reached from here".to_owned()),
            ("the key is valid", "create a key in Rolodex → Keys, and copy it to `key`".to_owned()),
        ];
        let step = |error: &Error| usize::from(error.kind() == ErrorKind::Unauthenticated);
        let failed = rights.as_ref().err().map(|error| (step(error), error));
        let mut findings = Finding::chain(&CallKind::ALL, checks, failed);
        let writes = [CallKind::Delete, CallKind::MarkEmailVerified];
        for (right, calls) in [("read", &CallKind::ALL[..]), ("write", &writes)] {
            let (check, fix) = (format!("the key may {right}"), format!("tick `{right}` in Rolodex → Keys"));
            findings.push(match &rights {
                Ok(rights) if rights.iter().any(|own| own == right) => Finding::ok(check, calls),
                Ok(_) => Finding::failed(check, calls, fix),
                Err(_) => Finding::not_visible(check, calls, "mend what failed before, and check again"),
            });
        }
        findings
    }
}
