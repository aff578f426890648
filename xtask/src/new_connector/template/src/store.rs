//! The user store: New IdP's operations on users.
//!
//! [`Directory`](idp_bridge_core::Directory) builds the calls on them. It compares ids and search hits, refuses ambiguous
//! matches, and skips service accounts, so the store only converts requests and responses.

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Deleted, Error, Finding, MailKind, Page, Result, SearchKey, StoredUser, UserId, UserStore,
    if_found,
};

use crate::NewIdp;
use crate::diagnose::Diagnosis;

#[async_trait]
impl UserStore for NewIdp {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser>> {
        let user = if_found(self.api.user(scope, id).await)?;
        user.map(|user| user.into_stored(&self.config.customer_attribute)).transpose()
    }

    async fn search(&self, _: &CallScope, _: SearchKey<'_>, _: Option<&str>) -> Result<Page<()>> {
        Err(Error::unsupported("not written yet"))
    }

    async fn delete(&self, _: &CallScope, _: &UserId, _: Option<&StoredUser>) -> Result<Deleted> {
        Err(Error::unsupported("not written yet"))
    }

    async fn set_email_verified(&self, _: &CallScope, _: &StoredUser, _: bool) -> Result<Option<StoredUser>> {
        Err(Error::unsupported("not written yet"))
    }

    async fn send_mail(&self, _: &CallScope, _: MailKind, _: &StoredUser) -> Result<()> {
        Err(Error::unsupported("not written yet"))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::new(&self.api, &self.config).run(scope).await
    }
}
