//! What a call says when the way to the identity provider, or the identity provider, is out of order.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use idp_bridge_core::{CallKind, ErrorKind};

use super::READS;
use crate::bullet::{Bullet, every, protocol};
use crate::case::{Case, case_of};
use crate::fault::{Fault, When};
use crate::proxy::Proxy;
use crate::scene::{Person, Provider, Scene, ensure, scope};
use crate::{Need, Staged};

/// The default of the program, where an answer comes.
const DEADLINE: Duration = Duration::from_secs(4);

/// Short enough to wait for an answer that does not come.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A fault with what it must be called.
struct Row {
    name: &'static str,
    fault: Fault,
    kinds: &'static [ErrorKind],
    proves: &'static [Bullet],
}

fn rows() -> Vec<Row> {
    use ErrorKind::{InvalidResponse, Misconfigured, RateLimited, Timeout, Unavailable, Unexpected};
    let row = |name, fault, kinds, proves| Row { name, fault, kinds, proves };
    vec![
        row("a_rate_limit_is_rate_limited_with_its_wait", Fault::RateLimit, &[RateLimited], &[every::RATE_LIMIT]),
        row("a_503_is_unavailable", Fault::Status(503), &[Unavailable], &[every::OUTAGE, every::NEVER_NOT_FOUND]),
        row("a_500_is_unavailable", Fault::Status(500), &[Unavailable], &[every::OUTAGE, every::NEVER_NOT_FOUND]),
        row(
            "garbage_is_an_invalid_response",
            Fault::Garbage,
            &[InvalidResponse],
            &[every::OUTAGE, every::ERRORS_ARE_CLEAN],
        ),
        row(
            "an_oversized_body_is_an_invalid_response",
            Fault::Oversized(Arc::default()),
            &[InvalidResponse],
            &[every::OUTAGE, protocol::BOUNDED],
        ),
        row(
            "a_redirect_is_not_followed",
            Fault::Redirect,
            &[InvalidResponse, Misconfigured],
            &[protocol::NO_REDIRECTS, every::OUTAGE],
        ),
        row(
            "a_foreign_404_is_not_a_missing_user",
            Fault::ForeignNotFound,
            &[InvalidResponse, Misconfigured, Unavailable, Unexpected],
            &[every::NEVER_NOT_FOUND],
        ),
        row("a_cut_connection_is_unavailable", Fault::CutBeforeAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_cut_body_is_unavailable", Fault::CutInAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_trickling_body_is_a_timeout", Fault::Slow, &[Timeout], &[every::DEADLINE]),
        row("silence_is_a_timeout", Fault::Hang, &[Timeout], &[every::DEADLINE]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in CallKind::ALL {
        for row in rows() {
            let Row { name, fault, kinds, proves } = row;
            cases.push(case_of(&format!("faults::{name}"), kind, proves, move |scene, kind| {
                fails(scene, kind, fault.clone(), kinds)
            }));
        }
        cases.push(case_of("faults::a_refused_connection_is_unavailable", kind, &[every::OUTAGE], refused));
    }
    // The first request of a provider may be another one, such as that for a token; it fails in the same words.
    for row in rows() {
        let Row { name, fault, kinds, proves } = row;
        cases.push(case_of(&format!("faults::at_first_{name}"), CallKind::GetById, proves, move |scene, kind| {
            fails_at_first(scene, kind, fault.clone(), kinds)
        }));
    }
    for kind in READS {
        for (name, fault) in [("503", Fault::Status(503)), ("cut_connection", Fault::CutBeforeAnswer)] {
            let name = format!("faults::a_read_recovers_from_one_{name}");
            cases.push(case_of(&name, kind, &[protocol::READS_RECOVER], move |scene, kind| {
                recovers(scene, kind, fault.clone())
            }));
        }
    }
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn fails(scene: Scene, kind: CallKind, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let (ada, grace) = (scene.person("ada").await?, scene.person("grace").await?);
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let before = provider.look(&ada).await?;
    went_wrong(&proxy, &provider, fault, (&ada, kind, kinds)).await?;
    works_again(&proxy, &provider, &grace).await?;
    if kind != CallKind::Delete {
        ensure!(provider.look(&ada).await? == before, "the identity provider got no request, and yet the user changed");
    } else {
        provider.look(&ada).await?;
    }
    Ok(())
}

async fn fails_at_first(scene: Scene, kind: CallKind, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (proxy, provider) = scene.proxied().await?;
    went_wrong(&proxy, &provider, fault, (&ada, kind, kinds)).await?;
    works_again(&proxy, &provider, &ada).await
}

async fn went_wrong(
    proxy: &Proxy,
    provider: &Provider<'_>,
    fault: Fault,
    (person, kind, kinds): (&Person, CallKind, &[ErrorKind]),
) -> Staged<()> {
    proxy.fail(fault.clone(), When::Always);
    let deadline = if kinds.contains(&ErrorKind::Timeout) { PATIENCE } else { DEADLINE };
    let asked = provider.ask_in(&scope(deadline), person.call(kind)).await?;
    ensure!(proxy.faulted() > 0, "no request arrived: the provider did not use the base URL that it was given");
    let error = asked.fails_with_one_of(kinds)?;
    match fault {
        Fault::RateLimit => {
            let wait = error.retry_after();
            ensure!(wait == Some(Duration::from_secs(7)), "`retry-after: 7` was read as {wait:?}");
        }
        Fault::Oversized(sent) => {
            // Much of it is under way before the first byte is read, so the bound is generous.
            let sent = sent.load(Relaxed);
            ensure!(sent < 32 << 20, "{sent} bytes of an endless answer were read");
        }
        _ => {}
    }
    ensure!(!proxy.was_followed(), "the redirect was followed");
    Ok(())
}

/// After a fault the same provider works, at once.
async fn works_again(proxy: &Proxy, provider: &Provider<'_>, person: &Person) -> Staged<()> {
    proxy.heal();
    let user = provider.look(person).await.map_err(|error| format!("after the fault has ended: {error}"))?;
    ensure!(user.id == person.id, "after the fault has ended another user was answered");
    Ok(())
}

async fn refused(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    proxy.refuse().await;
    provider.ask_in(&scope(DEADLINE), ada.call(kind)).await?.fails(ErrorKind::Unavailable)?;
    proxy.accept_again().await?;
    works_again(&proxy, &provider, &ada).await
}

async fn recovers(scene: Scene, kind: CallKind, fault: Fault) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    proxy.fail(fault, When::Once);
    let asked = provider.ask(ada.call(kind)).await?;
    let attempts = asked.recorder.attempts();
    ensure!(asked.user()?.id == ada.id, "another user was answered");
    ensure!(proxy.faulted() == 1 && attempts >= 2, "the second attempt was not recorded");
    Ok(())
}
