//! Calls while the identity provider, or the connection to it, is faulty.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{CallKind, ErrorKind, Outcome};

use super::READS;
use crate::bullet::{Bullet, every, get, protocol, reset};
use crate::case::{Case, call_case};
use crate::context::{CaseContext, Person, Provider, ensure, scope};
use crate::fault::{Fault, Gateway, When};
use crate::proxy::Proxy;
use crate::{Need, TestResult};

/// The deadline of a call that gets a response: the default of the program.
pub(super) const DEADLINE: Duration = Duration::from_secs(4);

/// The deadline of a call that gets no response.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

/// The error kinds for an error response of a gateway.
pub(super) const BY_GATEWAY: &[ErrorKind] = &[ErrorKind::InvalidResponse, ErrorKind::Unavailable];

/// A fault with the error kinds that it must cause.
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
        gateway("a_gateways_bare_401_is_not_a_refused_credential", Gateway::Bare401),
        gateway("a_gateways_401_page_is_not_a_refused_credential", Gateway::Basic401),
        gateway("a_gateways_403_page_is_not_a_missing_right", Gateway::Page403),
        gateway("a_gateways_403_in_json_is_not_a_missing_right", Gateway::Json403),
        gateway("a_gateways_404_page_is_not_a_missing_user", Gateway::Page404),
        gateway("a_gateways_404_in_json_is_not_a_missing_user", Gateway::Json404),
        row("a_cut_connection_is_unavailable", Fault::CutBeforeAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_cut_body_is_unavailable", Fault::CutInAnswer, &[Unavailable], &[every::OUTAGE]),
        row("a_trickling_body_is_a_timeout", Fault::Slow, &[Timeout], &[every::DEADLINE]),
        row("silence_is_a_timeout", Fault::Hang, &[Timeout], &[every::DEADLINE]),
    ]
}

/// Returns responses of `200` without content. A look-up must not convert them to a user or to `NotFound`.
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

/// Values of `retry-after` that are malformed or too long. The error is `RateLimited` nevertheless.
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
            cases.push(call_case(&format!("faults::{name}"), kind, proves, move |context, kind| {
                fails(context, kind, fault.clone(), kinds)
            }));
        }
        cases.push(call_case("faults::a_refused_connection_is_unavailable", kind, &[every::OUTAGE], refused));
    }
    // The first request of a provider may be another one, such as for a token. It must fail with these kinds, too.
    for row in rows().into_iter().chain(empty_rows()) {
        let Row { name, fault, kinds, proves } = row;
        cases.push(call_case(&format!("faults::at_first_{name}"), CallKind::GetById, proves, move |context, kind| {
            fails_at_first(context, kind, fault.clone(), kinds)
        }));
    }
    for (name, wait) in ODD_WAITS {
        let name = format!("faults::a_rate_limit_with_{name}_for_its_wait_is_rate_limited");
        cases.push(call_case(&name, CallKind::GetById, &[every::RATE_LIMIT], move |context, kind| {
            fails(context, kind, Fault::RateLimit(wait), &[ErrorKind::RateLimited])
        }));
    }
    for kind in READS {
        for row in empty_rows() {
            let Row { name, fault, kinds, proves } = row;
            cases.push(call_case(&format!("faults::{name}"), kind, proves, move |context, kind| {
                fails(context, kind, fault.clone(), kinds)
            }));
        }
        cases.extend([
            call_case("faults::a_response_about_another_user_is_an_error", kind, &[get::EXACT], other_answer),
            call_case(
                "faults::a_read_recovers_from_a_closed_idle_connection",
                kind,
                &[protocol::READS_RECOVER],
                closed,
            ),
        ]);
        for (name, fault) in [("503", Fault::Status(503)), ("cut_connection", Fault::CutBeforeAnswer)] {
            let name = format!("faults::a_read_recovers_from_one_{name}");
            cases.push(call_case(&name, kind, &[protocol::READS_RECOVER], move |context, kind| {
                recovers(context, kind, fault.clone())
            }));
        }
    }
    for kind in [CallKind::GetById, CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail] {
        let name = "faults::another_users_record_is_not_a_missing_user";
        cases.push(call_case(name, kind, &[every::NOT_THE_IDP], other_user).calls(&[CallKind::GetById]));
    }
    let (name, kind) = ("faults::a_response_about_another_user_sends_no_mail", CallKind::SendPasswordResetEmail);
    cases.push(call_case(name, kind, &[reset::REFUSED], other_answer));
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn fails(context: CaseContext, kind: CallKind, fault: Fault, kinds: &'static [ErrorKind]) -> TestResult<()> {
    let (ada, grace) = (context.person_for(kind, "ada").await?, context.person("grace").await?);
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let before = provider.read(&ada).await?;
    check_failure(&proxy, &provider, fault, (&ada, kind, kinds)).await?;
    check_recovery(&proxy, &provider, &grace).await?;
    if kind != CallKind::Delete {
        ensure!(provider.read(&ada).await? == before, "the identity provider got no request, but the user changed");
    } else {
        provider.read(&ada).await?;
    }
    Ok(())
}

async fn fails_at_first(
    context: CaseContext,
    kind: CallKind,
    fault: Fault,
    kinds: &'static [ErrorKind],
) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let (proxy, provider) = context.proxied().await?;
    check_failure(&proxy, &provider, fault, (&ada, kind, kinds)).await?;
    check_recovery(&proxy, &provider, &ada).await
}

async fn check_failure(
    proxy: &Proxy,
    provider: &Provider<'_>,
    fault: Fault,
    (person, kind, kinds): (&Person, CallKind, &[ErrorKind]),
) -> TestResult<()> {
    proxy.fail(fault.clone(), When::Always);
    let deadline = if kinds.contains(&ErrorKind::Timeout) { PATIENCE } else { DEADLINE };
    let answer = provider.run_in(&scope(deadline), person.call(kind)).await?;
    answer.check_arrived(proxy.faulted())?;
    let error = answer.fails_with_one_of(kinds)?;
    match fault {
        Fault::RateLimit("7") => {
            let wait = error.retry_after();
            ensure!(wait == Some(Duration::from_secs(7)), "`retry-after: 7` was read as {wait:?}");
        }
        Fault::Oversized(sent) => {
            // The bound is generous, because buffers fill before the first byte is read.
            let sent = sent.load(Relaxed);
            ensure!(sent < 32 << 20, "{sent} bytes of an endless response were read");
        }
        _ => {}
    }
    ensure!(!proxy.was_followed(), "the redirect was followed");
    Ok(())
}

/// Checks that the provider works right after the fault ended.
async fn check_recovery(proxy: &Proxy, provider: &Provider<'_>, person: &Person) -> TestResult<()> {
    proxy.heal();
    let user = provider.read(person).await.map_err(|error| format!("after the fault ended: {error}"))?;
    ensure!(user.id == person.id, "after the fault ended, another user was returned");
    Ok(())
}

async fn refused(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    proxy.refuse().await;
    provider.run_in(&scope(DEADLINE), ada.call(kind)).await?.fails(ErrorKind::Unavailable)?;
    proxy.accept_again().await?;
    check_recovery(&proxy, &provider, &ada).await
}

async fn recovers(context: CaseContext, kind: CallKind, fault: Fault) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    proxy.fail(fault, When::Once);
    let answer = provider.run(ada.call(kind)).await?;
    let attempts = answer.recorder.attempts();
    ensure!(answer.user()?.id == ada.id, "another user was returned");
    ensure!(proxy.faulted() == 1 && attempts >= 2, "the second attempt was not recorded");
    Ok(())
}

/// The response to a look-up contains the user of another look-up.
async fn other_answer(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let (ada, grace) = (context.person("ada").await?, context.person("grace").await?);
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    proxy.record();
    let answer = match kind {
        // The call would send a mail; only its look-up is recorded.
        CallKind::SendPasswordResetEmail => provider.run(grace.call(CallKind::GetByEmail)).await?,
        kind => provider.run(grace.call(kind)).await?,
    };
    answer.succeeds()?;
    proxy.fail(Fault::Replay, When::Always);
    let answer = provider.run_in(&scope(DEADLINE), ada.call(kind)).await?;
    answer.check_arrived(proxy.faulted())?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.fails_with_one_of(&[ErrorKind::NotFound, ErrorKind::InvalidResponse])?;
    check_recovery(&proxy, &provider, &ada).await
}

/// The response for one id contains the record of another user.
async fn other_user(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let (ada, grace) = (context.person("ada").await?, context.person("grace").await?);
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let before = (provider.read(&ada).await?, provider.read(&grace).await?);
    proxy.record();
    provider.run(grace.call(CallKind::GetById)).await?.succeeds()?;
    proxy.fail(Fault::Replay, When::Always);
    let answer = provider.run_in(&scope(DEADLINE), ada.call(kind)).await?;
    answer.check_arrived(proxy.faulted())?;
    answer.fails(ErrorKind::InvalidResponse)?;
    proxy.heal();
    let after = (provider.read(&ada).await?, provider.read(&grace).await?);
    ensure!(after == before, "the call failed, but a user changed");
    Ok(())
}

/// Idle connections of the provider are closed before their next use.
async fn closed(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let (proxy, provider) = context.proxied().await?;
    proxy.keep_connections();
    for _ in 0..3 {
        ensure!(provider.run(ada.call(kind)).await?.user()?.id == ada.id, "another user was returned");
        proxy.refuse().await;
        proxy.accept_again().await?;
    }
    ensure!(provider.run(ada.call(kind)).await?.user()?.id == ada.id, "another user was returned");
    Ok(())
}
