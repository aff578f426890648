//! Interrupted writes.

use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{CallKind, ErrorKind, Outcome};

use super::WRITES;
use super::faults::BY_GATEWAY;
use crate::bullet::{every, protocol};
use crate::case::{Case, call_case};
use crate::context::{CaseContext, ensure, scope};
use crate::fault::{Fault, Gateway, When};
use crate::{Need, TestResult};

/// The deadline of a call that gets a response: the default of the program.
const DEADLINE: Duration = Duration::from_secs(4);

/// The deadline of a call that gets no response, long enough for the requests before the write.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let proves = [every::OUTAGE, every::SENT_ONCE];
    for kind in [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail] {
        let name = "writes::an_empty_object_is_not_an_accepted_mail";
        cases.push(call_case(name, kind, &proves, |context, kind| {
            interrupted(context, kind, Fault::Body(Bytes::from_static(b"{}")), ErrorKind::InvalidResponse)
        }));
    }
    for kind in WRITES {
        let interrupted = |name: &str, fault: Fault, error: ErrorKind| {
            let name = format!("writes::{name}_is_unknown_and_not_sent_twice");
            call_case(&name, kind, &[every::SENT_ONCE, every::RECORDER], move |context, kind| {
                interrupted(context, kind, fault.clone(), error)
            })
        };
        cases.extend([
            interrupted("a_503", Fault::Status(503), ErrorKind::Unavailable),
            interrupted("a_500", Fault::Status(500), ErrorKind::Unavailable),
            interrupted("a_cut_connection", Fault::CutBeforeAnswer, ErrorKind::Unavailable),
            interrupted("a_lost_answer", Fault::LostAnswer, ErrorKind::Unavailable),
            interrupted("silence", Fault::Hang, ErrorKind::Timeout),
            interrupted("garbage", Fault::garbage(), ErrorKind::InvalidResponse),
            call_case("writes::a_rate_limited_write_did_not_run", kind, &[protocol::SURELY_NOT_RUN], rate_limited),
            call_case("writes::a_refused_connection_did_not_run", kind, &[protocol::SURELY_NOT_RUN], refused),
            call_case("writes::a_gateways_refusal_is_not_a_response", kind, &[every::NOT_THE_IDP], refused_by_gateway),
            call_case("writes::an_aborted_write_is_unknown", kind, &[every::RECORDER], aborted),
        ]);
    }
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn interrupted(context: CaseContext, kind: CallKind, fault: Fault, error: ErrorKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let scope = scope(if error == ErrorKind::Timeout { PATIENCE } else { DEADLINE });
    proxy.fail(fault, When::Writes(scope.recorder().clone()));
    let answer = provider.run_in(&scope, ada.call(kind)).await?;
    answer.check_written(proxy.faulted())?;
    ensure!(proxy.faulted() == 1, "the write was sent {} times", proxy.faulted());
    answer.has_outcome(Outcome::Unknown)?;
    answer.fails(error)?;
    Ok(())
}

async fn rate_limited(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let scope = scope(DEADLINE);
    proxy.fail(Fault::RateLimit("7"), When::Writes(scope.recorder().clone()));
    let answer = provider.run_in(&scope, ada.call(kind)).await?;
    answer.check_written(proxy.faulted())?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.fails(ErrorKind::RateLimited)?;
    Ok(())
}

/// A gateway refuses the write, after the requests before it succeeded.
async fn refused_by_gateway(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let before = provider.read(&ada).await?;
    for gateway in [Gateway::Bare401, Gateway::Page403, Gateway::Page404, Gateway::Json404] {
        let scope = scope(DEADLINE);
        proxy.fail(Fault::Gateway(gateway), When::Writes(scope.recorder().clone()));
        let answer = provider.run_in(&scope, ada.call(kind)).await?;
        answer.check_written(proxy.faulted())?;
        answer.fails_with_one_of(BY_GATEWAY).map_err(|error| format!("{gateway:?}: {error}"))?;
    }
    proxy.heal();
    ensure!(provider.read(&ada).await? == before, "a gateway refused the write, but the user changed");
    Ok(())
}

async fn refused(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    proxy.refuse().await;
    let answer = provider.run_in(&scope(DEADLINE), ada.call(kind)).await?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.fails(ErrorKind::Unavailable)?;
    Ok(())
}

/// The caller drops the call during the write.
async fn aborted(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let scope = scope(Duration::from_secs(30));
    proxy.fail(Fault::Hang, When::Writes(scope.recorder().clone()));
    let call = provider.run_in(&scope, ada.call(kind));
    tokio::select! {
        answer = call => return Err(format!("the identity provider is silent, but the call ended: {:?}", answer?.result).into()),
        () = proxy.fault_happened() => {}
    }
    ensure!(scope.recorder().outcome() == Outcome::Unknown, "a dropped write is not unknown in the recorder");
    Ok(())
}
