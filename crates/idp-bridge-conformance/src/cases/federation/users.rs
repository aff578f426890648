//! What a good token says: whose it is, and who lets it live.

use std::time::Duration;

use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{Call, CallKind, Clock as _, Customer, ErrorKind, SystemClock, TokenIdentity, TokenUser};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ends_access_tokens, oauth};
use crate::bullet::{identify, oauth as every, validate};
use crate::case::Case;
use crate::fault::{Fault, When};
use crate::login::Login;
use crate::scene::{Person, Provider, Scene, ample, ensure, scope};
use crate::{Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    vec![
        oauth("federation_users::each_login_gives_its_own_user", &[validate::USER], own_user),
        oauth("federation_users::tokens_shown_at_the_same_time_give_each_its_own_user", &[validate::USER], at_once),
        oauth("federation_users::a_token_gives_the_id_that_a_get_takes", &[validate::USER], same_id)
            .calls(&[CallKind::GetById]),
        oauth("federation_users::a_signed_token_is_judged_without_a_request", &[identify::BY_ITSELF], by_itself)
            .needs(&[Need::Upstream, Need::SignedToken]),
        oauth("federation_users::validation_costs_one_request", &[validate::COST], one_request)
            .needs(&[Need::Upstream]),
        oauth(
            "federation_users::an_expired_token_is_told_and_not_validated",
            &[identify::EXPIRED, validate::BAD],
            expired,
        )
        .needs(&[Need::ExpiredLogin]),
        oauth("federation_users::the_customer_is_the_users_own", &[validate::CUSTOMER], customers),
        oauth("federation_users::a_user_without_a_customer_has_none", &[validate::CUSTOMER], no_customer)
            .needs(&[Need::NoCustomer]),
        oauth("federation_users::several_customers_are_told_apart_from_one", &[validate::CUSTOMER], several_customers)
            .needs(&[Need::SeveralCustomers]),
        oauth("federation_users::only_the_claim_says_the_customer", &[validate::CUSTOMER], other_claim)
            .needs(&[Need::ClaimValue]),
        oauth("federation_users::a_strange_claim_is_no_customer", &[validate::CUSTOMER], strange_claims)
            .needs(&[Need::ClaimValue]),
        oauth("federation_users::a_blocked_user_has_no_good_token", &[validate::ENDED], blocked)
            .needs(&[Need::BlockedLogin]),
        oauth("federation_users::a_deleted_user_has_no_good_token", &[validate::ENDED], deleted)
            .needs(&[Need::DeletedLogin]),
        oauth("federation_users::the_end_of_a_session_ends_its_token", &[validate::ENDED], ended)
            .promised(ends_access_tokens)
            .needs(&[Need::EndLogin]),
        // Only a token that says itself whose it is can disagree with an answer.
        oauth("federation_users::the_answer_about_another_token_is_no_answer", &[validate::USER], other_answer)
            .needs(&[Need::Upstream, Need::SignedToken]),
        oauth("federation_users::what_is_late_at_once_is_a_timeout", &[every::DEADLINE], late_at_once),
    ]
}

/// That a login was told to be this person's, of the client that it was made with, just now.
fn is(identity: &TokenIdentity, person: &Person, scene: &Scene) -> Staged<()> {
    ensure!(identity.subject == person.id, "the token was taken for another user's");
    let client = scene.client()?;
    let own = identity.client.as_ref().is_none_or(|told| *told == client);
    ensure!(own, "the token was taken for another client's: {:?}", identity.client);
    let now = SystemClock.now();
    let near = |time: Timestamp, most: i64| time.duration_since(now).abs() <= SignedDuration::from_secs(most);
    ensure!(
        identity.issued_at.is_none_or(|time| near(time, 300)),
        "it was issued just now, not at {:?}",
        identity.issued_at
    );
    let alive = identity.expires_at.is_none_or(|time| time > now && near(time, 32 * 24 * 3600));
    ensure!(alive, "it lives, and is told to end at {:?}", identity.expires_at);
    Ok(())
}

fn is_signed(scene: &Scene) -> bool {
    scene.harness().not_applicable(Need::SignedToken).is_none()
}

async fn own_user(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let again = scene.log_in_again(&ada.person).await?;
    let provider = scene.provider().await?;
    let mut sessions = Vec::new();
    for login in [&grace, &ada, &again] {
        let identity = provider.identify(&login.tokens.access).await?.good()?;
        is(&identity, &login.person, &scene)?;
        if is_signed(&scene) {
            let whole = identity.client.is_some() && identity.expires_at.is_some() && identity.issued_at.is_some();
            ensure!(whole, "a signed token says its client and its time: {identity:?}");
        }
        let user = provider.validate(&login.tokens.access).await?.good()?;
        is(&user.identity, &login.person, &scene)?;
        let same = user.identity.session.is_none() || user.identity.session == identity.session;
        ensure!(same, "one token was told to be of two sessions");
        is_record_of(&user, &login.person)?;
        sessions.extend(identity.session);
    }
    sessions.sort();
    sessions.dedup();
    ensure!(sessions.is_empty() || sessions.len() == 3, "three logins were told to be of {} sessions", sessions.len());
    Ok(())
}

/// That what else is told of the user is this person's.
fn is_record_of(user: &TokenUser, person: &Person) -> Staged<()> {
    ensure!(user.email.as_ref().is_none_or(|email| email.matches(&person.email)), "the address is another one");
    ensure!(user.email_verified != Some(false), "the address is proven, and was told not to be");
    ensure!(user.record.as_ref().is_none_or(|record| record.id == person.id), "the record is another user's");
    Ok(())
}

async fn at_once(scene: Scene) -> Staged<()> {
    let mut logins = Vec::new();
    for name in ["ada", "grace", "linus", "mallory"] {
        logins.push(scene.log_in(name).await?);
    }
    let provider = scene.provider().await?;
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

async fn same_id(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    let subject = provider.validate(&ada.tokens.access).await?.good()?.identity.subject;
    let user = provider.ask(Call::GetById(subject)).await?.user()?;
    ensure!(user.id == ada.person.id, "the token's subject is another user's id");
    Ok(())
}

async fn by_itself(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied().await?;
    provider.identify(&ada.tokens.access).await?.good()?;
    let keys = proxy.requests();
    ensure!(keys > 0, "no request for the keys arrived at the base URL that the provider was given");
    for login in [&grace, &ada] {
        let told = provider.identify(&login.tokens.access).await?;
        told.asked_nothing()?;
        is(&told.good()?, &login.person, &scene)?;
    }
    ensure!(proxy.requests() == keys, "the keys were known, and yet {} requests were made", proxy.requests() - keys);
    Ok(())
}

async fn one_request(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied_and_known(&ada).await?;
    for login in [&grace, &ada] {
        proxy.forget();
        let told = provider.validate(&login.tokens.access).await?;
        let recorded = told.recorder.requests();
        told.good()?;
        ensure!(proxy.requests() == 1, "a validation cost {} requests: {:?}", proxy.requests(), proxy.paths());
        ensure!(recorded == 1, "a validation cost one request, and {recorded} were recorded");
    }
    Ok(())
}

async fn expired(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let login = scene.log_in_with(&ada, |sign_in| sign_in.expired = true).await?;
    let provider = scene.provider().await?;
    let identity = provider.identify(&login.tokens.access).await?.good()?;
    ensure!(identity.subject == ada.id, "the token was taken for another user's");
    ensure!(
        identity.expires_at.is_none_or(|end| end <= SystemClock.now()),
        "the token has expired, and is told to live"
    );
    provider.validate(&login.tokens.access).await?.refuses()
}

async fn customer_of(provider: &Provider<'_>, login: &Login) -> Staged<Customer> {
    Ok(provider.validate(&login.tokens.access).await?.good()?.customer)
}

async fn customers(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let provider = scene.provider().await?;
    for login in [&ada, &grace] {
        let customer = customer_of(&provider, login).await?;
        ensure!(customer.is(&login.person.customer), "the customer is not the user's: {customer:?}");
    }
    Ok(())
}

async fn no_customer(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |user| user.customers.clear()).await?;
    let login = scene.log_in_again(&ada).await?;
    let customer = customer_of(&scene.provider().await?, &login).await?;
    ensure!(customer == Customer::Absent, "the user has no customer, and {customer:?} was told");
    Ok(())
}

async fn several_customers(scene: Scene) -> Staged<()> {
    let other = scene.customer("other")?;
    let ada = scene.resident("ada", |user| user.customers.push(other)).await?;
    let login = scene.log_in_again(&ada).await?;
    let customer = customer_of(&scene.provider().await?, &login).await?;
    ensure!(customer == Customer::Several, "two customers were told as {customer:?}");
    Ok(())
}

async fn with_claim(scene: &Scene, person: &Person, claim: Value) -> Staged<Login> {
    scene.log_in_with(person, |sign_in| sign_in.customer_claim = Some(claim)).await
}

async fn other_claim(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let claimed = scene.customer("claimed")?;
    let provider = scene.provider().await?;
    for claim in [json!(claimed.as_str()), json!([claimed.as_str()])] {
        let login = with_claim(&scene, &ada, claim).await?;
        let customer = customer_of(&provider, &login).await?;
        ensure!(customer.is(&claimed), "the claim says something else than {customer:?}");
    }
    for claim in [Value::Null, json!([])] {
        let login = with_claim(&scene, &ada, claim).await?;
        let customer = customer_of(&provider, &login).await?;
        ensure!(customer == Customer::Absent, "the claim says nothing, and the customer is {customer:?}");
    }
    Ok(())
}

/// Claims that are one customer by no means.
async fn strange_claims(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let provider = scene.provider().await?;
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
        let login = with_claim(&scene, &ada, claim.clone()).await?;
        let shown: String = claim.to_string().chars().take(60).collect();
        let told = provider.validate(&login.tokens.access).await?.result;
        match told {
            Ok(user) => {
                let single = matches!(user.customer, Customer::One(_));
                ensure!(!single, "the claim `{shown}` was taken for one customer");
            }
            Err(error) => {
                let kind = error.kind();
                ensure!(kind == ErrorKind::InvalidResponse, "the claim `{shown}` makes the token {kind:?}: {error}");
            }
        }
    }
    Ok(())
}

async fn blocked(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let provider = scene.provider().await?;
    provider.validate(&ada.tokens.access).await?.good()?;
    scene.oauth()?.block(&ada.person.id).await?;
    provider.validate(&ada.tokens.access).await?.refuses()?;
    provider.validate(&grace.tokens.access).await?.good().map(drop)
}

async fn deleted(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let provider = scene.provider().await?;
    provider.validate(&ada.tokens.access).await?.good()?;
    scene.oauth()?.delete(&ada.person.id).await?;
    provider.validate(&ada.tokens.access).await?.refuses()?;
    provider.validate(&grace.tokens.access).await?.good().map(drop)
}

async fn ended(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let other = scene.log_in_again(&ada.person).await?;
    let provider = scene.provider().await?;
    provider.validate(&ada.tokens.access).await?.good()?;
    scene.oauth()?.end_login(&ada.tokens).await?;
    provider.validate(&ada.tokens.access).await?.refuses()?;
    provider.validate(&other.tokens.access).await?.good().map(drop)
}

/// The identity provider, or something before it, answers about one token what is true of another.
async fn other_answer(scene: Scene) -> Staged<()> {
    let (ada, grace, linus) = (scene.log_in("ada").await?, scene.log_in("grace").await?, scene.log_in("linus").await?);
    let (proxy, provider) = scene.proxied_and_known(&linus).await?;
    proxy.record();
    provider.validate(&grace.tokens.access).await?.good()?;
    proxy.fail(Fault::Replay, When::Always);
    let told = provider.validate(&ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request of the validation arrived");
    told.fails(&[ErrorKind::InvalidResponse, ErrorKind::InvalidToken])?;
    Ok(())
}

async fn late_at_once(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    provider.validate_in(&scope(Duration::ZERO), &ada.tokens.access).await?.fails(&[ErrorKind::Timeout])?;
    provider.validate(&ada.tokens.access).await?.good().map(drop)
}
