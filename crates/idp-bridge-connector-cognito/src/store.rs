//! The user store of one pool.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use idp_bridge_core::{
    CallScope, Capabilities, ConnectorContext, Deleted, Error, ErrorKind, Federation, Finding, Hit, MailKind, Matches,
    Page, Result, SearchKey, StoredUser, UserId, UserStore, if_found, uuid,
};
use idp_bridge_http::Client;

use crate::client::UserPool;
use crate::config::{CognitoConfig, CustomerLookup};
use crate::diagnose::Diagnosis;
use crate::federation::PoolFederation;
use crate::index::CustomerIndex;
use crate::map::{PoolDetail, PoolUser};
use crate::provider::capabilities_with;
use crate::search::Search;

type User = StoredUser<PoolDetail>;

/// The users of one pool, for one tenant.
pub struct CognitoStore {
    pool: Arc<UserPool>,
    config: CognitoConfig,
    index: CustomerIndex,
    capabilities: Capabilities,
    federation: Option<PoolFederation>,
}

impl CognitoStore {
    pub(crate) fn new(config: CognitoConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let http = Client::new(&context.outbound)?;
        let pool = Arc::new(UserPool::new(&config, context, http.clone())?);
        let index = CustomerIndex::new(Arc::clone(&pool), &config)?;
        let federation = PoolFederation::new(&config, context, Arc::clone(&pool), http)?;
        let capabilities = capabilities_with(&config, federation.is_some());
        Ok(Self { pool, config, index, capabilities, federation })
    }

    fn to_stored(&self, user: PoolUser) -> User {
        user.into_stored(&self.config.customer_attribute)
    }

    async fn read_by_name(&self, scope: &CallScope, name: &str) -> Result<Option<User>> {
        Ok(if_found(self.pool.user(scope, name).await)?.map(|user| self.to_stored(user)))
    }

    /// Reads a user that Cognito does not find by the id: a user of another identity provider.
    async fn read_by_search(&self, scope: &CallScope, id: &UserId) -> Result<Option<User>> {
        let search = Search::by_id(id)?;
        let mut token = None;
        loop {
            let page = self.pool.search(scope, &search, token.clone()).await?;
            if let Some(user) = page.users.iter().find(|user| user.id == *id) {
                return self.read_by_name(scope, &user.name).await;
            }
            token = page.next_after(token.as_deref())?;
            if token.is_none() {
                return Ok(None);
            }
        }
    }
}

#[async_trait]
impl UserStore for CognitoStore {
    type Detail = PoolDetail;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<User>> {
        // All ids of Cognito are UUIDs.
        if !uuid::is_canonical(id.as_str()) {
            return Ok(None);
        }
        match if_found(self.pool.user(scope, id.as_str()).await)? {
            // Another user has this id as a name or an alias.
            Some(user) if user.id != *id && user.has_name(id.as_str()) => self.read_by_search(scope, id).await,
            Some(user) => {
                let mut user = self.to_stored(user);
                user.reread_before_write = user.detail.name != id.as_str();
                Ok(Some(user))
            }
            None => self.read_by_search(scope, id).await,
        }
    }

    async fn reread(&self, scope: &CallScope, user: &User) -> Result<Option<User>> {
        self.read_by_name(scope, &user.detail.name).await
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<PoolDetail>> {
        let search = match (key, self.config.customer_lookup) {
            (SearchKey::Email(email), _) => Search::by_email(email)?,
            (SearchKey::Customer(customer), Some(CustomerLookup::Attribute)) => {
                Search::by_attribute(&self.config.customer_attribute, customer)?
            }
            (SearchKey::Customer(customer), Some(CustomerLookup::Group)) => {
                Search::by_group(&self.config.customer_group_prefix, customer)?
            }
            (SearchKey::Customer(customer), Some(CustomerLookup::Index) | None) => {
                let ids = self.index.find(scope, customer).await?;
                return Ok(Page { hits: ids.into_iter().map(Hit::Id).collect(), next: None });
            }
        };
        let page = self.pool.search(scope, &search, cursor.map(str::to_owned)).await?;
        let hits = page.users.into_iter().map(|user| {
            let mut user = self.to_stored(user);
            // Searches may return outdated users.
            user.is_stale = true;
            Hit::User(user)
        });
        Ok(Page { hits: hits.collect(), next: page.next })
    }

    fn can_choose(&self, key: SearchKey<'_>) -> bool {
        matches!(key, SearchKey::Email(_))
    }

    /// Prefers the user with a verified address: where users sign in by it, Cognito allows one such user.
    fn choose(&self, _: SearchKey<'_>, matches: &mut Matches<User>) {
        matches.prefer(|user| user.record.email_verified == Some(true));
    }

    async fn delete(&self, scope: &CallScope, _: &UserId, user: Option<&User>) -> Result<Deleted> {
        let user = user.ok_or_else(|| Error::ours(ErrorKind::Unexpected, "the user was not read before the delete"))?;
        let deleted = if_found(self.pool.delete(scope, &user.detail.name).await)?;
        Ok(deleted.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn set_email_verified(&self, scope: &CallScope, user: &User, verified: bool) -> Result<Option<User>> {
        self.pool.set_email_verified(scope, &user.detail.name, verified).await?;
        Ok(None)
    }

    fn check_mail(&self, mail: MailKind, user: &User) -> Result<()> {
        if user.record.blocked == Some(true) {
            return Err(Error::state("the user is disabled, and cognito sends no mails to disabled users"));
        }
        if user.detail.status == Some(UserStatusType::ExternalProvider) {
            return Err(Error::state(
                "the user signs in at another identity provider, and cognito sends no mails to such users",
            ));
        }
        match mail {
            MailKind::Verification => check_verification(user, self.config.resend_invitations),
            MailKind::PasswordReset => check_password_reset(user),
        }
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &User) -> Result<()> {
        let PoolDetail { name, status } = &user.detail;
        match mail {
            MailKind::PasswordReset => self.pool.forgot_password(scope, name).await,
            MailKind::Verification if *status == Some(UserStatusType::ForceChangePassword) => {
                self.pool.resend_invitation(scope, name).await
            }
            MailKind::Verification => self.pool.resend_code(scope, name).await,
        }
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::new(&self.pool, &self.config, &self.index).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}

/// Checks that Cognito can send a verification mail in the user's state.
fn check_verification(user: &User, resend_invitations: bool) -> Result<()> {
    match user.detail.status {
        Some(UserStatusType::Unconfirmed) => Ok(()),
        Some(UserStatusType::ForceChangePassword) if resend_invitations => Ok(()),
        Some(UserStatusType::ForceChangePassword) => Err(Error::state("the user was invited and has never signed in")
            .with_hint("`resend_invitations` sends the invitation once more, with a new temporary password")),
        _ => {
            Err(Error::state("the user has confirmed the sign-up, and cognito has no mail to verify an address later"))
        }
    }
}

/// Checks that Cognito resets the user's password. Its 200 proves nothing: with `PreventUserExistenceErrors` it also answers
/// 200 for users that it sends no mail.
fn check_password_reset(user: &User) -> Result<()> {
    if user.record.email_verified != Some(true) {
        return Err(Error::state(
            "the user's address is not verified, and cognito resets passwords by verified addresses only",
        ));
    }
    if user.detail.status == Some(UserStatusType::ForceChangePassword) {
        return Err(
            Error::state("the user was invited and has no password yet").with_hint("send the invitation once more")
        );
    }
    Ok(())
}
