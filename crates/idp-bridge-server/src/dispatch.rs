//! From a call to its answer: the only place that makes a [`User`] of a [`UserRecord`].
//!
//! It decides what no provider can: the tenant, the rule for a missing customer, and whether the user that came back is
//! the one that was asked for.

use std::fmt;

use idp_bridge_core::{
    Call, CallKind, CallScope, Customer, CustomerId, Deleted, Email, Error, ErrorKind, Outcome, Recorder, Result, User,
    UserId, UserKey, UserRecord,
};

use crate::catch_panic::catch_panic;
use crate::tenant::{CustomerMissing, Tenant};

/// How a call ended well.
#[derive(Debug)]
pub enum Answer {
    /// The user that was asked for.
    User(Box<User>),
    /// No such user is there now.
    Deleted(Deleted),
    /// The write was done.
    Done,
    /// A password reset for an address that gets no mail: the platform is answered as by [`Answer::Done`], since it
    /// forwards the call for strangers. The error says why, for the operator alone.
    Concealed(Error),
}

/// How a call failed.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// Whether a write may have taken effect.
    pub outcome: Outcome,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

/// Makes one call, within the scope's deadline, whatever the provider does.
///
/// When it is late, the provider's future is dropped; the recorder, which lives outside of it, still tells the outcome.
pub async fn call(tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer, Failure> {
    let kind = call.kind();
    in_time(scope, answer(tenant, call, scope)).await.map_err(|error| {
        let outcome = if kind.is_write() { scope.recorder().outcome() } else { Outcome::NotApplied };
        Failure { error, outcome }
    })
}

/// What a connector gives before the deadline and without a panic.
pub(crate) async fn in_time<T>(scope: &CallScope, asking: impl Future<Output = Result<T>>) -> Result<T> {
    let given = tokio::time::timeout_at(scope.deadline().into(), catch_panic(asking)).await;
    given
        .unwrap_or_else(|_| Ok(Err(Error::ours(ErrorKind::Timeout, "the identity provider did not answer in time"))))
        .unwrap_or_else(|_| Err(Error::ours(ErrorKind::Unexpected, "the connector panicked")))
}

async fn answer(tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer> {
    let provider = &tenant.provider;
    provider.capabilities().require(call.kind())?;
    match call {
        Call::GetById(id) => by_id(tenant, scope, &id).await,
        Call::GetByEmail(email) => by_email(tenant, scope, &email).await,
        Call::GetByCustomer(customer) => by_customer(tenant, scope, customer).await,
        Call::Delete(id) => provider.delete(scope, &id).await.map(Answer::Deleted),
        Call::MarkEmailVerified { id, email } => {
            provider.mark_email_verified(scope, &id, email.as_ref()).await.map(|()| Answer::Done)
        }
        Call::SendVerificationEmail(id) => provider.send_verification_email(scope, &id).await.map(|()| Answer::Done),
        Call::SendPasswordResetEmail(email) => {
            let ordered = provider.send_password_reset_email(scope, &email).await;
            ordered.map(|()| Answer::Done).or_else(|error| conceal(error, scope.recorder()))
        }
    }
}

/// Conceals what is true of one address only. A rate limit of the look-up is the tenant's, one of the mail is the address's.
fn conceal(error: Error, recorder: &Recorder) -> Result<Answer> {
    use ErrorKind::{Ambiguous, Incomplete, NotFound, RateLimited, State};
    match error.kind() {
        NotFound | Ambiguous | Incomplete | State => Ok(Answer::Concealed(error)),
        RateLimited if recorder.has_written() => Ok(Answer::Concealed(error)),
        _ => Err(error),
    }
}

async fn by_id(tenant: &Tenant, scope: &CallScope, id: &UserId) -> Result<Answer> {
    let record = tenant.provider.get(scope, UserKey::Id(id)).await?;
    if record.id != *id {
        return Err(another("id"));
    }
    user(tenant, record)
}

async fn by_email(tenant: &Tenant, scope: &CallScope, email: &Email) -> Result<Answer> {
    let record = tenant.provider.get(scope, UserKey::Email(email)).await?;
    if !record.email.as_ref().is_some_and(|own| own.matches(email)) {
        return Err(another("email"));
    }
    user(tenant, record)
}

async fn by_customer(tenant: &Tenant, scope: &CallScope, customer: CustomerId) -> Result<Answer> {
    match tenant.provider.get(scope, UserKey::Customer(&customer)).await {
        Ok(record) if record.customer == Customer::Several || record.customer.is(&customer) => user(tenant, record),
        Ok(_) => Err(another("customer")),
        Err(error) if error.kind() == ErrorKind::NotFound => own_customer(tenant, scope, &customer, error).await,
        Err(error) => Err(error),
    }
}

/// The user that is its own customer under `use_id`: the one with this id, if it has no customer.
async fn own_customer(tenant: &Tenant, scope: &CallScope, customer: &CustomerId, none: Error) -> Result<Answer> {
    let possible = tenant.provider.capabilities().call(CallKind::GetById).is_possible();
    let Ok(id) = UserId::new(customer.as_str()) else {
        return Err(none);
    };
    if tenant.customer_missing == CustomerMissing::Reject || !possible {
        return Err(none);
    }
    match tenant.provider.get(scope, UserKey::Id(&id)).await {
        Ok(record) if record.id != id => Err(another("id")),
        Ok(record) if record.customer == Customer::Absent => user(tenant, record),
        Ok(_) => Err(none),
        // A customer need not look like an id of this identity provider.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Err(none),
        Err(error) => Err(error),
    }
}

/// An answer that must never reach the platform: it would act on another user.
fn another(key: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "the connector answered another user than the asked one")
        .with("asked_by", key)
}

fn user(tenant: &Tenant, record: UserRecord) -> Result<Answer> {
    let customer = match &record.customer {
        Customer::One(customer) => customer.clone(),
        Customer::Several => return Err(Error::upstream(ErrorKind::Ambiguous, "the user has several customers")),
        Customer::Unusable => return Err(Error::incomplete("customer")),
        Customer::Absent => own_id(tenant, &record.id).ok_or_else(|| Error::incomplete("customer"))?,
    };
    let email = record.email.clone().ok_or_else(|| Error::incomplete("email"))?;
    Ok(Answer::User(Box::new(User::from_record(record, tenant.id.clone(), customer, email))))
}

fn own_id(tenant: &Tenant, id: &UserId) -> Option<CustomerId> {
    match tenant.customer_missing {
        CustomerMissing::Reject => None,
        CustomerMissing::UseId => CustomerId::new(id.as_str()).ok(),
    }
}
