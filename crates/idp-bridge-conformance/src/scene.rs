//! What one case plays with: users that no other case has, and calls whose answers are looked at from every side.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_core::{
    Call, CallKind, CallScope, Capabilities, CustomerId, Email, Federation, Finding, IdentityProvider, Random as _,
    SystemRandom, UserId, UserKey, UserRecord,
};
use percent_encoding::percent_decode_str;

use crate::answer::{Answer, Asked};
use crate::observation::Observations;
use crate::proxy::{MARKER, Proxy};
use crate::{Control, Harness, NewUser, Staged};

/// The deadline of a call that nothing keeps from succeeding.
const AMPLE: Duration = Duration::from_secs(10);

/// How much later than its deadline a call may end: a busy machine is no broken promise.
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

/// One case's view of the environment.
pub(crate) struct Scene {
    harness: Arc<dyn Harness>,
    tag: String,
    /// What no error may show.
    private: Mutex<BTreeSet<String>>,
    observations: Observations,
}

/// A user that the case made.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) customer: CustomerId,
}

impl Person {
    /// The call of this kind that means this user.
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

impl Scene {
    pub(crate) fn new(harness: Arc<dyn Harness>, observations: Observations) -> Staged<Self> {
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

    /// An address that only this case has.
    pub(crate) fn email(&self, name: &str) -> Staged<Email> {
        let email = Email::new(format!("{name}.{}@conformance.example", self.tag))?;
        self.hide(email.as_str());
        Ok(email)
    }

    /// A customer that only this case has.
    pub(crate) fn customer(&self, name: &str) -> Staged<CustomerId> {
        let customer = CustomerId::new(format!("cust-{name}-{}", self.tag))?;
        self.hide(customer.as_str());
        Ok(customer)
    }

    /// From now on no error may show this text.
    pub(crate) fn hide(&self, text: &str) {
        // A short text is found in any sentence by chance.
        if text.len() >= 12 {
            self.private.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
        }
    }

    /// Makes a user with an address and one customer.
    pub(crate) async fn person(&self, name: &str) -> Staged<Person> {
        self.person_with(name, |_| {}).await
    }

    /// The same, such that this call can be made of it: some identity providers reset passwords by proven addresses only.
    pub(crate) async fn person_for(&self, kind: CallKind, name: &str) -> Staged<Person> {
        self.person_with(name, |user| user.email_verified = kind == CallKind::SendPasswordResetEmail).await
    }

    /// Makes a user with an address and one customer, and whatever else the case wants of it.
    pub(crate) async fn person_with(&self, name: &str, shape: impl FnOnce(&mut NewUser) + Send) -> Staged<Person> {
        let (email, customer) = (self.email(name)?, self.customer(name)?);
        let mut user = NewUser::person(email.clone());
        user.customers = vec![customer.clone()];
        shape(&mut user);
        let id = self.create(user).await?;
        Ok(Person { id, email, customer })
    }

    /// Makes a user with exactly these properties.
    pub(crate) async fn create(&self, user: NewUser) -> Staged<UserId> {
        let id =
            self.harness.create(user).await.map_err(|error| format!("the harness could not create a user: {error}"))?;
        self.hide(id.as_str());
        Ok(id)
    }

    /// A provider with right settings.
    pub(crate) async fn provider(&self) -> Staged<Provider<'_>> {
        Ok(self.around(self.harness.provider().await?))
    }

    /// A provider that the harness made.
    pub(crate) fn around(&self, inner: Arc<dyn IdentityProvider>) -> Provider<'_> {
        Provider { scene: self, inner }
    }

    /// The suite's proxy before the identity provider, and a provider that goes through it.
    pub(crate) async fn proxied(&self) -> Staged<(Proxy, Provider<'_>)> {
        let proxy = Proxy::start(&self.harness.upstream().await?).await?;
        let inner = self.harness.provider_at(&proxy.base_url()).await?;
        Ok((proxy, self.around(inner)))
    }

    /// The same in its steady state: the credentials have been used, so that a call makes its own requests only.
    pub(crate) async fn proxied_and_warm(&self, person: &Person) -> Staged<(Proxy, Provider<'_>)> {
        let (proxy, provider) = self.proxied().await?;
        provider.warm(person).await?;
        proxy.forget();
        Ok((proxy, provider))
    }

    /// A provider that this control broke.
    pub(crate) async fn broken(&self, control: Control) -> Staged<Provider<'_>> {
        Ok(self.around(self.harness.provider_broken(control).await?))
    }

    /// How many mails this address has got.
    pub(crate) async fn mails(&self, email: &Email) -> Staged<usize> {
        self.harness.mails(email).await
    }

    pub(crate) fn check_clean(&self, error: &idp_bridge_core::Error) -> Staged<()> {
        let mut shown = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            shown.push_str(&format!(" {error} {error:?}"));
            cause = error.source();
        }
        // A URL in a cause shows an address just as well, only encoded.
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
    scene: &'a Scene,
    inner: Arc<dyn IdentityProvider>,
}

impl Provider<'_> {
    pub(crate) fn scene(&self) -> &Scene {
        self.scene
    }

    /// The provider itself, for calls at the same time.
    pub(crate) fn handle(&self) -> Arc<dyn IdentityProvider> {
        Arc::clone(&self.inner)
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    pub(crate) fn federation(&self) -> Option<&dyn Federation> {
        self.inner.federation()
    }

    pub(crate) fn can(&self, kind: CallKind) -> bool {
        self.capabilities().call(kind).is_possible()
    }

    /// Asks with ample time.
    pub(crate) async fn ask(&self, call: Call) -> Staged<Asked> {
        self.ask_in(&ample(), call).await
    }

    /// Asks, and checks what holds for every call: it ends by its deadline, and its error shows nothing private.
    pub(crate) async fn ask_in(&self, scope: &CallScope, call: Call) -> Staged<Asked> {
        let kind = call.kind();
        self.scene.hide(argument(&call));
        let allowed = scope.remaining() + GRACE;
        let Ok(result) = tokio::time::timeout(allowed, self.dispatch(scope, call)).await else {
            return Err(format!("`{kind}` had not ended {} ms after its deadline", GRACE.as_millis()).into());
        };
        if let Err(error) = &result {
            self.scene.check_clean(error)?;
        }
        Ok(Asked { kind, result, recorder: scope.recorder().clone() })
    }

    async fn dispatch(&self, scope: &CallScope, call: Call) -> idp_bridge_core::Result<Answer> {
        let provider = &self.inner;
        Ok(match call {
            Call::GetById(id) => Answer::User(provider.get(scope, UserKey::Id(&id)).await?),
            Call::GetByEmail(email) => Answer::User(provider.get(scope, UserKey::Email(&email)).await?),
            Call::GetByCustomer(customer) => Answer::User(provider.get(scope, UserKey::Customer(&customer)).await?),
            Call::Delete(id) => Answer::Deleted(provider.delete(scope, &id).await?),
            Call::MarkEmailVerified { id, email } => {
                provider.mark_email_verified(scope, &id, email.as_ref()).await?;
                Answer::Done
            }
            Call::SendVerificationEmail(id) => {
                provider.send_verification_email(scope, &id).await?;
                Answer::Done
            }
            Call::SendPasswordResetEmail(email) => {
                provider.send_password_reset_email(scope, &email).await?;
                Answer::Done
            }
        })
    }

    /// The user as this provider sees it, by the first look-up that it supports.
    pub(crate) async fn look(&self, person: &Person) -> Staged<UserRecord> {
        self.ask(person.call(self.first_read()?)).await?.user()
    }

    fn first_read(&self) -> Staged<CallKind> {
        let reads = CallKind::ALL.into_iter().filter(|kind| !kind.is_write());
        reads.clone().find(|kind| self.can(*kind)).ok_or_else(|| "the provider supports no look-up".into())
    }

    /// Makes the provider use its credentials once.
    pub(crate) async fn warm(&self, person: &Person) -> Staged<()> {
        self.look(person)
            .await
            .map(|_| ())
            .map_err(|error| format!("the healthy provider does not answer: {error}").into())
    }

    /// The findings of a diagnosis, which must end in time, too.
    pub(crate) async fn diagnose(&self) -> Staged<Vec<Finding>> {
        self.diagnose_in(&ample()).await
    }

    /// The same within this scope.
    pub(crate) async fn diagnose_in(&self, scope: &CallScope) -> Staged<Vec<Finding>> {
        let allowed = scope.remaining() + GRACE;
        tokio::time::timeout(allowed, self.inner.diagnose(scope))
            .await
            .map_err(|_| format!("the diagnosis had not ended {} ms after its deadline", GRACE.as_millis()).into())
    }
}

/// The value that a call is about.
fn argument(call: &Call) -> &str {
    match call {
        Call::GetById(id) | Call::Delete(id) | Call::SendVerificationEmail(id) => id.as_str(),
        Call::MarkEmailVerified { id, .. } => id.as_str(),
        Call::GetByEmail(email) | Call::SendPasswordResetEmail(email) => email.as_str(),
        Call::GetByCustomer(customer) => customer.as_str(),
    }
}

/// A scope with ample time.
pub(crate) fn ample() -> CallScope {
    scope(AMPLE)
}

/// A scope with this much time.
pub(crate) fn scope(timeout: Duration) -> CallScope {
    CallScope::new("conformance", timeout)
}
