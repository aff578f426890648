//! Users of valid tokens, and tokens of ended logins.

use std::time::Duration;

use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{
    Call, CallKind, Clock as _, Customer, CustomerId, ErrorKind, SystemClock, TokenIdentity, TokenUser,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ends_access_tokens, oauth};
use crate::bullet::{identify, oauth as every, validate};
use crate::case::Case;
use crate::context::{CaseContext, Person, Provider, ample, ensure, scope};
use crate::fault::{Fault, When};
use crate::login::Login;
use crate::{Need, NewUser, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let end = |name: &str, end: Need| oauth(name, &[validate::ENDED], move |context| ended(context, end)).needs(&[end]);
    vec![
        oauth("federation_users::each_login_has_its_own_user", &[validate::USER], own_user),
        oauth("federation_users::concurrent_tokens_have_their_own_users", &[validate::USER], at_once),
        oauth("federation_users::the_subject_is_the_id_of_a_get", &[validate::USER], same_id)
            .calls(&[CallKind::GetById]),
        oauth("federation_users::a_signed_token_is_identified_without_a_request", &[identify::BY_ITSELF], by_itself)
            .needs(&[Need::Upstream, Need::SignedToken]),
        oauth("federation_users::validation_costs_one_request", &[validate::COST], one_request)
            .needs(&[Need::Upstream]),
        oauth(
            "federation_users::an_expired_token_is_identified_and_not_validated",
            &[identify::EXPIRED, validate::BAD],
            expired,
        )
        .needs(&[Need::ExpiredLogin]),
        oauth("federation_users::the_customer_is_the_users_own", &[validate::CUSTOMER], customers),
        oauth("federation_users::a_user_without_a_customer_has_none", &[validate::CUSTOMER], |context| {
            shaped(context, |user| user.customers.clear(), Customer::Absent)
        })
        .needs(&[Need::NoCustomer]),
        oauth("federation_users::several_customers_are_not_one", &[validate::CUSTOMER], |context| {
            shaped(context, |user| user.customers.extend(CustomerId::new("cust-other")), Customer::Several)
        })
        .needs(&[Need::SeveralCustomers]),
        oauth("federation_users::the_customer_comes_from_the_claim", &[validate::CUSTOMER], other_claim)
            .needs(&[Need::ClaimValue]),
        oauth("federation_users::an_unusable_claim_is_not_a_customer", &[validate::CUSTOMER], strange_claims)
            .needs(&[Need::ClaimValue]),
        end("federation_users::a_blocked_user_has_no_valid_token", Need::BlockedLogin),
        end("federation_users::a_deleted_user_has_no_valid_token", Need::DeletedLogin),
        end("federation_users::the_end_of_a_session_ends_its_token", Need::EndLogin).requires(ends_access_tokens),
        // Only a signed token can disagree with a response.
        oauth("federation_users::a_response_about_another_token_is_an_error", &[validate::USER], other_answer)
            .needs(&[Need::Upstream, Need::SignedToken]),
        oauth("federation_users::a_validation_without_time_left_is_a_timeout", &[every::DEADLINE], late_at_once),
    ]
}

/// Checks the user, the client and the times of an identity.
fn check_identity(identity: &TokenIdentity, person: &Person, context: &CaseContext) -> TestResult<()> {
    ensure!(identity.subject == person.id, "the token identified another user");
    let client = context.client()?;
    let is_own = identity.client.as_ref().is_none_or(|other| *other == client);
    ensure!(is_own, "the token identified another client: {:?}", identity.client);
    let now = SystemClock.now();
    let near = |time: Timestamp, most: i64| time.duration_since(now).abs() <= SignedDuration::from_secs(most);
    ensure!(
        identity.issued_at.is_none_or(|time| near(time, 300)),
        "the token was issued just now, not at {:?}",
        identity.issued_at
    );
    let alive = identity.expires_at.is_none_or(|time| time > now && near(time, 32 * 24 * 3600));
    ensure!(alive, "the token is valid, but its expiry is {:?}", identity.expires_at);
    Ok(())
}

fn is_signed(context: &CaseContext) -> bool {
    context.harness().not_applicable(Need::SignedToken).is_none()
}

async fn own_user(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let again = context.log_in_again(&ada.person).await?;
    let provider = context.provider().await?;
    let mut sessions = Vec::new();
    for login in [&grace, &ada, &again] {
        let identity = provider.identify(&login.tokens.access).await?.succeeds()?;
        check_identity(&identity, &login.person, &context)?;
        if is_signed(&context) {
            let whole = identity.client.is_some() && identity.expires_at.is_some() && identity.issued_at.is_some();
            ensure!(whole, "a signed token should give its client and times: {identity:?}");
        }
        let user = provider.validate(&login.tokens.access).await?.succeeds()?;
        check_identity(&user.identity, &login.person, &context)?;
        let same = user.identity.session.is_none() || user.identity.session == identity.session;
        ensure!(same, "one token identified two sessions");
        check_email_and_record(&user, &login.person)?;
        sessions.extend(identity.session);
    }
    sessions.sort();
    sessions.dedup();
    ensure!(sessions.is_empty() || sessions.len() == 3, "three logins identified {} sessions", sessions.len());
    Ok(())
}

/// Checks that the email and the record are this person's.
fn check_email_and_record(user: &TokenUser, person: &Person) -> TestResult<()> {
    ensure!(user.email.as_ref().is_none_or(|email| email.matches(&person.email)), "the address is another one");
    ensure!(user.email_verified != Some(false), "the address is verified, but `email_verified` is false");
    ensure!(user.record.as_ref().is_none_or(|record| record.id == person.id), "the record is another user's");
    Ok(())
}

async fn at_once(context: CaseContext) -> TestResult<()> {
    let mut logins = Vec::new();
    for name in ["ada", "grace", "linus", "mallory"] {
        logins.push(context.log_in(name).await?);
    }
    let provider = context.provider().await?;
    let mut calls = JoinSet::new();
    for login in logins.into_iter().cycle().take(16) {
        let provider = provider.handle();
        calls.spawn(async move {
            let federation = provider.federation()?;
            Some(
                federation
                    .validate(&ample(), &login.tokens.access)
                    .await
                    .map(|user| user.identity.subject == login.person.id),
            )
        });
    }
    while let Some(ended) = calls.join_next().await {
        let own = ended?.ok_or("the provider has no federation")??;
        ensure!(own, "a token was taken for another user's");
    }
    Ok(())
}

async fn same_id(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    let subject = provider.validate(&ada.tokens.access).await?.succeeds()?.identity.subject;
    let user = provider.run(Call::GetById(subject)).await?.user()?;
    ensure!(user.id == ada.person.id, "the token's subject is another user's id");
    Ok(())
}

async fn by_itself(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied().await?;
    provider.identify(&ada.tokens.access).await?.succeeds()?;
    let keys = proxy.requests();
    ensure!(keys > 0, "no request for the keys arrived at the base URL that the provider was given");
    for login in [&grace, &ada] {
        let answer = provider.identify(&login.tokens.access).await?;
        answer.makes_no_request()?;
        check_identity(&answer.succeeds()?, &login.person, &context)?;
    }
    ensure!(proxy.requests() == keys, "the keys were cached, but {} requests were made", proxy.requests() - keys);
    Ok(())
}

async fn one_request(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied_and_known(&ada).await?;
    for login in [&grace, &ada] {
        proxy.reset_counts();
        let answer = provider.validate(&login.tokens.access).await?;
        let recorded = answer.recorder.requests();
        answer.succeeds()?;
        ensure!(proxy.requests() == 1, "a validation made {} requests: {:?}", proxy.requests(), proxy.paths());
        ensure!(recorded == 1, "a validation made one request, but {recorded} were recorded");
    }
    Ok(())
}

async fn expired(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let login = context.log_in_with(&ada, |sign_in| sign_in.expired = true).await?;
    let provider = context.provider().await?;
    let identity = provider.identify(&login.tokens.access).await?.succeeds()?;
    ensure!(identity.subject == ada.id, "the token identified another user");
    ensure!(
        identity.expires_at.is_none_or(|end| end <= SystemClock.now()),
        "the token has expired, but its expiry is in the future"
    );
    provider.validate(&login.tokens.access).await?.rejects_token()
}

async fn customer_of(provider: &Provider<'_>, login: &Login) -> TestResult<Customer> {
    Ok(provider.validate(&login.tokens.access).await?.succeeds()?.customer)
}

async fn customers(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let provider = context.provider().await?;
    for login in [&ada, &grace] {
        let customer = customer_of(&provider, login).await?;
        ensure!(customer.is(&login.person.customer), "the customer is not the user's: {customer:?}");
    }
    Ok(())
}

/// Checks the customer of a user that `shape` changed.
async fn shaped(context: CaseContext, shape: fn(&mut NewUser), expected: Customer) -> TestResult<()> {
    let ada = context.person_with_password("ada", shape).await?;
    let login = context.log_in_again(&ada).await?;
    let customer = customer_of(&context.provider().await?, &login).await?;
    ensure!(customer == expected, "the customer should be {expected:?}, not {customer:?}");
    Ok(())
}

async fn with_claim(context: &CaseContext, person: &Person, claim: Value) -> TestResult<Login> {
    context.log_in_with(person, |sign_in| sign_in.customer_claim = Some(claim)).await
}

async fn other_claim(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let claimed = context.customer("claimed")?;
    let provider = context.provider().await?;
    for claim in [json!(claimed.as_str()), json!([claimed.as_str()])] {
        let login = with_claim(&context, &ada, claim).await?;
        let customer = customer_of(&provider, &login).await?;
        ensure!(customer.is(&claimed), "the customer should be the claim's, not {customer:?}");
    }
    for claim in [Value::Null, json!([])] {
        let login = with_claim(&context, &ada, claim).await?;
        let customer = customer_of(&provider, &login).await?;
        ensure!(customer == Customer::Absent, "the claim is empty, but the customer is {customer:?}");
    }
    Ok(())
}

/// Claims that are not exactly one customer.
async fn strange_claims(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let provider = context.provider().await?;
    let own = ada.customer.as_str();
    for claim in [
        json!(""),
        json!("."),
        json!("a\nb"),
        json!("a\u{0}b"),
        json!("x".repeat(257)),
        json!("x".repeat(4000)),
        json!(true),
        json!({"id": own}),
        json!({own: own}),
        json!([own, "other"]),
        json!([own, 7]),
        json!([own, own]),
        json!([[own]]),
        json!([{"id": own}]),
        json!([""]),
        json!(vec![own; 100]),
    ] {
        let login = with_claim(&context, &ada, claim.clone()).await?;
        let shown: String = claim.to_string().chars().take(60).collect();
        let answer = provider.validate(&login.tokens.access).await?.result;
        match answer {
            Ok(user) => {
                let single = matches!(user.customer, Customer::One(_));
                ensure!(!single, "the claim `{shown}` was converted to one customer");
            }
            Err(error) => {
                let kind = error.kind();
                ensure!(kind == ErrorKind::InvalidResponse, "the claim `{shown}` makes the token {kind:?}: {error}");
            }
        }
    }
    Ok(())
}

/// Blocks or deletes a user, or ends one login, and checks that only the token of that login becomes invalid.
async fn ended(context: CaseContext, end: Need) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let other =
        if end == Need::EndLogin { context.log_in_again(&ada.person).await? } else { context.log_in("grace").await? };
    let provider = context.provider().await?;
    provider.validate(&ada.tokens.access).await?.succeeds()?;
    match end {
        Need::DeletedLogin => context.oauth()?.delete(&ada.person.id).await?,
        Need::BlockedLogin => context.oauth()?.block(&ada.person.id).await?,
        _ => drop(context.oauth()?.end_login(&ada.tokens).await?),
    }
    provider.validate(&ada.tokens.access).await?.rejects_token()?;
    provider.validate(&other.tokens.access).await?.succeeds().map(drop)
}

/// The response for one token is about another.
async fn other_answer(context: CaseContext) -> TestResult<()> {
    let (ada, grace, linus) =
        (context.log_in("ada").await?, context.log_in("grace").await?, context.log_in("linus").await?);
    let (proxy, provider) = context.proxied_and_known(&linus).await?;
    proxy.record();
    provider.validate(&grace.tokens.access).await?.succeeds()?;
    proxy.fail(Fault::Replay, When::Always);
    let answer = provider.validate(&ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request of the validation arrived");
    answer.fails(&[ErrorKind::InvalidResponse, ErrorKind::InvalidToken])?;
    Ok(())
}

async fn late_at_once(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    provider.validate_in(&scope(Duration::ZERO), &ada.tokens.access).await?.fails(&[ErrorKind::Timeout])?;
    provider.validate(&ada.tokens.access).await?.succeeds().map(drop)
}
