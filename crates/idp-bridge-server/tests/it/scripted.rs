//! A provider with scripted results, which counts its calls.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use idp_bridge_core::{
    CallScope, Capabilities, Customer, CustomerId, Deleted, Email, Error, ErrorKind, Finding, IdentityProvider,
    MailTokens, Result, UserId, UserKey, UserRecord, async_trait,
};
use tokio::sync::Semaphore;

/// A call to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProviderCall {
    Id(UserId),
    Email(Email),
    Customer(CustomerId),
    Delete,
    Mark,
    SendVerification,
    SendReset,
}

/// A successful result.
#[derive(Debug, Clone)]
pub(crate) enum Returned {
    User(UserRecord),
    Deleted(Deleted),
    Done,
}

type BoxFuture = Pin<Box<dyn Future<Output = Result<Returned>> + Send>>;

#[derive(Clone)]
pub(crate) struct Scripted {
    capabilities: Capabilities,
    script: Arc<dyn Fn(ProviderCall, CallScope) -> BoxFuture + Send + Sync>,
    asked: Arc<AtomicUsize>,
    diagnose: Arc<dyn Fn() -> Vec<Finding> + Send + Sync>,
    mail_tokens: Option<Arc<dyn MailTokens>>,
}

impl Scripted {
    /// Creates a provider with this script.
    pub(crate) fn new<F>(script: impl Fn(ProviderCall, CallScope) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Returned>> + Send + 'static,
    {
        let script = Arc::new(move |asked, scope| Box::pin(script(asked, scope)) as BoxFuture);
        Self {
            capabilities: Capabilities::all(),
            script,
            asked: Arc::default(),
            diagnose: Arc::new(Vec::new),
            mail_tokens: None,
        }
    }

    /// Creates a provider that returns without waiting.
    pub(crate) fn at_once(script: impl Fn(ProviderCall) -> Result<Returned> + Send + Sync + 'static) -> Self {
        Self::new(move |asked, _| std::future::ready(script(asked)))
    }

    /// Creates a provider that fails each call with an upstream error of this kind.
    pub(crate) fn failing(kind: ErrorKind) -> Self {
        Self::at_once(move |_| Err(upstream(kind)))
    }

    /// Returns a provider with calls that wait for a permit of the second semaphore. The first one counts the calls that have begun.
    pub(crate) fn gated() -> (Self, Arc<Semaphore>, Arc<Semaphore>) {
        let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (begins, waits) = (Arc::clone(&begun), Arc::clone(&gate));
        let provider = Self::new(move |call, _| {
            let (begun, gate) = (Arc::clone(&begins), Arc::clone(&waits));
            async move {
                begun.add_permits(1);
                gate.acquire().await.unwrap().forget();
                Ok(match call {
                    ProviderCall::Delete => Returned::Deleted(Deleted::Existed),
                    ProviderCall::Id(id) => Returned::User(record(id.as_str(), "c", "a@b")),
                    _ => Returned::Done,
                })
            }
        });
        (provider, begun, gate)
    }

    #[must_use]
    pub(crate) fn with(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Sets the function that returns the findings of each diagnosis.
    #[must_use]
    pub(crate) fn with_findings(mut self, diagnose: impl Fn() -> Vec<Finding> + Send + Sync + 'static) -> Self {
        self.diagnose = Arc::new(diagnose);
        self
    }

    /// Sets the tokens in the links of mails.
    #[must_use]
    pub(crate) fn with_mail_tokens(mut self, tokens: Arc<dyn MailTokens>) -> Self {
        self.mail_tokens = Some(tokens);
        self
    }

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.asked.load(SeqCst)
    }

    async fn ask(&self, asked: ProviderCall, scope: &CallScope) -> Result<Returned> {
        self.asked.fetch_add(1, SeqCst);
        (self.script)(asked, scope.clone()).await
    }

    async fn done(&self, asked: ProviderCall, scope: &CallScope) -> Result<()> {
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
            UserKey::Id(id) => ProviderCall::Id(id.clone()),
            UserKey::Email(email) => ProviderCall::Email(email.clone()),
            UserKey::Customer(customer) => ProviderCall::Customer(customer.clone()),
        };
        match self.ask(asked, scope).await? {
            Returned::User(record) => Ok(record),
            other => panic!("a get was scripted to answer {other:?}"),
        }
    }

    async fn delete(&self, scope: &CallScope, _: &UserId) -> Result<Deleted> {
        match self.ask(ProviderCall::Delete, scope).await? {
            Returned::Deleted(deleted) => Ok(deleted),
            other => panic!("a delete was scripted to answer {other:?}"),
        }
    }

    async fn mark_email_verified(&self, scope: &CallScope, _: &UserId, _: Option<&Email>) -> Result<()> {
        self.done(ProviderCall::Mark, scope).await
    }

    async fn send_verification_email(&self, scope: &CallScope, _: &UserId) -> Result<()> {
        self.done(ProviderCall::SendVerification, scope).await
    }

    async fn send_password_reset_email(&self, scope: &CallScope, _: &Email) -> Result<()> {
        self.done(ProviderCall::SendReset, scope).await
    }

    async fn diagnose(&self, _: &CallScope) -> Vec<Finding> {
        (self.diagnose)()
    }

    fn mail_tokens(&self) -> Option<&dyn MailTokens> {
        self.mail_tokens.as_deref()
    }
}

pub(crate) fn upstream(kind: ErrorKind) -> Error {
    Error::upstream(kind, "as the script says")
}

/// Returns a record with this id, customer and email.
pub(crate) fn record(id: &str, customer: &str, email: &str) -> UserRecord {
    UserRecord {
        customer: Customer::One(CustomerId::new(customer).unwrap()),
        email: Some(Email::new(email).unwrap()),
        ..UserRecord::new(UserId::new(id).unwrap())
    }
}
