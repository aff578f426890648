//! The user operations of one realm.

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Error, ErrorKind, Federation, Finding, MailKind, Page, Result, SearchKey,
    StoredUser, UserId, UserStore, if_found,
};

use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::diagnose::Diagnosis;
use crate::federation::RealmFederation;
use crate::logins::Logins;
use crate::map::KeycloakUser;
use crate::person::is_person;
use crate::search::Filter;

/// The paths below `users` that are not users.
const RESERVED: [&str; 2] = ["count", "profile"];

type Stored = StoredUser<KeycloakUser>;

/// The users of one realm.
pub struct KeycloakStore {
    pub(crate) api: AdminApi,
    pub(crate) config: KeycloakConfig,
    pub(crate) capabilities: Capabilities,
    /// Boxed, since many tenants have none.
    pub(crate) federation: Option<Box<RealmFederation>>,
}

impl KeycloakStore {
    /// Converts a search hit. Fails if the realm hides the customer that the search compared.
    fn hit(&self, key: SearchKey<'_>, user: KeycloakUser) -> Result<Stored> {
        // Searches compare stored values. Representations omit the values that the user profile hides.
        if matches!(key, SearchKey::Customer(_)) && user.attribute(&self.config.customer_attribute).is_empty() {
            return Err(Error::upstream(
                ErrorKind::Misconfigured,
                "the realm's user profile hides the customer attribute",
            )
            .with_hint("Realm settings → User profile: declare it, with `Admin` under `Who can view?`"));
        }
        user.into_stored(&self.config.customer_attribute)
    }
}

#[async_trait]
impl UserStore for KeycloakStore {
    type Detail = KeycloakUser;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<Stored>> {
        if RESERVED.contains(&id.as_str()) {
            return Ok(None);
        }
        let user = if_found(self.api.user(scope, id).await)?;
        // Some databases compare ids without regard to case.
        let user = user.filter(|user| !user.differs_only_in_case(id));
        user.map(|user| user.into_stored(&self.config.customer_attribute)).transpose()
    }

    async fn is_person(&self, scope: &CallScope, user: &Stored) -> Result<bool> {
        // A usual name costs no request. Boxed, since the future of this function is copied for each read.
        Ok(!user.detail.is_named_like_service_account() || Box::pin(is_person(&self.api, scope, &user.detail)).await?)
    }

    async fn search(&self, scope: &CallScope, key: SearchKey<'_>, cursor: Option<&str>) -> Result<Page<KeycloakUser>> {
        let filter = Filter::new(key, &self.config.customer_attribute)?;
        let first = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let users = self.api.users(scope, &filter.query(first)).await?;
        if first == 0 && users.is_empty() {
            // Without `view-users` every search is an empty list. The roles in the cached token may be outdated.
            self.api.check_may_view_users(scope).await?;
        }
        let next = (users.len() >= filter.page_size()).then(|| (first + users.len()).to_string());
        let users = users.into_iter().map(|user| self.hit(key, user)).collect::<Result<Vec<_>>>()?;
        Ok(Page { next, ..Page::last(users) })
    }

    async fn complete(&self, scope: &CallScope, user: &mut Stored) -> Result<()> {
        // The requests are boxed, since the future of this function is copied for each read, and most realms need none.
        let record = &mut user.record;
        if self.config.brute_force && record.blocked == Some(false) {
            record.blocked = Some(Box::pin(self.api.is_locked(scope, record.id.as_str())).await?);
        }
        if self.config.login_events {
            let logins = Box::pin(Logins::read(&self.api, scope, &record.id)).await?;
            record.login_time = logins.last;
            record.logins_count = logins.count;
        }
        Ok(())
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, user: Option<&Stored>) -> Result<Deleted> {
        // An import can give a service account any name, and a delete cannot be undone.
        // The directory has already looked up the usual names of service accounts.
        if let Some(user) = user.filter(|user| !user.detail.is_named_like_service_account())
            && !is_person(&self.api, scope, &user.detail).await?
        {
            return Ok(Deleted::Absent);
        }
        Ok(if_found(self.api.delete(scope, id).await)?.map_or(Deleted::Absent, |()| Deleted::Existed))
    }

    async fn set_email_verified(&self, scope: &CallScope, user: &Stored, verified: bool) -> Result<Option<Stored>> {
        self.api.set_email_verified(scope, &user.record.id, verified).await?;
        Ok(None)
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &Stored) -> Result<()> {
        self.api.send_mail(scope, mail, &user.record.id).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::new(&self.api, &self.config).run(scope).await
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_deref().map(|federation| federation as &dyn Federation)
    }
}
