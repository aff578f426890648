//! The store: a map of users behind a lock.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Clock, Connector, ConnectorContext, Deleted, Directory, Error, ErrorKind,
    Finding, MailKind, Page, Result, SearchKey, StoredUser, Support, SystemClock, UserId, UserStore, async_trait,
};

use crate::outbox::Outbox;
use crate::{Mail, MemoryConfig, MemoryUser};

static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    let recorded = || Support::conditional("mails are recorded in memory, not sent");
    Capabilities::all()
        .with_call(CallKind::SendVerificationEmail, recorded())
        .with_call(CallKind::SendPasswordResetEmail, recorded())
});

/// The memory connector, and the store of its providers.
///
/// Clones share their users and mails, so that a test can inspect what a provider did.
#[derive(Debug, Clone)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, MemoryUser>,
    outbox: Outbox,
}

impl Memory {
    /// Creates a store with these users and the system's clock. Fails if two users share an id.
    pub fn with_users(users: Vec<MemoryUser>) -> Result<Self> {
        Self::with_users_and_clock(users, Arc::new(SystemClock))
    }

    /// Creates a store with these users; the clock dates writes.
    pub fn with_users_and_clock(users: Vec<MemoryUser>, clock: Arc<dyn Clock>) -> Result<Self> {
        let memory = Self { clock, state: Arc::default() };
        for (index, user) in users.into_iter().enumerate() {
            memory.insert(user).map_err(|error| error.with("entry", format!("users[{index}]")))?;
        }
        Ok(memory)
    }

    /// Adds a user. Fails if its id is taken.
    pub fn insert(&self, user: MemoryUser) -> Result<()> {
        match self.state().users.entry(user.id.clone()) {
            Entry::Occupied(_) => Err(Error::misconfigured("the id of a user is taken: give each user its own")),
            Entry::Vacant(place) => {
                place.insert(user);
                Ok(())
            }
        }
    }

    /// Changes a user as an administrator would. Returns whether it exists.
    pub fn change(&self, id: &UserId, change: impl FnOnce(&mut MemoryUser)) -> bool {
        self.state().users.get_mut(id).map(change).is_some()
    }

    /// Returns the user with this id.
    pub fn user(&self, id: &UserId) -> Option<MemoryUser> {
        self.state().users.get(id).cloned()
    }

    /// Creates a provider over these users.
    pub fn provider(&self) -> Directory<Self> {
        Directory::new(self.clone())
    }

    /// Returns the recorded mails, the oldest first.
    pub fn outbox(&self) -> Vec<Mail> {
        self.state().outbox.mails()
    }

    /// Locks the state. A poisoned lock is used: each statement leaves the state consistent.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for a call, unless its deadline has passed.
    fn state_in(&self, scope: &CallScope) -> Result<MutexGuard<'_, State>> {
        if scope.remaining().is_zero() {
            return Err(Error::ours(ErrorKind::Timeout, "the deadline passed before the users were read"));
        }
        Ok(self.state())
    }
}

#[async_trait]
impl UserStore for Memory {
    type Detail = ();

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn read(&self, scope: &CallScope, id: &UserId) -> Result<Option<StoredUser>> {
        Ok(self.state_in(scope)?.users.get(id).map(MemoryUser::to_stored))
    }

    async fn search(&self, scope: &CallScope, _: SearchKey<'_>, _: Option<&str>) -> Result<Page<()>> {
        // The directory compares every user with the key.
        Ok(Page::last(self.state_in(scope)?.users.values().map(MemoryUser::to_stored)))
    }

    async fn delete(&self, scope: &CallScope, id: &UserId, _: Option<&StoredUser>) -> Result<Deleted> {
        let removed = self.state_in(scope)?.users.remove(id);
        Ok(removed.map_or(Deleted::Absent, |_| Deleted::Existed))
    }

    async fn set_email_verified(
        &self,
        scope: &CallScope,
        user: &StoredUser,
        verified: bool,
    ) -> Result<Option<StoredUser>> {
        let mut state = self.state_in(scope)?;
        let user = state.users.get_mut(&user.record.id).ok_or_else(Error::no_such_user)?;
        user.email_verified = verified;
        user.update_time = Some(self.clock.now());
        Ok(Some(user.to_stored()))
    }

    async fn send_mail(&self, scope: &CallScope, mail: MailKind, user: &StoredUser) -> Result<()> {
        if let Some(email) = user.record.email.clone() {
            self.state_in(scope)?.outbox.record(email, mail);
        }
        Ok(())
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        let users = self.state().users.len();
        vec![Finding::ok("users are loaded", &CallKind::ALL).with_detail(format!("{users} in memory"))]
    }
}

impl Connector for Memory {
    const TYPE: &'static str = "memory";
    type Config = MemoryConfig;
    type Provider = Directory<Self>;

    fn capabilities() -> Capabilities {
        CAPABILITIES.clone()
    }

    fn build(config: MemoryConfig, context: &ConnectorContext) -> Result<Directory<Self>> {
        Self::with_users_and_clock(config.into_users()?, Arc::clone(&context.clock)).map(Directory::new)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use idp_bridge_core::{Email, IdentityProvider, Registry, TenantId, UserKey};
    use serde_json::json;

    use super::*;

    fn scope() -> CallScope {
        CallScope::new("r-1", Duration::from_secs(1))
    }

    #[test]
    fn a_taken_id_is_rejected() {
        let twin = MemoryUser::new(UserId::new("u-1").unwrap());
        let error = Memory::with_users(vec![twin.clone(), twin]).unwrap_err();
        assert_eq!(error.context("entry"), Some("users[1]"));
    }

    #[tokio::test]
    async fn the_registry_builds_it_from_inline_users() {
        let registry = Registry::default().with::<Memory>();
        let entry = registry.get("memory").unwrap();
        let build = entry.read(&json!({"users": crate::sample_users()})).unwrap();
        let provider = build(&ConnectorContext::new(TenantId::new("acme").unwrap())).unwrap();
        let ada = Email::new("Ada@acme.example").unwrap();
        assert_eq!(provider.get(&scope(), UserKey::Email(&ada)).await.unwrap().id, UserId::new("u-1").unwrap());
        let error = entry.read(&json!({"users": [{"id": "u-1", "email": "nobody"}]})).err().unwrap();
        assert_eq!(error.path, "users[0].email");
    }

    #[tokio::test]
    async fn clones_share_users_and_mails() {
        let memory = Memory::with_users(crate::sample_users()).unwrap();
        let provider: Arc<dyn IdentityProvider> = Arc::new(memory.provider());
        let linus = UserId::new("u-3").unwrap();
        provider.send_verification_email(&scope(), &linus).await.unwrap();
        let to = Email::new("linus@acme.example").unwrap();
        assert_eq!(memory.outbox(), [Mail { to, kind: MailKind::Verification }]);
        provider.delete(&scope(), &linus).await.unwrap();
        assert_eq!(memory.user(&linus), None);
    }
}
