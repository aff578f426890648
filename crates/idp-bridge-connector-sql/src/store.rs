//! The user store: the calls as statements.

use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Error, ErrorKind, Finding, MailKind, MailTokens, Page, Result, SearchKey,
    StoredUser, UserId, UserStore, async_trait,
};

use crate::Sql;
use crate::mail::Mails;
use crate::map;
use crate::statement::{Statement, Values};

#[async_trait]
impl UserStore for Sql {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser>> {
        let users = self.users(scope, &self.statements.get_by_id, Values { id: Some(id), ..Values::default() }).await?;
        let place = users.iter().position(|user| user.record.id == *id).unwrap_or_default();
        // A database may compare without regard to case or spaces. Any other user stays, and is refused by the directory.
        Ok(users.into_iter().nth(place).filter(|user| user.record.id == *id || !is_spelling(&user.record.id, id)))
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, _: Option<&str>) -> Result<Page<()>> {
        let statements = &self.statements;
        let (statement, values) = match key {
            SearchKey::Email(email) => (&statements.get_by_email, Values { email: Some(email), ..Values::default() }),
            SearchKey::Customer(customer) => {
                (&statements.get_by_customer, Values { customer: Some(customer), ..Values::default() })
            }
        };
        Ok(Page::last(self.users(scope, declared(statement.as_ref())?, values).await?))
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, _: Option<&StoredUser>) -> Result<Deleted> {
        let statement = declared(self.statements.delete.as_ref())?;
        let has_changed = self.database.write(scope, statement, Values { id: Some(id), ..Values::default() }).await?;
        Ok(if has_changed { Deleted::Existed } else { Deleted::Absent })
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser,
        verified: bool,
    ) -> Result<Option<StoredUser>> {
        let values = Values { id: Some(&user.record.id), email: user.record.email.as_ref(), ..Values::default() };
        let statement = if verified {
            declared(self.statements.mark.as_ref())?
        } else {
            self.statements.unmark.as_ref().ok_or_else(|| {
                Error::ours(
                    ErrorKind::Conflict,
                    "the address changed after it was marked, and the mark was not taken back",
                )
                .with_hint("set `statements.unmark_email_verified`")
            })?
        };
        // If no row changed, the user or its address has changed. The directory reads the user again.
        self.database.write(scope, statement, values).await?;
        Ok(None)
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser) -> Result<()> {
        let mails = self.mails.as_ref().ok_or_else(undeclared)?;
        mails.send(scope, &*self.database, mail, &user.record).await
    }

    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        self.mails.as_ref().map(Mails::tokens)
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        crate::diagnose::run(self, scope).await
    }
}

impl Sql {
    async fn users(&self, scope: &CallScope, statement: &Statement, values: Values<'_>) -> Result<Vec<StoredUser>> {
        let rows = self.database.read(scope, statement, values).await?;
        map::to_users(rows, self.integer_times).map_err(|error| error.with("statement", statement.name))
    }
}

fn declared(statement: Option<&Statement>) -> Result<&Statement> {
    statement.ok_or_else(undeclared)
}

fn undeclared() -> Error {
    Error::ours(ErrorKind::Unexpected, "the call is not declared")
}

/// Returns whether a database may take both ids as equal, such as `7` and ` 07`.
fn is_spelling(one: &UserId, other: &UserId) -> bool {
    let (one, other) = (one.as_str().trim(), other.as_str().trim());
    let number = |text: &str| text.parse::<f64>().ok();
    one.to_lowercase() == other.to_lowercase() || (number(one).is_some() && number(one) == number(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_id_are_recognized() {
        let is = |one: &str, other: &str| is_spelling(&UserId::new(one).unwrap(), &UserId::new(other).unwrap());
        assert!(is("7", " 07") && is("7", "7.0") && is("7", "+7") && is("abc", "ABC ") && is("é", "É"));
        assert!(!is("7", "8") && !is("abc", "abd") && !is("7", "x"));
    }
}
