//! Dispatches a call to the tenant's provider, and turns each [`UserRecord`] into a [`User`].
//!
//! Applies the tenant's rule for a missing customer, and checks that the provider returned the requested user.

use bytes::Bytes;
use futures_util::FutureExt as _;
use idp_bridge_core::{
    Call, CallKind, CallScope, Customer, CustomerId, Deleted, Email, Error, ErrorKind, Outcome, Recorder, Result, User,
    UserId, UserKey, UserRecord,
};
use idp_bridge_protocol::answer::{DeleteAnswer, DoneAnswer, UserAnswer};

use crate::catch_panic::catch_panic;
use crate::response;
use crate::tenant::{CustomerMissing, Tenant};

pub use crate::error::Failure;

/// The result of a successful call.
#[derive(Debug)]
pub enum Answer {
    /// The requested user.
    User(Box<UserAnswer>),
    /// The user does not exist any more.
    Deleted(Deleted),
    /// The write was done.
    Done,
    /// A password reset for an address that gets no mail.
    ///
    /// The platform gets the response of [`Answer::Done`], since it forwards the call for people who are not logged
    /// in. The error is in the log, and its code in the audit.
    Concealed(Error),
}

impl Answer {
    /// Returns the error that the response conceals.
    pub(crate) fn concealed(&self) -> Option<&Error> {
        if let Self::Concealed(error) = self { Some(error) } else { None }
    }

    /// Returns the body of the response.
    pub(crate) fn to_body(&self) -> Bytes {
        match self {
            Self::User(answer) => response::to_json(answer),
            Self::Deleted(deleted) => response::to_json(&DeleteAnswer::from(*deleted)),
            Self::Done | Self::Concealed(_) => response::to_json(&DoneAnswer {}),
        }
    }
}

/// Makes a call within the deadline of its scope.
///
/// At the deadline the provider's future is dropped. The recorder outlives it, so the outcome is still known.
pub async fn call(tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer, Failure> {
    let kind = call.kind();
    with_deadline(scope, call_provider(tenant, call, scope)).await.map_err(|error| {
        let outcome = if kind.is_write() { scope.recorder().outcome() } else { Outcome::NotApplied };
        Failure { error, outcome }
    })
}

/// Returns the result of a provider's future, or an error if it exceeds the deadline or panics.
pub(crate) fn with_deadline<T>(
    scope: &CallScope,
    future: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let late = || Error::ours(ErrorKind::Timeout, "the identity provider did not answer in time");
    let panicked = || Error::ours(ErrorKind::Unexpected, "the connector panicked");
    tokio::time::timeout_at(scope.deadline().into(), catch_panic(future)).map(move |result| match result {
        Ok(caught) => caught.unwrap_or_else(|_| Err(panicked())),
        Err(_) => Err(late()),
    })
}

async fn call_provider(tenant: &Tenant, call: Call, scope: &CallScope) -> Result<Answer> {
    let provider = &tenant.provider;
    provider.capabilities().require(call.kind())?;
    match call {
        Call::GetById(id) => get_by_id(tenant, scope, &id).await,
        Call::GetByEmail(email) => get_by_email(tenant, scope, &email).await,
        Call::GetByCustomer(customer) => get_by_customer(tenant, scope, customer).await,
        Call::Delete(id) => provider.delete(scope, &id).await.map(Answer::Deleted),
        Call::MarkEmailVerified { id, email } => {
            provider.mark_email_verified(scope, &id, email.as_ref()).await.map(|()| Answer::Done)
        }
        Call::SendVerificationEmail(id) => provider.send_verification_email(scope, &id).await.map(|()| Answer::Done),
        Call::SendPasswordResetEmail(email) => {
            let result = provider.send_password_reset_email(scope, &email).await;
            result.map(|()| Answer::Done).or_else(|error| conceal(error, scope.recorder()))
        }
    }
}

/// Conceals errors that depend on the address.
///
/// A rate limit of the look-up applies to the whole tenant, a rate limit of the mail to the address.
fn conceal(error: Error, recorder: &Recorder) -> Result<Answer> {
    use ErrorKind::{Ambiguous, Incomplete, NotFound, RateLimited, State};
    match error.kind() {
        NotFound | Ambiguous | Incomplete | State => Ok(Answer::Concealed(error)),
        RateLimited if recorder.has_written() => Ok(Answer::Concealed(error)),
        _ => Err(error),
    }
}

async fn get_by_id(tenant: &Tenant, scope: &CallScope, id: &UserId) -> Result<Answer> {
    let record = tenant.provider.get(scope, UserKey::Id(id)).await?;
    if record.id != *id {
        return Err(wrong_user("id"));
    }
    to_answer(tenant, record)
}

async fn get_by_email(tenant: &Tenant, scope: &CallScope, email: &Email) -> Result<Answer> {
    let record = tenant.provider.get(scope, UserKey::Email(email)).await?;
    if !record.email.as_ref().is_some_and(|own| own.matches(email)) {
        return Err(wrong_user("email"));
    }
    to_answer(tenant, record)
}

async fn get_by_customer(tenant: &Tenant, scope: &CallScope, customer: CustomerId) -> Result<Answer> {
    match tenant.provider.get(scope, UserKey::Customer(&customer)).await {
        Ok(record) if record.customer == Customer::Several || record.customer.is(&customer) => {
            to_answer(tenant, record)
        }
        Ok(_) => Err(wrong_user("customer")),
        Err(error) if error.kind() == ErrorKind::NotFound => get_own_customer(tenant, scope, &customer, error).await,
        Err(error) => Err(error),
    }
}

/// Returns the user with this id if the user has no customer and the rule is `use_id`, or else the given error.
async fn get_own_customer(
    tenant: &Tenant,
    scope: &CallScope,
    customer: &CustomerId,
    not_found: Error,
) -> Result<Answer> {
    let can_get = tenant.provider.capabilities().call(CallKind::GetById).is_possible();
    let Ok(id) = UserId::new(customer.as_str()) else {
        return Err(not_found);
    };
    if tenant.customer_missing == CustomerMissing::Reject || !can_get {
        return Err(not_found);
    }
    match tenant.provider.get(scope, UserKey::Id(&id)).await {
        Ok(record) if record.id != id => Err(wrong_user("id")),
        Ok(record) if record.customer == Customer::Absent => to_answer(tenant, record),
        Ok(_) => Err(not_found),
        // A customer does not have to be a valid id of this identity provider.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Err(not_found),
        Err(error) => Err(error),
    }
}

/// Returns the error for a user who does not have the requested key. The platform would act on the wrong user.
fn wrong_user(key: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "the connector returned another user than the requested one")
        .with("asked_by", key)
}

fn to_answer(tenant: &Tenant, mut record: UserRecord) -> Result<Answer> {
    let customer = match std::mem::take(&mut record.customer) {
        Customer::One(customer) => customer,
        Customer::Several => return Err(Error::upstream(ErrorKind::Ambiguous, "the user has several customers")),
        Customer::Unusable => return Err(Error::incomplete("customer")),
        Customer::Absent => tenant.own_customer(&record.id).ok_or_else(|| Error::incomplete("customer"))?,
    };
    let email = record.email.take().ok_or_else(|| Error::incomplete("email"))?;
    let user = User::from_record(record, tenant.id.clone(), customer, email);
    Ok(Answer::User(Box::new(UserAnswer { user })))
}
