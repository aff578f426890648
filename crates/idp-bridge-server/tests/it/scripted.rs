//! A provider that does what the test says, and counts how often it is asked.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use idp_bridge_core::{
    CallScope, Capabilities, Customer, CustomerId, Deleted, Email, Error, ErrorKind, Finding, IdentityProvider, Result,
    UserId, UserKey, UserRecord, async_trait,
};

/// What the provider is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Id(UserId),
    Email(Email),
    Customer(CustomerId),
    Delete,
    Mark,
    SendVerification,
    SendReset,
}

/// What it answers if it does not fail.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    User(UserRecord),
    Deleted(Deleted),
    Done,
}

type Answering = Pin<Box<dyn Future<Output = Result<Given>> + Send>>;

#[derive(Clone)]
pub(crate) struct Scripted {
    capabilities: Capabilities,
    script: Arc<dyn Fn(Asked, CallScope) -> Answering + Send + Sync>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    /// Answers by this script.
    pub(crate) fn new<F>(script: impl Fn(Asked, CallScope) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Given>> + Send + 'static,
    {
        let script = Arc::new(move |asked, scope| Box::pin(script(asked, scope)) as Answering);
        Self { capabilities: Capabilities::all(), script, asked: Arc::default() }
    }

    /// Answers at once.
    pub(crate) fn at_once(script: impl Fn(Asked) -> Result<Given> + Send + Sync + 'static) -> Self {
        Self::new(move |asked, _| std::future::ready(script(asked)))
    }

    /// Fails every call with an error of this kind from upstream.
    pub(crate) fn failing(kind: ErrorKind) -> Self {
        Self::at_once(move |_| Err(upstream(kind)))
    }

    #[must_use]
    pub(crate) fn with(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    async fn ask(&self, asked: Asked, scope: &CallScope) -> Result<Given> {
        self.asked.fetch_add(1, SeqCst);
        (self.script)(asked, scope.clone()).await
    }

    async fn done(&self, asked: Asked, scope: &CallScope) -> Result<()> {
        self.ask(asked, scope).await.map(|_| ())
    }
}

#[async_trait]
impl IdentityProvider for Scripted {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn get(&self, scope: &CallScope, key: UserKey<'_>) -> Result<UserRecord> {
        let asked = match key {
            UserKey::Id(id) => Asked::Id(id.clone()),
            UserKey::Email(email) => Asked::Email(email.clone()),
            UserKey::Customer(customer) => Asked::Customer(customer.clone()),
        };
        match self.ask(asked, scope).await? {
            Given::User(record) => Ok(record),
            other => panic!("a get was scripted to answer {other:?}"),
        }
    }

    async fn delete(&self, scope: &CallScope, _: &UserId) -> Result<Deleted> {
        match self.ask(Asked::Delete, scope).await? {
            Given::Deleted(deleted) => Ok(deleted),
            other => panic!("a delete was scripted to answer {other:?}"),
        }
    }

    async fn mark_email_verified(&self, scope: &CallScope, _: &UserId, _: Option<&Email>) -> Result<()> {
        self.done(Asked::Mark, scope).await
    }

    async fn send_verification_email(&self, scope: &CallScope, _: &UserId) -> Result<()> {
        self.done(Asked::SendVerification, scope).await
    }

    async fn send_password_reset_email(&self, scope: &CallScope, _: &Email) -> Result<()> {
        self.done(Asked::SendReset, scope).await
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        Vec::new()
    }
}

pub(crate) fn upstream(kind: ErrorKind) -> Error {
    Error::upstream(kind, "as the script says")
}

/// A record with an id, a customer and an address.
pub(crate) fn record(id: &str, customer: &str, email: &str) -> UserRecord {
    UserRecord {
        customer: Customer::One(CustomerId::new(customer).unwrap()),
        email: Some(Email::new(email).unwrap()),
        ..UserRecord::new(UserId::new(id).unwrap())
    }
}
