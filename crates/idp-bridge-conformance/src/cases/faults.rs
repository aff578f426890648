//! What a call says when the way to the identity provider, or the identity provider, is out of order.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{CallKind, ErrorKind, Outcome};

use super::READS;
use crate::bullet::{Bullet, every, get, protocol, reset};
use crate::case::{Case, case_of};
use crate::fault::{Fault, Gateway, When};
use crate::proxy::Proxy;
use crate::scene::{Person, Provider, Scene, ensure, scope};
use crate::{Need, Staged};

/// The default of the program, where an answer comes.
pub(super) const DEADLINE: Duration = Duration::from_secs(4);

/// Short enough to wait for an answer that does not come.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

/// What a refusal by something in front of the identity provider is called.
pub(super) const BY_GATEWAY: &[ErrorKind] = &[ErrorKind::InvalidResponse, ErrorKind::Unavailable];

/// A fault with what it must be called.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    pub(super) kinds: &'static [ErrorKind],
    proves: &'static [Bullet],
}

pub(super) fn rows() -> Vec<Row> {
    use ErrorKind::{InvalidResponse, Misconfigured, RateLimited, Timeout, Unavailable};
    let row = |name, fault, kinds, proves| Row { name, fault, kinds, proves };
    let gateway =
        |name, gateway| row(name, Fault::Gateway(gateway), BY_GATEWAY, &[every::NOT_THE_IDP, every::ERRORS_ARE_CLEAN]);
    vec![
        row("a_rate_limit_is_rate_limited_with_its_wait", Fault::RateLimit("7"), &[RateLimited], &[every::RATE_LIMIT]),
        row("a_503_is_unavailable", Fault::Status(503), &[Unavailable], &[every::OUTAGE, every::NEVER_NOT_FOUND]),
        row("a_500_is_unavailable", Fault::Status(500), &[Unavailable], &[every::OUTAGE, every::NEVER_NOT_FOUND]),
        row(
            "garbage_is_an_invalid_response",
            Fault::garbage(),
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
        gateway("a_gateways_bare_401_is_no_refused_credential", Gateway::Bare401),
        gateway("a_gateways_401_page_is_no_refused_credential", Gateway::Basic401),
        gateway("a_gateways_403_page_is_no_missing_right", Gateway::Page403),
        gateway("a_gateways_403_in_json_is_no_missing_right", Gateway::Json403),
        gateway("a_gateways_404_page_is_no_missing_user", Gateway::Page404),
        gateway("a_gateways_404_in_json_is_no_missing_user", Gateway::Json404),
        row("a_cut_connection_is_unavailable", Fault::CutBeforeAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_cut_body_is_unavailable", Fault::CutInAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_trickling_body_is_a_timeout", Fault::Slow, &[Timeout], &[every::DEADLINE]),
        row("silence_is_a_timeout", Fault::Hang, &[Timeout], &[every::DEADLINE]),
    ]
}

/// Answers of `200` that say nothing: to a look-up they are no user, and not the absence of one.
pub(super) fn empty_rows() -> Vec<Row> {
    let row = |name, body: Bytes| Row {
        name,
        fault: Fault::Body(body),
        kinds: &[ErrorKind::InvalidResponse],
        proves: &[every::OUTAGE, every::NEVER_NOT_FOUND],
    };
    vec![
        row("an_empty_body_is_an_invalid_response", Bytes::new()),
        row("a_null_is_an_invalid_response", Bytes::from_static(b"null")),
        row("an_empty_object_is_an_invalid_response", Bytes::from_static(b"{}")),
        row("an_endless_depth_is_an_invalid_response", "[".repeat(200_000).into()),
    ]
}

/// Waits that cannot be read, or not be waited for: the rate limit is one nevertheless.
const ODD_WAITS: [(&str, &str); 4] = [
    ("a_date", "Wed, 21 Oct 2037 07:28:00 GMT"),
    ("a_huge_number", "99999999999999999999999"),
    ("a_negative_number", "-1"),
    ("a_word", "soon"),
];

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
    for row in rows().into_iter().chain(empty_rows()) {
        let Row { name, fault, kinds, proves } = row;
        cases.push(case_of(&format!("faults::at_first_{name}"), CallKind::GetById, proves, move |scene, kind| {
            fails_at_first(scene, kind, fault.clone(), kinds)
        }));
    }
    for (name, wait) in ODD_WAITS {
        let name = format!("faults::a_rate_limit_with_{name}_for_its_wait_is_rate_limited");
        cases.push(case_of(&name, CallKind::GetById, &[every::RATE_LIMIT], move |scene, kind| {
            fails(scene, kind, Fault::RateLimit(wait), &[ErrorKind::RateLimited])
        }));
    }
    for kind in READS {
        for row in empty_rows() {
            let Row { name, fault, kinds, proves } = row;
            cases.push(case_of(&format!("faults::{name}"), kind, proves, move |scene, kind| {
                fails(scene, kind, fault.clone(), kinds)
            }));
        }
        cases.extend([
            case_of("faults::the_answer_to_another_question_is_no_answer", kind, &[get::EXACT], other_answer),
            case_of(
                "faults::a_read_recovers_from_a_connection_closed_meanwhile",
                kind,
                &[protocol::READS_RECOVER],
                closed,
            ),
        ]);
        for (name, fault) in [("503", Fault::Status(503)), ("cut_connection", Fault::CutBeforeAnswer)] {
            let name = format!("faults::a_read_recovers_from_one_{name}");
            cases.push(case_of(&name, kind, &[protocol::READS_RECOVER], move |scene, kind| {
                recovers(scene, kind, fault.clone())
            }));
        }
    }
    for kind in [CallKind::GetById, CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail] {
        let name = "faults::another_users_record_is_no_missing_user";
        cases.push(case_of(name, kind, &[every::NOT_THE_IDP], other_user).calls(&[CallKind::GetById]));
    }
    let (name, kind) = ("faults::the_answer_to_another_question_gets_no_mail", CallKind::SendPasswordResetEmail);
    cases.push(case_of(name, kind, &[reset::NOBODY], other_answer));
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn fails(scene: Scene, kind: CallKind, fault: Fault, kinds: &'static [ErrorKind]) -> Staged<()> {
    let (ada, grace) = (scene.person_for(kind, "ada").await?, scene.person("grace").await?);
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
    asked.arrived(proxy.faulted())?;
    let error = asked.fails_with_one_of(kinds)?;
    match fault {
        Fault::RateLimit("7") => {
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
    let ada = scene.person_for(kind, "ada").await?;
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

/// The identity provider, or something before it, answers a question with the user of another one.
async fn other_answer(scene: Scene, kind: CallKind) -> Staged<()> {
    let (ada, grace) = (scene.person("ada").await?, scene.person("grace").await?);
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    proxy.record();
    let asked = match kind {
        // The whole of such a call would send a mail, and its look-up is what matters.
        CallKind::SendPasswordResetEmail => provider.ask(grace.call(CallKind::GetByEmail)).await?,
        kind => provider.ask(grace.call(kind)).await?,
    };
    asked.well()?;
    proxy.fail(Fault::Replay, When::Always);
    let asked = provider.ask_in(&scope(DEADLINE), ada.call(kind)).await?;
    asked.arrived(proxy.faulted())?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.fails_with_one_of(&[ErrorKind::NotFound, ErrorKind::InvalidResponse])?;
    works_again(&proxy, &provider, &ada).await
}

/// The identity provider, or something before it, answers for one id with the record of another user.
async fn other_user(scene: Scene, kind: CallKind) -> Staged<()> {
    let (ada, grace) = (scene.person("ada").await?, scene.person("grace").await?);
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let before = (provider.look(&ada).await?, provider.look(&grace).await?);
    proxy.record();
    provider.ask(grace.call(CallKind::GetById)).await?.well()?;
    proxy.fail(Fault::Replay, When::Always);
    let asked = provider.ask_in(&scope(DEADLINE), ada.call(kind)).await?;
    asked.arrived(proxy.faulted())?;
    asked.fails(ErrorKind::InvalidResponse)?;
    proxy.heal();
    let after = (provider.look(&ada).await?, provider.look(&grace).await?);
    ensure!(after == before, "the call failed, and yet a user changed");
    Ok(())
}

/// The connections that the provider keeps for later are closed before it needs them.
async fn closed(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (proxy, provider) = scene.proxied().await?;
    proxy.keep_connections();
    for _ in 0..3 {
        ensure!(provider.ask(ada.call(kind)).await?.user()?.id == ada.id, "another user was answered");
        proxy.refuse().await;
        proxy.accept_again().await?;
    }
    ensure!(provider.ask(ada.call(kind)).await?.user()?.id == ada.id, "another user was answered");
    Ok(())
}
