//! The provider: a map of users behind a lock, and the rules of the contract.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Clock, Connector, ConnectorContext, Deleted, Email, Error, ErrorKind, Finding,
    Found, IdentityProvider, Result, Support, SystemClock, UserId, UserKey, UserRecord, async_trait,
};

use crate::outbox::Outbox;
use crate::{Mail, MailKind, MemoryConfig, MemoryUser};

static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    let recorded = || Support::conditional("mails are recorded in memory, not sent");
    Capabilities::all()
        .with_call(CallKind::SendVerificationEmail, recorded())
        .with_call(CallKind::SendPasswordResetEmail, recorded())
});

/// The memory connector, and a provider made by it.
///
/// A clone is a handle to the same users and mails: a test keeps one and gives the other away.
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
    /// A provider with these users and the system's clock; an error if two of them share an id.
    pub fn with_users(users: Vec<MemoryUser>) -> Result<Self> {
        Self::with_users_and_clock(users, Arc::new(SystemClock))
    }

    /// A provider with these users, whose writes are dated by this clock.
    pub fn with_users_and_clock(users: Vec<MemoryUser>, clock: Arc<dyn Clock>) -> Result<Self> {
        let memory = Self { clock, state: Arc::default() };
        for (index, user) in users.into_iter().enumerate() {
            memory.insert(user).map_err(|error| error.with("entry", format!("users[{index}]")))?;
        }
        Ok(memory)
    }

    /// Adds a user; an error if its id is taken.
    pub fn insert(&self, user: MemoryUser) -> Result<()> {
        match self.state().users.entry(user.id.clone()) {
            Entry::Occupied(_) => Err(Error::misconfigured("the id of a user is taken: give each user its own")),
            Entry::Vacant(place) => {
                place.insert(user);
                Ok(())
            }
        }
    }

    /// Changes a user behind the calls' back, as an administrator would; false if there is none with this id.
    pub fn change(&self, id: &UserId, change: impl FnOnce(&mut MemoryUser)) -> bool {
        self.state().users.get_mut(id).map(change).is_some()
    }

    /// The user with this id, as it is stored.
    pub fn user(&self, id: &UserId) -> Option<MemoryUser> {
        self.state().users.get(id).cloned()
    }

    /// The mails that were recorded, the oldest first.
    pub fn outbox(&self) -> Vec<Mail> {
        self.state().outbox.mails()
    }

    /// The state is whole after every statement, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a call, unless the call is late already.
    fn state_in(&self, scope: &CallScope) -> Result<MutexGuard<'_, State>> {
        if scope.remaining().is_zero() {
            return Err(Error::ours(ErrorKind::Timeout, "the deadline passed before the users were asked"));
        }
        Ok(self.state())
    }
}

impl State {
    /// Persons only: what is no person is in the map and is never found.
    fn persons(&self) -> impl Iterator<Item = &MemoryUser> {
        self.users.values().filter(|user| !user.service_account)
    }

    fn person(&mut self, id: &UserId) -> Result<&mut MemoryUser> {
        self.users.get_mut(id).filter(|user| !user.service_account).ok_or_else(Error::no_such_user)
    }

    fn find(&self, key: UserKey<'_>) -> Result<&MemoryUser> {
        let fits = |user: &&MemoryUser| match key {
            UserKey::Id(id) => user.id == *id,
            UserKey::Email(email) => user.email.as_ref().is_some_and(|own| own.matches(email)),
            UserKey::Customer(customer) => user.customer.values().any(|own| own == customer),
        };
        let mut found = Found::nobody();
        for user in self.persons().filter(fits) {
            found.add(user.id.clone(), user);
        }
        let only = found.only()?;
        if matches!(key, UserKey::Customer(_)) && only.customer.values().nth(1).is_some() {
            return Err(Error::upstream(ErrorKind::Ambiguous, "the user of this customer has other customers too"));
        }
        Ok(only)
    }
}

#[async_trait]
impl IdentityProvider for Memory {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        self.state_in(scope)?.find(key).map(MemoryUser::record)
    }

    async fn delete(&self, scope: &CallScope, id: &UserId) -> Result<Deleted> {
        let mut state = self.state_in(scope)?;
        if state.person(id).is_err() {
            return Ok(Deleted::Absent);
        }
        state.users.remove(id);
        Ok(Deleted::Existed)
    }

    async fn mark_email_verified(&self, scope: &CallScope, id: &UserId, expected: Option<&Email>) -> Result<()> {
        let mut state = self.state_in(scope)?;
        let user = state.person(id)?;
        let Some(email) = &user.email else {
            return Err(Error::state("the user has no address to verify"));
        };
        if expected.is_some_and(|expected| !expected.matches(email)) {
            return Err(Error::ours(ErrorKind::Conflict, "the user has another address"));
        }
        if !user.email_verified {
            user.email_verified = true;
            user.update_time = Some(self.clock.now());
        }
        Ok(())
    }

    async fn send_verification_email(&self, scope: &CallScope, id: &UserId) -> Result<()> {
        let mut state = self.state_in(scope)?;
        let user = state.person(id)?;
        let Some(email) = user.email.clone() else {
            return Err(Error::state("the user has no address to verify"));
        };
        if user.blocked {
            return Err(Error::state("the user is blocked and gets no mail"));
        }
        if !user.email_verified {
            state.outbox.record(email, MailKind::Verification);
        }
        Ok(())
    }

    async fn send_password_reset_email(&self, scope: &CallScope, email: &Email) -> Result<()> {
        let mut state = self.state_in(scope)?;
        let user = state.find(UserKey::Email(email))?;
        if user.blocked {
            return Err(Error::state("the user is blocked and gets no mail"));
        }
        // The mail goes to the address that is stored, not to the one that was asked.
        if let Some(email) = user.email.clone() {
            state.outbox.record(email, MailKind::PasswordReset);
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
    type Provider = Self;

    fn capabilities() -> Capabilities {
        CAPABILITIES.clone()
    }

    fn build(config: MemoryConfig, context: &ConnectorContext) -> Result<Self> {
        Self::with_users_and_clock(config.into_users()?, Arc::clone(&context.clock))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use idp_bridge_core::{Registry, TenantId};
    use serde_json::json;

    use super::*;

    fn scope() -> CallScope {
        CallScope::new("r-1", Duration::from_secs(1))
    }

    #[test]
    fn two_users_with_one_id_are_refused_and_the_second_is_named() {
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
    async fn a_clone_sees_the_mails_and_the_writes_of_the_other() {
        let memory = Memory::with_users(crate::sample_users()).unwrap();
        let provider: Arc<dyn IdentityProvider> = Arc::new(memory.clone());
        let linus = UserId::new("u-3").unwrap();
        provider.send_verification_email(&scope(), &linus).await.unwrap();
        let to = Email::new("linus@acme.example").unwrap();
        assert_eq!(memory.outbox(), [Mail { to, kind: MailKind::Verification }]);
        provider.delete(&scope(), &linus).await.unwrap();
        assert_eq!(memory.user(&linus), None);
    }
}
