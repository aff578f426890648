//! Federation while the identity provider is faulty: never an invalid token, and never a success.

use std::time::Duration;

use idp_bridge_core::ErrorKind;

use super::logout::check_logged_out;
use super::oauth;
use crate::bullet::{Bullet, log_out, oauth as every};
use crate::case::Case;
use crate::cases::faults::{BY_GATEWAY, DEADLINE, PATIENCE, Row, empty_rows, rows};
use crate::context::{CaseContext, Provider, ensure, scope};
use crate::fault::{Fault, Gateway, When};
use crate::login::{Login, Shown};
use crate::proxy::Proxy;
use crate::{Need, Setup, TestResult};

/// An upper bound of the requests of a logout.
const MAX_REQUESTS: usize = 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let name = |row: &str, method: &str| format!("federation_outages::{row}/{method}");
    for Row { name: row, fault, kinds, .. } in rows().into_iter().chain(empty_rows()) {
        let (proves, first) = (promises(kinds), fault.clone());
        cases.push(oauth(name(row, "validate"), proves, move |context| validate(context, fault.clone(), kinds)));
        cases.push(
            oauth(name(row, "identify"), proves, move |context| identify_at_first(context, first.clone(), kinds))
                .needs(&[Need::SignedToken]),
        );
    }
    for Row { name: row, fault, kinds, .. } in rows().into_iter().filter(|row| !is_success_with_body(&row.fault)) {
        cases.push(oauth(name(row, "log_out"), &[every::ONLY_BAD_TOKENS, log_out::EVERY_STEP], move |context| {
            logs_out(context, fault.clone(), kinds)
        }));
    }
    cases.extend([
        oauth(name("a_refused_connection_is_unavailable", "validate"), &[every::OUTAGE], refused),
        oauth(
            "federation_outages::an_outage_in_any_step_of_a_logout_is_not_a_success",
            &[log_out::EVERY_STEP],
            |context| any_step(context, Fault::Status(503), &[ErrorKind::Unavailable]),
        ),
        oauth(
            "federation_outages::a_gateways_401_in_any_step_of_a_logout_is_not_a_success",
            &[log_out::EVERY_STEP, every::ONLY_BAD_TOKENS],
            |context| any_step(context, Fault::Gateway(Gateway::Bare401), BY_GATEWAY),
        ),
        oauth(
            "federation_outages::a_wrong_client_secret_is_not_an_invalid_token",
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

/// Returns whether the fault is a success with a body. A revocation ignores the body (RFC 7009, section 2.2).
fn is_success_with_body(fault: &Fault) -> bool {
    matches!(fault, Fault::Body(_) | Fault::Oversized(_) | Fault::CutInAnswer | Fault::Slow)
}

/// Returns the deadline for a call that must fail with these kinds.
fn deadline_for(kinds: &[ErrorKind]) -> Duration {
    if kinds.contains(&ErrorKind::Timeout) { PATIENCE } else { DEADLINE }
}

async fn validate(context: CaseContext, fault: Fault, kinds: &'static [ErrorKind]) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied_and_known(&grace).await?;
    proxy.fail(fault.clone(), When::Always);
    let answer = provider.validate_in(&scope(deadline_for(kinds)), &ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request of the validation arrived: {answer:?}");
    let error = answer.fails(kinds)?;
    if matches!(fault, Fault::RateLimit("7")) {
        let wait = error.retry_after();
        ensure!(wait == Some(Duration::from_secs(7)), "`retry-after: 7` was read as {wait:?}");
    }
    ensure!(!proxy.was_followed(), "the redirect was followed");
    check_recovery(&proxy, &provider, &ada).await
}

/// Checks that the provider works right after the fault ended.
async fn check_recovery(proxy: &Proxy, provider: &Provider<'_>, login: &Login) -> TestResult<()> {
    proxy.heal();
    let user = provider.validate(&login.tokens.access).await?.succeeds();
    let user = user.map_err(|error| format!("after the fault ended: {error}"))?;
    ensure!(user.identity.subject == login.person.id, "after the fault ended, another user was returned");
    Ok(())
}

/// The keys are not cached, and cannot be fetched.
async fn identify_at_first(context: CaseContext, fault: Fault, kinds: &'static [ErrorKind]) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let (proxy, provider) = context.proxied().await?;
    proxy.fail(fault, When::Always);
    let answer = provider.identify_in(&scope(deadline_for(kinds)), &ada.tokens.access).await?;
    ensure!(proxy.faulted() > 0, "no request for the keys arrived: {answer:?}");
    answer.fails(kinds)?;
    ensure!(!proxy.was_followed(), "the redirect was followed");
    check_recovery(&proxy, &provider, &ada).await
}

async fn refused(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied_and_known(&grace).await?;
    proxy.refuse().await;
    provider.validate_in(&scope(DEADLINE), &ada.tokens.access).await?.fails(&[ErrorKind::Unavailable])?;
    proxy.accept_again().await?;
    check_recovery(&proxy, &provider, &ada).await
}

async fn logs_out(context: CaseContext, fault: Fault, kinds: &'static [ErrorKind]) -> TestResult<()> {
    let (mut ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied_and_known(&grace).await?;
    let identity = provider.identify(&ada.tokens.access).await?.succeeds()?;
    proxy.fail(fault, When::Always);
    let answer = provider.log_out_in(&scope(deadline_for(kinds)), &identity, &ada, Shown::All).await?;
    ensure!(proxy.faulted() > 0, "no request of the logout arrived: {answer:?}");
    answer.fails(kinds)?;
    ensure!(!proxy.was_followed(), "the redirect was followed");
    proxy.heal();
    provider.log_out(&ada, Shown::All).await?.succeeds()?;
    check_logged_out(&context, &provider, &mut ada).await.map(drop)
}

/// Fails every request of a logout from the n-th on, for each n.
async fn any_step(context: CaseContext, fault: Fault, kinds: &'static [ErrorKind]) -> TestResult<()> {
    let grace = context.log_in("grace").await?;
    let (proxy, provider) = context.proxied_and_known(&grace).await?;
    provider.log_out(&grace, Shown::All).await?.succeeds()?;
    for passed in 0..MAX_REQUESTS {
        let mut ada = context.log_in(&format!("ada{passed}")).await?;
        let identity = provider.identify(&ada.tokens.access).await?.succeeds()?;
        proxy.fail(fault.clone(), When::After(passed));
        let answer = provider.log_out_in(&scope(DEADLINE), &identity, &ada, Shown::All).await?;
        let (faulted, arrived) = (proxy.faulted(), proxy.paths());
        proxy.heal();
        if faulted == 0 {
            // The logout makes fewer requests: each has failed once.
            ensure!(passed > 0, "a logout made no request");
            return answer.succeeds().map(drop);
        }
        let seen = format!("after {passed} successful requests of {arrived:?}");
        answer.fails(kinds).map_err(|error| format!("{seen}: {error}"))?;
        provider
            .log_out(&ada, Shown::All)
            .await?
            .succeeds()
            .map_err(|error| format!("{seen}, on the second attempt: {error}"))?;
        check_logged_out(&context, &provider, &mut ada).await?;
    }
    Err(format!("a logout makes more than {MAX_REQUESTS} requests").into())
}

/// A wrong client secret either has no effect, or the error is about the settings and not about the token.
async fn wrong_secret(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let provider = context.provider_with(Setup::WrongClientSecret).await?;
    let kinds = &[ErrorKind::Unauthenticated, ErrorKind::Misconfigured, ErrorKind::PermissionDenied];
    let validated = provider.validate(&ada.tokens.access).await?;
    if validated.result.is_err() {
        validated.fails(kinds)?;
    }
    let logged_out = provider.log_out(&ada, Shown::All).await?;
    if logged_out.result.is_err() {
        logged_out.fails(kinds)?;
    }
    Ok(())
}
