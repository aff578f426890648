//! The recorder, compared with the requests that arrive at the identity provider.

use std::sync::Arc;

use idp_bridge_core::{CallKind, Outcome};

use super::{READS, WRITES};
use crate::bullet::every;
use crate::case::{Case, call_case};
use crate::context::{CaseContext, ample, ensure};
use crate::fault::{Fault, When};
use crate::{Need, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let proves = &[every::RECORDER];
    let counted = CallKind::ALL.map(|kind| call_case("recorder::every_attempt_is_counted", kind, proves, counted));
    let announced =
        WRITES.map(|kind| call_case("recorder::a_write_is_recorded_before_it_is_sent", kind, proves, announced));
    let reads = READS.map(|kind| call_case("recorder::a_read_is_not_recorded_as_a_write", kind, proves, no_write));
    counted.into_iter().chain(announced).chain(reads).map(|case| case.needs(&[Need::Upstream])).collect()
}

async fn counted(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let (ada, grace) = (context.person_for(kind, "ada").await?, context.person("grace").await?);
    let (proxy, provider) = context.proxied_and_warm(&grace).await?;
    let answer = provider.run(ada.call(kind)).await?;
    let (requests, attempts) = (answer.recorder.requests() as usize, answer.recorder.attempts() as usize);
    answer.check_arrived(proxy.requests())?;
    answer.succeeds()?;
    ensure!(attempts == proxy.requests(), "{} requests arrived, and {attempts} were recorded", proxy.requests());
    ensure!((1..=attempts).contains(&requests), "{attempts} attempts of {requests} requests are inconsistent");
    Ok(())
}

async fn announced(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let scope = ample();
    // Has no effect, and counts the requests that arrive after the write was announced.
    let no_effect = Fault::After(Arc::new(|| Box::pin(std::future::ready(()))));
    proxy.fail(no_effect, When::Writes(scope.recorder().clone()));
    provider.run_in(&scope, ada.call(kind)).await?.succeeds()?;
    ensure!(proxy.faulted() > 0, "when the write arrived, the recorder had no announcement of it");
    Ok(())
}

async fn no_write(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let (_proxy, provider) = context.proxied().await?;
    let answer = provider.run(ada.call(kind)).await?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.succeeds()
}
