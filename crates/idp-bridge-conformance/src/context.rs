//! The context of a case: its users, its providers and its calls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_core::{
    Call, CallKind, CallScope, Capabilities, CustomerId, Email, Federation, Finding, IdentityProvider, Random as _,
    SystemRandom, UserId, UserKey, UserRecord,
};
use percent_encoding::percent_decode_str;

use crate::call_result::{CallResult, CallSuccess};
use crate::observation::Observations;
use crate::proxy::{MARKER, Proxy};
use crate::{Harness, NewUser, Setup, TestResult};

/// The deadline of a call that should succeed.
const AMPLE: Duration = Duration::from_secs(10);

/// The maximum time by which a call may exceed its deadline, for busy machines.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Fails the case with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+).into());
        }
    };
}
pub(crate) use ensure;

/// The context of one case.
pub(crate) struct CaseContext {
    harness: Arc<dyn Harness>,
    tag: String,
    /// Texts that no error may show.
    private: Mutex<BTreeSet<String>>,
    observations: Observations,
}

/// A user of a case.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) customer: CustomerId,
}

impl Person {
    /// Returns the call of this kind for this user.
    pub(crate) fn call(&self, kind: CallKind) -> Call {
        match kind {
            CallKind::GetById => Call::GetById(self.id.clone()),
            CallKind::GetByEmail => Call::GetByEmail(self.email.clone()),
            CallKind::GetByCustomer => Call::GetByCustomer(self.customer.clone()),
            CallKind::Delete => Call::Delete(self.id.clone()),
            CallKind::MarkEmailVerified => Call::MarkEmailVerified { id: self.id.clone(), email: None },
            CallKind::SendVerificationEmail => Call::SendVerificationEmail(self.id.clone()),
            CallKind::SendPasswordResetEmail => Call::SendPasswordResetEmail(self.email.clone()),
        }
    }
}

impl CaseContext {
    pub(crate) fn new(harness: Arc<dyn Harness>, observations: Observations) -> TestResult<Self> {
        let tag = SystemRandom.word()?.chars().take(12).collect();
        Ok(Self { harness, tag, private: Mutex::new(BTreeSet::from([MARKER.to_owned()])), observations })
    }

    pub(crate) fn observations(&self) -> &Observations {
        &self.observations
    }

    pub(crate) fn harness(&self) -> &dyn Harness {
        &*self.harness
    }

    pub(crate) fn harness_handle(&self) -> Arc<dyn Harness> {
        Arc::clone(&self.harness)
    }

    /// Returns an address that only this case uses.
    pub(crate) fn email(&self, name: &str) -> TestResult<Email> {
        let email = Email::new(format!("{name}.{}@conformance.example", self.tag))?;
        self.mark_private(email.as_str());
        Ok(email)
    }

    /// Returns a customer that only this case uses.
    pub(crate) fn customer(&self, name: &str) -> TestResult<CustomerId> {
        let customer = CustomerId::new(format!("cust-{name}-{}", self.tag))?;
        self.mark_private(customer.as_str());
        Ok(customer)
    }

    /// Fails the case if a later error shows this text.
    pub(crate) fn mark_private(&self, text: &str) {
        // A short text may occur in any message.
        if text.len() >= 12 {
            self.private.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        }
    }

    /// Creates a user with an address and one customer.
    pub(crate) async fn person(&self, name: &str) -> TestResult<Person> {
        self.person_with(name, |_| {}).await
    }

    /// Creates a user that this call supports: some identity providers reset passwords only with a verified address.
    pub(crate) async fn person_for(&self, kind: CallKind, name: &str) -> TestResult<Person> {
        self.person_with(name, |user| user.email_verified = kind == CallKind::SendPasswordResetEmail).await
    }

    /// Creates a user with an address and one customer. `shape` changes its properties first.
    pub(crate) async fn person_with(&self, name: &str, shape: impl FnOnce(&mut NewUser) + Send) -> TestResult<Person> {
        let (email, customer) = (self.email(name)?, self.customer(name)?);
        let mut user = NewUser::person(email.clone());
        user.customers = vec![customer.clone()];
        shape(&mut user);
        let id = self.create(user).await?;
        Ok(Person { id, email, customer })
    }

    /// Creates a user with exactly these properties.
    pub(crate) async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let id =
            self.harness.create(user).await.map_err(|error| format!("the harness could not create a user: {error}"))?;
        self.mark_private(id.as_str());
        Ok(id)
    }

    /// Returns a provider with working settings.
    pub(crate) async fn provider(&self) -> TestResult<Provider<'_>> {
        self.provider_with(Setup::Working).await
    }

    /// Returns a provider with these settings.
    pub(crate) async fn provider_with(&self, setup: Setup<'_>) -> TestResult<Provider<'_>> {
        Ok(Provider { context: self, inner: self.harness.provider(setup).await? })
    }

    /// Starts the suite's proxy, and returns it with a provider behind it.
    pub(crate) async fn proxied(&self) -> TestResult<(Proxy, Provider<'_>)> {
        let proxy = Proxy::start(&self.harness.upstream().await?).await?;
        let provider = self.provider_with(Setup::At(&proxy.base_url())).await?;
        Ok((proxy, provider))
    }

    /// Returns a provider behind the suite's proxy that has used its credentials, so that a call makes only its own requests.
    pub(crate) async fn proxied_and_warm(&self, person: &Person) -> TestResult<(Proxy, Provider<'_>)> {
        let (proxy, provider) = self.proxied().await?;
        provider.warm(person).await?;
        proxy.reset_counts();
        Ok((proxy, provider))
    }

    /// Returns the number of mails to this address.
    pub(crate) async fn mails(&self, email: &Email) -> TestResult<usize> {
        self.harness.mails(email).await
    }

    /// Checks that an error and its causes show no private text.
    pub(crate) fn check_error(&self, error: &idp_bridge_core::Error) -> TestResult<()> {
        let mut shown = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            shown.push_str(&format!(" {error} {error:?}"));
            cause = error.source();
        }
        // A URL in a cause shows an address in percent encoding.
        let decoded = percent_decode_str(&shown).decode_utf8_lossy().to_lowercase();
        let private = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in private.iter() {
            let hidden = !shown.contains(secret.as_str()) && !decoded.contains(&secret.to_lowercase());
            ensure!(hidden, "the error, or one of its causes, shows `{secret}`: {shown}");
        }
        Ok(())
    }
}

/// A provider under test.
pub(crate) struct Provider<'a> {
    context: &'a CaseContext,
    inner: Arc<dyn IdentityProvider>,
}

impl Provider<'_> {
    pub(crate) fn context(&self) -> &CaseContext {
        self.context
    }

    /// Returns the provider for concurrent calls.
    pub(crate) fn handle(&self) -> Arc<dyn IdentityProvider> {
        Arc::clone(&self.inner)
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    pub(crate) fn federation(&self) -> Option<&dyn Federation> {
        self.inner.federation()
    }

    pub(crate) fn supports(&self, kind: CallKind) -> bool {
        self.capabilities().call(kind).is_possible()
    }

    /// Runs a call with ample time.
    pub(crate) async fn run(&self, call: Call) -> TestResult<CallResult> {
        self.run_in(&ample(), call).await
    }

    /// Runs a call, and checks that it ended by its deadline and that an error shows nothing private.
    pub(crate) async fn run_in(&self, scope: &CallScope, call: Call) -> TestResult<CallResult> {
        let kind = call.kind();
        self.context.mark_private(argument(&call));
        let allowed = scope.remaining() + GRACE;
        let Ok(result) = tokio::time::timeout(allowed, self.dispatch(scope, call)).await else {
            return Err(format!("`{kind}` had not ended {} ms after its deadline", GRACE.as_millis()).into());
        };
        if let Err(error) = &result {
            self.context.check_error(error)?;
        }
        Ok(CallResult { kind, result, recorder: scope.recorder().clone() })
    }

    async fn dispatch(&self, scope: &CallScope, call: Call) -> idp_bridge_core::Result<CallSuccess> {
        let provider = &self.inner;
        Ok(match call {
            Call::GetById(id) => CallSuccess::User(provider.get(scope, UserKey::Id(&id)).await?),
            Call::GetByEmail(email) => CallSuccess::User(provider.get(scope, UserKey::Email(&email)).await?),
            Call::GetByCustomer(customer) => {
                CallSuccess::User(provider.get(scope, UserKey::Customer(&customer)).await?)
            }
            Call::Delete(id) => CallSuccess::Deleted(provider.delete(scope, &id).await?),
            Call::MarkEmailVerified { id, email } => {
                provider.mark_email_verified(scope, &id, email.as_ref()).await?;
                CallSuccess::Done
            }
            Call::SendVerificationEmail(id) => {
                provider.send_verification_email(scope, &id).await?;
                CallSuccess::Done
            }
            Call::SendPasswordResetEmail(email) => {
                provider.send_password_reset_email(scope, &email).await?;
                CallSuccess::Done
            }
        })
    }

    /// Reads a user with the first look-up that the provider supports.
    pub(crate) async fn read(&self, person: &Person) -> TestResult<UserRecord> {
        self.run(person.call(self.first_read()?)).await?.user()
    }

    fn first_read(&self) -> TestResult<CallKind> {
        let reads = CallKind::ALL.into_iter().filter(|kind| !kind.is_write());
        reads.clone().find(|kind| self.supports(*kind)).ok_or_else(|| "the provider supports no look-up".into())
    }

    /// Lets the provider use its credentials once.
    pub(crate) async fn warm(&self, person: &Person) -> TestResult<()> {
        self.read(person)
            .await
            .map(|_| ())
            .map_err(|error| format!("the healthy provider does not read a user: {error}").into())
    }

    /// Returns the findings of a diagnosis, which must end by its deadline.
    pub(crate) async fn diagnose(&self) -> TestResult<Vec<Finding>> {
        self.diagnose_in(&ample()).await
    }

    /// Returns the findings of a diagnosis with this scope.
    pub(crate) async fn diagnose_in(&self, scope: &CallScope) -> TestResult<Vec<Finding>> {
        let allowed = scope.remaining() + GRACE;
        tokio::time::timeout(allowed, self.inner.diagnose(scope))
            .await
            .map_err(|_| format!("the diagnosis had not ended {} ms after its deadline", GRACE.as_millis()).into())
    }
}

/// Returns the argument of a call.
fn argument(call: &Call) -> &str {
    match call {
        Call::GetById(id) | Call::Delete(id) | Call::SendVerificationEmail(id) => id.as_str(),
        Call::MarkEmailVerified { id, .. } => id.as_str(),
        Call::GetByEmail(email) | Call::SendPasswordResetEmail(email) => email.as_str(),
        Call::GetByCustomer(customer) => customer.as_str(),
    }
}

/// Returns a scope with ample time.
pub(crate) fn ample() -> CallScope {
    scope(AMPLE)
}

/// Returns a scope with this timeout.
pub(crate) fn scope(timeout: Duration) -> CallScope {
    CallScope::new("conformance", timeout)
}
