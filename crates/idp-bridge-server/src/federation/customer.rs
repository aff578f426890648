//! Resolves the customer of a token's user from the claim and the user at the identity provider.

use idp_bridge_core::{
    CallKind, CallScope, Customer, CustomerId, Email, Error, ErrorKind, Result, TokenUser, UserId, UserRecord,
};

use super::federated::Federated;
use crate::tenant::CustomerFrom;

const DIFFERS: &str = "the claim and the user name different customers";
const SEVERAL: &str = "the user has several customers: the response contains none";

/// The customer and the email of a token's user.
pub(super) struct ResolvedUser {
    pub(super) customer: Option<CustomerId>,
    pub(super) email: Option<Email>,
    pub(super) email_verified: Option<bool>,
    /// A warning for the operator.
    pub(super) note: Option<&'static str>,
}

/// Resolves the customer of a user. Reads the user unless the claim suffices.
pub(super) async fn resolve(federated: &Federated<'_>, scope: &CallScope, user: &TokenUser) -> Result<ResolvedUser> {
    let id = &user.identity.subject;
    let rule = federated.rules.customer;
    let record = match &user.record {
        Some(record) => Some(record.clone()),
        None if rule == CustomerFrom::Claim && user.customer != Customer::Absent => None,
        None => read(federated, scope, id).await?,
    };
    if let Some(record) = &record {
        check_user(record, id)?;
    }
    let (customer, differs) = choose(rule, &user.customer, record.as_ref());
    let several = *customer == Customer::Several;
    let customer = match customer {
        Customer::One(customer) => Some(customer.clone()),
        Customer::Several => None,
        Customer::Unusable => return Err(Error::incomplete("customer")),
        Customer::Absent => Some(federated.tenant.own_customer(id).ok_or_else(|| Error::incomplete("customer"))?),
    };
    let note = if several { Some(SEVERAL) } else { differs.then_some(DIFFERS) };
    let (email, email_verified) = address(user, record.as_ref());
    Ok(ResolvedUser { customer, email, email_verified, note })
}

/// Returns the customer by the tenant's rule, and whether claim and user differ.
fn choose<'a>(rule: CustomerFrom, claim: &'a Customer, record: Option<&'a UserRecord>) -> (&'a Customer, bool) {
    let Some(own) = record.map(|record| &record.customer) else {
        // The user cannot be read, so the claim is the only source.
        let customer = if rule == CustomerFrom::User { &Customer::Absent } else { claim };
        return (customer, false);
    };
    match (rule, claim) {
        (_, Customer::Absent) => (own, false),
        (CustomerFrom::User, _) => (own, claim != own),
        (CustomerFrom::ClaimCompared, _) => (claim, claim != own),
        (CustomerFrom::Claim, _) => (claim, false),
    }
}

/// Reads the user. Returns `None` if the identity provider has no get by id.
async fn read(federated: &Federated<'_>, scope: &CallScope, id: &UserId) -> Result<Option<UserRecord>> {
    let provider = &federated.tenant.provider;
    if !provider.capabilities().call(CallKind::GetById).is_possible() {
        return Ok(None);
    }
    match provider.get_for_userinfo(scope, id).await {
        Ok(record) => Ok(Some(record)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::invalid_token("the token's user does not exist").with_source(error))
        }
        Err(error) => Err(error),
    }
}

/// Checks that the record belongs to the token's user, who is not blocked.
fn check_user(record: &UserRecord, id: &UserId) -> Result<()> {
    if record.id != *id {
        let message = "the connector returned another user than the token's";
        return Err(Error::upstream(ErrorKind::InvalidResponse, message));
    }
    if record.blocked == Some(true) {
        return Err(Error::invalid_token("the token's user is blocked"));
    }
    Ok(())
}

/// Returns the email and whether it is verified, both from one source.
fn address(user: &TokenUser, record: Option<&UserRecord>) -> (Option<Email>, Option<bool>) {
    let own = record.and_then(|record| record.email.as_ref().map(|email| (email, record.email_verified)));
    match (&user.email, own) {
        (None, Some((email, verified))) => (Some(email.clone()), verified),
        (Some(email), Some((own, verified))) if user.email_verified.is_none() && own.matches(email) => {
            (Some(email.clone()), verified)
        }
        (Some(email), _) => (Some(email.clone()), user.email_verified),
        (None, None) => (None, None),
    }
}
