//! What the recorder is told, compared with what really arrives at the identity provider.

use std::sync::Arc;

use idp_bridge_core::{CallKind, Outcome};

use super::{READS, WRITES};
use crate::bullet::every;
use crate::case::{Case, case_of};
use crate::fault::{Fault, When};
use crate::scene::{Scene, ample, ensure};
use crate::{Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    let proves = &[every::RECORDER];
    let counted = CallKind::ALL.map(|kind| case_of("recorder::every_attempt_is_counted", kind, proves, counted));
    let told = WRITES.map(|kind| case_of("recorder::a_write_is_told_before_it_leaves", kind, proves, told));
    let reads = READS.map(|kind| case_of("recorder::a_read_is_never_told_as_a_write", kind, proves, no_write));
    counted.into_iter().chain(told).chain(reads).map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn counted(scene: Scene, kind: CallKind) -> Staged<()> {
    let (ada, grace) = (scene.person_for(kind, "ada").await?, scene.person("grace").await?);
    let (proxy, provider) = scene.proxied_and_warm(&grace).await?;
    let asked = provider.ask(ada.call(kind)).await?;
    let (requests, attempts) = (asked.recorder.requests() as usize, asked.recorder.attempts() as usize);
    asked.arrived(proxy.requests())?;
    asked.well()?;
    ensure!(attempts == proxy.requests(), "{} requests arrived, and {attempts} were recorded", proxy.requests());
    ensure!((1..=attempts).contains(&requests), "{attempts} attempts of {requests} requests make no sense");
    Ok(())
}

async fn told(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let scope = ample();
    // It changes nothing, and counts the requests that arrive after the recorder was told of a write.
    let nothing = Fault::After(Arc::new(|| Box::pin(std::future::ready(()))));
    proxy.fail(nothing, When::Writes(scope.recorder().clone()));
    provider.ask_in(&scope, ada.call(kind)).await?.well()?;
    ensure!(proxy.faulted() > 0, "when the write arrived, the recorder had not been told of it");
    Ok(())
}

async fn no_write(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (_proxy, provider) = scene.proxied().await?;
    let asked = provider.ask(ada.call(kind)).await?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.well()
}
