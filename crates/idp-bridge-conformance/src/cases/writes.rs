//! Writes that are interrupted: what is known of them, and that they are not sent twice.

use std::time::Duration;

use bytes::Bytes;
use idp_bridge_core::{CallKind, ErrorKind, Outcome};

use super::WRITES;
use super::faults::BY_GATEWAY;
use crate::bullet::{every, protocol};
use crate::case::{Case, case_of};
use crate::fault::{Fault, Gateway, When};
use crate::scene::{Scene, ensure, scope};
use crate::{Need, Staged};

/// The default of the program, where an answer comes.
const DEADLINE: Duration = Duration::from_secs(4);

/// Short enough to wait for an answer that does not come, long enough for what precedes the write.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let proves = [every::OUTAGE, every::SENT_ONCE];
    for kind in [CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail] {
        let name = "writes::an_empty_object_is_no_accepted_mail";
        cases.push(case_of(name, kind, &proves, |scene, kind| {
            interrupted(scene, kind, Fault::Body(Bytes::from_static(b"{}")), ErrorKind::InvalidResponse)
        }));
    }
    for kind in WRITES {
        let interrupted = |name: &str, fault: Fault, error: ErrorKind| {
            let name = format!("writes::{name}_is_unknown_and_not_sent_twice");
            case_of(&name, kind, &[every::SENT_ONCE, every::RECORDER], move |scene, kind| {
                interrupted(scene, kind, fault.clone(), error)
            })
        };
        cases.extend([
            interrupted("a_503", Fault::Status(503), ErrorKind::Unavailable),
            interrupted("a_500", Fault::Status(500), ErrorKind::Unavailable),
            interrupted("a_cut_connection", Fault::CutBeforeAnswer, ErrorKind::Unavailable),
            interrupted("a_lost_answer", Fault::LostAnswer, ErrorKind::Unavailable),
            interrupted("silence", Fault::Hang, ErrorKind::Timeout),
            interrupted("garbage", Fault::garbage(), ErrorKind::InvalidResponse),
            case_of("writes::a_rate_limited_write_did_not_run", kind, &[protocol::SURELY_NOT_RUN], rate_limited),
            case_of("writes::a_refused_connection_did_not_run", kind, &[protocol::SURELY_NOT_RUN], refused),
            case_of("writes::a_gateways_refusal_is_never_the_answer", kind, &[every::NOT_THE_IDP], refused_by_gateway),
            case_of("writes::an_aborted_write_is_unknown", kind, &[every::RECORDER], aborted),
        ]);
    }
    cases.into_iter().map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn interrupted(scene: Scene, kind: CallKind, fault: Fault, error: ErrorKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let scope = scope(if error == ErrorKind::Timeout { PATIENCE } else { DEADLINE });
    proxy.fail(fault, When::Writes(scope.recorder().clone()));
    let asked = provider.ask_in(&scope, ada.call(kind)).await?;
    asked.wrote(proxy.faulted())?;
    ensure!(proxy.faulted() == 1, "the write was sent {} times", proxy.faulted());
    asked.has_outcome(Outcome::Unknown)?;
    asked.fails(error)?;
    Ok(())
}

async fn rate_limited(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let scope = scope(DEADLINE);
    proxy.fail(Fault::RateLimit("7"), When::Writes(scope.recorder().clone()));
    let asked = provider.ask_in(&scope, ada.call(kind)).await?;
    asked.wrote(proxy.faulted())?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.fails(ErrorKind::RateLimited)?;
    Ok(())
}

/// What precedes the write is answered by the identity provider, and the write itself by a gateway.
async fn refused_by_gateway(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let before = provider.look(&ada).await?;
    for gateway in [Gateway::Bare401, Gateway::Page403, Gateway::Page404, Gateway::Json404] {
        let scope = scope(DEADLINE);
        proxy.fail(Fault::Gateway(gateway), When::Writes(scope.recorder().clone()));
        let asked = provider.ask_in(&scope, ada.call(kind)).await?;
        asked.wrote(proxy.faulted())?;
        asked.fails_with_one_of(BY_GATEWAY).map_err(|error| format!("{gateway:?}: {error}"))?;
    }
    proxy.heal();
    ensure!(provider.look(&ada).await? == before, "a gateway refused the write, and yet the user changed");
    Ok(())
}

async fn refused(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    proxy.refuse().await;
    let asked = provider.ask_in(&scope(DEADLINE), ada.call(kind)).await?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.fails(ErrorKind::Unavailable)?;
    Ok(())
}

/// The caller gives up and drops the call; what the recorder knows is all that is left.
async fn aborted(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let scope = scope(Duration::from_secs(30));
    proxy.fail(Fault::Hang, When::Writes(scope.recorder().clone()));
    let call = provider.ask_in(&scope, ada.call(kind));
    tokio::select! {
        asked = call => return Err(format!("the identity provider is silent, and yet: {:?}", asked?.result).into()),
        () = proxy.fault_happened() => {}
    }
    ensure!(scope.recorder().outcome() == Outcome::Unknown, "a dropped write left no trace in the recorder");
    Ok(())
}
