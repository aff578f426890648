//! What the OAuth side says when the identity provider is out of order: never that a token is bad, and never that all is well.

use std::time::Duration;

use idp_bridge_core::ErrorKind;

use super::logout::is_over;
use super::oauth;
use crate::bullet::{Bullet, log_out, oauth as every};
use crate::case::Case;
use crate::cases::faults::{BY_GATEWAY, DEADLINE, PATIENCE, Row, empty_rows, rows};
use crate::fault::{Fault, Gateway, When};
use crate::login::{Login, Shown};
use crate::proxy::Proxy;
use crate::scene::{Provider, Scene, ensure, scope};
use crate::{Need, Staged};

/// More requests than any logout makes.
const MANY: usize = 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let name = |row: &str, method: &str| format!("federation_outages::{row}/{method}");
    for Row { name: row, fault, kinds, .. } in rows().into_iter().chain(empty_rows()) {
        let (proves, first) = (promises(kinds), fault.clone());
        cases.push(oauth(name(row, "validate"), proves, move |scene| validate(scene, fault.clone(), kinds)));
        cases.push(
            oauth(name(row, "identify"), proves, move |scene| identify_at_first(scene, first.clone(), kinds))
                .needs(&[Need::SignedToken]),
        );
    }
    for Row { name: row, fault, kinds, .. } in rows().into_iter().filter(|row| !may_be_an_answer(&row.fault)) {
        cases.push(oauth(name(row, "log_out"), &[every::ONLY_BAD_TOKENS, log_out::EVERY_STEP], move |scene| {
            logs_out(scene, fault.clone(), kinds)
        }));
    }
    cases.extend([
        oauth(name("a_refused_connection_is_unavailable", "validate"), &[every::OUTAGE], refused),
        oauth("federation_outages::an_outage_in_any_step_of_a_logout_is_no_success", &[log_out::EVERY_STEP], |scene| {
            any_step(scene, Fault::Status(503), &[ErrorKind::Unavailable])
        }),
        oauth(
            "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_no_success",
            &[log_out::EVERY_STEP, every::ONLY_BAD_TOKENS],
            |scene| any_step(scene, Fault::Gateway(Gateway::Bare401), BY_GATEWAY),
        ),
        oauth(
            "federation_outages::a_wrong_client_secret_is_never_the_tokens_fault",
            &[every::ONLY_BAD_TOKENS],
            wrong_secret,
        )
        .needs(&[Need::WrongClientSecret]),
    ]);
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

fn promises(kinds: &[ErrorKind]) -> &'static [Bullet] {
    match kinds {
        [ErrorKind::Timeout] => &[every::DEADLINE, every::ONLY_BAD_TOKENS],
        _ => &[every::OUTAGE, every::ONLY_BAD_TOKENS, every::ERRORS_ARE_CLEAN],
    }
}

/// Whether it is a success with a body: to a revocation that is an answer, whatever the body says (RFC 7009, section 2.2).
fn may_be_an_answer(fault: &Fault) -> bool {
    matches!(fault, Fault::Body(_) | Fault::Oversized(_) | Fault::CutInAnswer | Fault::Slow)
}

/// How much time a call has that is to end with one of these.
fn time(kinds: &[ErrorKind]) -> Duration {
    if kinds.contains(&ErrorKind::Timeout) { PATIENCE } else { DEADLINE }
}

async fn validate(scene: Scene, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied_and_known(&grace).await?;
    proxy.fail(fault.clone(), When::Always);
    let told = provider.validate_in(&scope(time(kinds)), &ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request of the validation arrived: {told:?}");
    let error = told.fails(kinds)?;
    if matches!(fault, Fault::RateLimit("7")) {
        let wait = error.retry_after();
        ensure!(wait == Some(Duration::from_secs(7)), "`retry-after: 7` was read as {wait:?}");
    }
    ensure!(!proxy.was_followed(), "the redirect was followed");
    works_again(&proxy, &provider, &ada).await
}

/// After a fault the same provider works, at once.
async fn works_again(proxy: &Proxy, provider: &Provider<'_>, login: &Login) -> Staged<()> {
    proxy.heal();
    let user = provider.validate(&login.tokens.access).await?.good();
    let user = user.map_err(|error| format!("after the fault has ended: {error}"))?;
    ensure!(user.identity.subject == login.person.id, "after the fault has ended another user was told");
    Ok(())
}

/// The keys are not known yet, and cannot be had.
async fn identify_at_first(scene: Scene, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let (proxy, provider) = scene.proxied().await?;
    proxy.fail(fault, When::Always);
    let told = provider.identify_in(&scope(time(kinds)), &ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request for the keys arrived: {told:?}");
    told.fails(kinds)?;
    ensure!(!proxy.was_followed(), "the redirect was followed");
    works_again(&proxy, &provider, &ada).await
}

async fn refused(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied_and_known(&grace).await?;
    proxy.refuse().await;
    provider.validate_in(&scope(DEADLINE), &ada.tokens.access).await?.fails(&[ErrorKind::Unavailable])?;
    proxy.accept_again().await?;
    works_again(&proxy, &provider, &ada).await
}

async fn logs_out(scene: Scene, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let (mut ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied_and_known(&grace).await?;
    let identity = provider.identify(&ada.tokens.access).await?.good()?;
    proxy.fail(fault, When::Always);
    let told = provider.log_out_in(&scope(time(kinds)), &identity, &ada, Shown::All).await?;
    ensure!(proxy.faulted() > 0, "no request of the logout arrived: {told:?}");
    told.fails(kinds)?;
    ensure!(!proxy.was_followed(), "the redirect was followed");
    proxy.heal();
    provider.log_out(&ada, Shown::All).await?.good()?;
    is_over(&scene, &provider, &mut ada).await.map(drop)
}

/// Every request of a logout in its turn finds the identity provider out of order, and so do all that follow it.
async fn any_step(scene: Scene, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let grace = scene.log_in("grace").await?;
    let (proxy, provider) = scene.proxied_and_known(&grace).await?;
    provider.log_out(&grace, Shown::All).await?.good()?;
    for passed in 0..MANY {
        let mut ada = scene.log_in(&format!("ada{passed}")).await?;
        let identity = provider.identify(&ada.tokens.access).await?.good()?;
        proxy.fail(fault.clone(), When::After(passed));
        let told = provider.log_out_in(&scope(DEADLINE), &identity, &ada, Shown::All).await?;
        let (faulted, arrived) = (proxy.faulted(), proxy.paths());
        proxy.heal();
        if faulted == 0 {
            // The logout makes no more requests than were passed on: every one has had its turn.
            ensure!(passed > 0, "a logout made no request");
            return told.good().map(drop);
        }
        let seen = format!("after {passed} good answers of {arrived:?}");
        told.fails(kinds).map_err(|error| format!("{seen}: {error}"))?;
        provider.log_out(&ada, Shown::All).await?.good().map_err(|error| format!("{seen}, once more: {error}"))?;
        is_over(&scene, &provider, &mut ada).await?;
    }
    Err(format!("a logout makes more than {MANY} requests").into())
}

/// Whether the secret is needed for it or not: a good token stays good, or the settings are at fault.
async fn wrong_secret(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let provider = scene.around(scene.oauth()?.provider_with_wrong_client_secret().await?);
    let told = provider.validate(&ada.tokens.access).await?;
    if told.result.is_err() {
        told.fails(&[ErrorKind::Unauthenticated, ErrorKind::Misconfigured, ErrorKind::PermissionDenied])?;
    }
    let told = provider.log_out(&ada, Shown::All).await?;
    if told.result.is_err() {
        told.fails(&[ErrorKind::Unauthenticated, ErrorKind::Misconfigured, ErrorKind::PermissionDenied])?;
    }
    Ok(())
}
