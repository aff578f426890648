//! Diagnoses of a healthy provider and of an unreachable identity provider.

use std::time::Duration;

use idp_bridge_core::{CallKind, Finding, Verdict};

use crate::bullet::{diagnose, every};
use crate::case::{Case, case};
use crate::context::{CaseContext, ensure, scope};
use crate::fault::{Fault, When};
use crate::{Need, TestResult};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("diagnose::every_supported_call_is_named_and_no_check_fails", &[diagnose::NAMED], healthy),
        case("diagnose::it_has_no_side_effects", &[diagnose::NO_SIDE_EFFECTS], no_side_effects)
            .calls(&[CallKind::GetById]),
        case("diagnose::an_outage_is_found_in_time", &[every::NEVER_NOT_FOUND, every::DEADLINE], outage)
            .needs(&[Need::Upstream]),
        case("diagnose::a_silent_identity_provider_is_found_in_time", &[every::DEADLINE], silence)
            .needs(&[Need::Upstream]),
    ]
}

async fn healthy(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    let findings = provider.diagnose().await?;
    for kind in CallKind::ALL.into_iter().filter(|kind| provider.supports(*kind)) {
        ensure!(findings.iter().any(|finding| finding.calls.contains(&kind)), "no finding names `{kind}`");
    }
    let failed: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    ensure!(failed.is_empty(), "the provider is healthy, but these checks failed: {failed:?}");
    check_helpful(&findings)
}

/// Checks that each finding names its check, and how to repair a failure.
pub(super) fn check_helpful(findings: &[Finding]) -> TestResult<()> {
    for finding in findings {
        ensure!(!finding.check.trim().is_empty(), "a finding does not say what was checked: {finding:?}");
        let has_fix = finding.fix.as_deref().is_some_and(|fix| !fix.trim().is_empty());
        ensure!(finding.verdict == Verdict::Ok || has_fix, "a finding does not say how to repair it: {finding:?}");
    }
    Ok(())
}

async fn no_side_effects(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.read(&ada).await?;
    provider.diagnose().await?;
    ensure!(provider.read(&ada).await? == before, "the diagnosis changed a user");
    if context.harness().not_applicable(Need::Mails).is_none() {
        ensure!(context.mails(&ada.email).await? == 0, "the diagnosis sent a mail");
    }
    Ok(())
}

async fn outage(context: CaseContext) -> TestResult<()> {
    let (proxy, provider) = context.proxied().await?;
    proxy.refuse().await;
    let findings = provider.diagnose_in(&scope(Duration::from_secs(2))).await?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "an outage is not found: {findings:?}");
    check_helpful(&findings)
}

async fn silence(context: CaseContext) -> TestResult<()> {
    let (proxy, provider) = context.proxied().await?;
    proxy.fail(Fault::Hang, When::Always);
    let findings = provider.diagnose_in(&scope(Duration::from_secs(1))).await?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "silence is not found: {findings:?}");
    Ok(())
}
