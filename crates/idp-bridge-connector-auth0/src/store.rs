//! The user store: Auth0's operations behind a directory.

use std::sync::Arc;

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Email, Error, ErrorKind, Federation, Finding, Hit, MailKind, Matches, Page,
    Result, SearchKey, StoredUser, UserId, UserStore, if_found,
};

use crate::client::{Auth0Api, PasswordReset};
use crate::config::Auth0Config;
use crate::diagnose::Diagnosis;
use crate::federation::Auth0Federation;
use crate::map::{Auth0User, Identities, is_user_id};
use crate::search;

/// The users of one Auth0 tenant.
pub struct Auth0Store {
    pub(crate) api: Arc<Auth0Api>,
    pub(crate) config: Auth0Config,
    pub(crate) reset: Option<PasswordReset>,
    pub(crate) capabilities: Capabilities,
    pub(crate) federation: Option<Auth0Federation>,
}

impl Auth0Store {
    fn to_stored(&self, user: &Auth0User) -> Result<StoredUser<Identities>> {
        user.to_stored(&self.config.customer_key)
    }

    /// Finds users by the two likely spellings of an address. If there are none, the cursor continues with the user search.
    ///
    /// Auth0 stores addresses in lower case in its own databases and unchanged elsewhere, and this lookup is case-sensitive
    /// (<https://auth0.com/docs/manage-users/user-search/retrieve-users-with-get-users-by-email-endpoint>, November 2026).
    async fn find_by_email(&self, scope: &CallScope, email: &Email) -> Result<Page<Identities>> {
        let lower = email.as_str().to_ascii_lowercase();
        let mut users = self.api.users_by_email(scope, email.as_str()).await?;
        if lower != email.as_str() {
            users.extend(self.api.users_by_email(scope, &lower).await?);
        }
        let next = users.is_empty().then(|| "0".to_owned());
        let hits = users.iter().map(|user| self.to_stored(user).map(Hit::User)).collect::<Result<_>>()?;
        Ok(Page { hits, next })
    }

    /// Reads a page of the user search. Only the ids are used, since the search lags behind.
    async fn search_page(&self, scope: &CallScope, key: SearchKey<'_>, page: usize) -> Result<Page<Identities>> {
        let query = search::query(key, &self.config.customer_key, page);
        let answer = self.api.search(scope, &query).await;
        // If the last page is full, the next one does not exist.
        let found = if page == 0 { answer? } else { if_found(answer)?.unwrap_or_default() };
        let next = (found.len() == search::PAGE).then(|| (page + 1).to_string());
        let ids = found.into_iter().map(|hit| UserId::new(hit.user_id).map(Hit::Id)).collect::<Result<_, _>>();
        let hits = ids.map_err(|error| {
            Error::upstream(ErrorKind::InvalidResponse, "auth0 found a user with an unusable id").with_source(error)
        })?;
        Ok(Page { hits, next })
    }

    /// Requests a verification mail, and checks that Auth0 created the job for it.
    async fn send_verification(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let job = self.api.send_verification(scope, id).await?;
        match (job.kind.as_str(), job.status.as_str()) {
            ("verification_email", "failed") => {
                Err(Error::upstream(ErrorKind::Unavailable, "auth0 could not send the mail"))
            }
            ("verification_email", _) => Ok(()),
            _ => Err(Error::upstream(ErrorKind::InvalidResponse, "auth0 created another job than the requested mail")),
        }
    }
}

#[async_trait]
impl UserStore for Auth0Store {
    type Detail = Identities;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser<Identities>>> {
        if !is_user_id(id.as_str()) {
            return Ok(None);
        }
        if_found(self.api.user(scope, id).await)?.map(|user| self.to_stored(&user)).transpose()
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<Identities>> {
        match (key, cursor) {
            (SearchKey::Email(email), None) => self.find_by_email(scope, email).await,
            (key, cursor) => {
                let page = cursor.map_or(Ok(0), str::parse).map_err(|error| {
                    Error::ours(ErrorKind::Unexpected, "the cursor of a search is not a number").with_source(error)
                })?;
                self.search_page(scope, key, page).await
            }
        }
    }

    fn can_choose(&self, key: SearchKey<'_>) -> bool {
        matches!(key, SearchKey::Email(_)) && !self.config.prefer_connections.is_empty()
    }

    fn choose(&self, _: SearchKey<'_>, matches: &mut Matches<StoredUser<Identities>>) {
        for connection in &self.config.prefer_connections {
            matches.prefer(|user| user.detail.has_connection(connection));
        }
    }

    /// Returns false: Auth0 sends equal responses for existing and missing users, keeps no service accounts among them, and a read
    /// before each delete would cost a second request of the tenant's rate limit.
    fn reads_before_delete(&self) -> bool {
        false
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, _: Option<&StoredUser<Identities>>) -> Result<Deleted> {
        if !is_user_id(id.as_str()) {
            return Ok(Deleted::Absent);
        }
        Ok(if_found(self.api.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Unknown))
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser<Identities>,
        verified: bool,
    ) -> Result<Option<StoredUser<Identities>>> {
        let user = self.api.set_email_verified(scope, &user.record.id, verified).await?;
        self.to_stored(&user).map(Some)
    }

    fn check_mail(&self, mail: MailKind, user: &StoredUser<Identities>) -> Result<()> {
        let (MailKind::PasswordReset, Some(reset)) = (mail, &self.reset) else { return Ok(()) };
        if user.record.blocked == Some(true) {
            return Err(Error::state("the user is blocked"));
        }
        if !user.detail.has_password_in(&reset.connection, &user.record) {
            return Err(Error::state("the user has no password in the configured `connection`"));
        }
        Ok(())
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser<Identities>) -> Result<()> {
        match (mail, &self.reset, &user.record.email) {
            (MailKind::Verification, ..) => self.send_verification(scope, &user.record.id).await,
            (MailKind::PasswordReset, Some(reset), Some(email)) => {
                self.api.send_password_mail(scope, reset, email).await
            }
            (MailKind::PasswordReset, ..) => Err(Error::ours(ErrorKind::Unexpected, "the reset mail has no recipient")),
        }
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::new(&self.api, &self.config, self.reset.as_ref()).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}
