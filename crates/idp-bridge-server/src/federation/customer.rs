//! Which customer a token's user belongs to: what the claim says, what the identity provider says of the user, and which
//! of them wins.

use idp_bridge_core::{
    CallKind, CallScope, Customer, CustomerId, Email, Error, ErrorKind, Result, TokenUser, UserId, UserRecord,
};

use super::federated::Federated;
use crate::tenant::{CustomerFrom, CustomerMissing};

const DIFFERS: &str = "the claim and the user name different customers";
const SEVERAL: &str = "the user has several customers: none is answered";

/// What is answered of a user, beside whose token it is.
pub(super) struct Belonging {
    pub(super) customer: Option<CustomerId>,
    pub(super) email: Option<Email>,
    pub(super) email_verified: Option<bool>,
    /// What the operator should know.
    pub(super) note: Option<&'static str>,
}

/// Finds out whom the user belongs to. Without a customer in the claim, or if it is to be compared, this costs a request.
pub(super) async fn of(federated: &Federated<'_>, scope: &CallScope, user: &TokenUser) -> Result<Belonging> {
    let id = &user.identity.subject;
    let rule = federated.rules.customer;
    let record = match &user.record {
        Some(record) => Some(record.clone()),
        None if rule == CustomerFrom::Claim && user.customer != Customer::Absent => None,
        None => read(federated, scope, id).await?,
    };
    if let Some(record) = &record {
        refuse_wrong(record, id)?;
    }
    let (customer, differs) = choose(rule, &user.customer, record.as_ref());
    let several = *customer == Customer::Several;
    let customer = match customer {
        Customer::One(customer) => Some(customer.clone()),
        Customer::Several => None,
        Customer::Unusable => return Err(Error::incomplete("customer")),
        Customer::Absent => Some(own_id(federated, id).ok_or_else(|| Error::incomplete("customer"))?),
    };
    let note = if several { Some(SEVERAL) } else { differs.then_some(DIFFERS) };
    let (email, email_verified) = address(user, record.as_ref());
    Ok(Belonging { customer, email, email_verified, note })
}

/// The customer that wins, and whether another one was named.
fn choose<'a>(rule: CustomerFrom, claim: &'a Customer, record: Option<&'a UserRecord>) -> (&'a Customer, bool) {
    let Some(own) = record.map(|record| &record.customer) else {
        // The identity provider cannot be asked for the user, so nothing can win over the claim but its absence.
        let wins = if rule == CustomerFrom::User { &Customer::Absent } else { claim };
        return (wins, false);
    };
    match (rule, claim) {
        (_, Customer::Absent) => (own, false),
        (CustomerFrom::User, _) => (own, claim != own),
        (CustomerFrom::ClaimCompared, _) => (claim, claim != own),
        (CustomerFrom::Claim, _) => (claim, false),
    }
}

/// The user as a get by id finds it; none if this identity provider has no such call.
async fn read(federated: &Federated<'_>, scope: &CallScope, id: &UserId) -> Result<Option<UserRecord>> {
    let provider = &federated.tenant.provider;
    if !provider.capabilities().call(CallKind::GetById).is_possible() {
        return Ok(None);
    }
    match provider.get_for_userinfo(scope, id).await {
        Ok(record) => Ok(Some(record)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::invalid_token("the token's user is gone").with_source(error))
        }
        Err(error) => Err(error),
    }
}

fn refuse_wrong(record: &UserRecord, id: &UserId) -> Result<()> {
    if record.id != *id {
        let message = "the connector answered another user than the token's";
        return Err(Error::upstream(ErrorKind::InvalidResponse, message));
    }
    if record.blocked == Some(true) {
        return Err(Error::invalid_token("the token's user is blocked"));
    }
    Ok(())
}

/// The address and its proof, both of one source.
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

fn own_id(federated: &Federated<'_>, id: &UserId) -> Option<CustomerId> {
    match federated.tenant.customer_missing {
        CustomerMissing::Reject => None,
        CustomerMissing::UseId => CustomerId::new(id.as_str()).ok(),
    }
}
