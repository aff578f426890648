//! Capabilities, and calls that they do not declare.

use std::collections::BTreeSet;
use std::time::Duration;

use idp_bridge_core::{CallKind, Deleted, ErrorKind, Support};

use super::WRITES;
use crate::bullet::{capabilities, every};
use crate::case::{Case, call_case, case};
use crate::context::{CaseContext, ensure, scope};
use crate::{Need, TestResult};

/// The start of a reason that a call or a need is not implemented yet.
const UNWRITTEN: &str = "not written yet";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("capabilities::a_provider_declares_at_most_its_connectors_capabilities", &[capabilities::WITHIN], within),
        case("capabilities::every_limit_has_a_reason", &[capabilities::WITHIN], reasons),
        case("capabilities::every_need_is_met_or_impossible", &[capabilities::WITHIN], needs_are_met),
    ];
    for kind in CallKind::ALL {
        let name = format!("capabilities::an_unsupported_call_sends_no_request/{kind}");
        cases.push(case(name, &[every::UNSUPPORTED], move |context| unsupported(context, kind)).unsupported(kind));
        let name = format!("capabilities::an_unsupported_call_is_not_unwritten/{kind}");
        cases.push(case(name, &[capabilities::WITHIN], move |context| written(context, kind)).unsupported(kind));
        let name = "capabilities::a_call_without_time_left_does_nothing";
        cases.push(call_case(name, kind, &[every::DEADLINE], late_at_once));
    }
    cases
}

async fn within(context: CaseContext) -> TestResult<()> {
    let (provider, most) = (context.provider().await?, context.harness().connector_capabilities());
    let own = provider.capabilities();
    ensure!(own.is_within(&most), "the provider declares {own:?}, and its connector at most {most:?}");
    Ok(())
}

async fn reasons(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    for kind in CallKind::ALL {
        match provider.capabilities().call(kind) {
            Support::Conditional { reason } | Support::Unsupported { reason } => {
                ensure!(!reason.trim().is_empty(), "`{kind}` is limited without a reason");
            }
            Support::Supported => {}
        }
    }
    Ok(())
}

/// An unwritten call must not count as a limit of the identity provider.
async fn written(context: CaseContext, kind: CallKind) -> TestResult<()> {
    if let Support::Unsupported { reason } = context.provider().await?.capabilities().call(kind) {
        let hint = "hint: write and declare the call, or give the reason why it is impossible";
        ensure!(!reason.starts_with(UNWRITTEN), "`{kind}` is {reason}; {hint}");
    }
    Ok(())
}

/// An unimplemented need must not count as a limit of the identity provider.
async fn needs_are_met(context: CaseContext) -> TestResult<()> {
    let needs = super::all().into_iter().flat_map(|case| case.needed().to_vec());
    let reasons = needs.filter_map(|need| Some((need, context.harness().not_applicable(need)?)));
    let left = reasons.filter(|(_, reason)| reason.starts_with(UNWRITTEN));
    let left: BTreeSet<String> = left.map(|(need, reason)| format!("\n  `Need::{need:?}` is {reason}")).collect();
    let left = Vec::from_iter(left).concat();
    ensure!(left.is_empty(), "implement these needs in the harness, or give the reason why they are impossible:{left}");
    Ok(())
}

async fn unsupported(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let answer = provider.run(ada.call(kind)).await?;
    answer.makes_no_request()?;
    answer.fails(ErrorKind::Unsupported)?;
    if context.harness().not_applicable(Need::Upstream).is_none() {
        let (proxy, provider) = context.proxied().await?;
        provider.run(ada.call(kind)).await?.fails(ErrorKind::Unsupported)?;
        ensure!(proxy.requests() == 0, "`{kind}` is unsupported, but {} requests were made", proxy.requests());
    }
    Ok(())
}

async fn late_at_once(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.read(&ada).await?;
    provider.run_in(&scope(Duration::ZERO), ada.call(kind)).await?.fails(ErrorKind::Timeout)?;
    if WRITES.contains(&kind) {
        ensure!(provider.read(&ada).await? == before, "`{kind}` had no time left when it began, but changed the user");
    }
    if kind == CallKind::Delete {
        let deleted = provider.run(ada.call(kind)).await?.deleted()?;
        ensure!(deleted != Deleted::Absent, "a delete without time left deleted the user");
    }
    Ok(())
}
