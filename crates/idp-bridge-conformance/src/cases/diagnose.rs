//! The diagnosis of a healthy provider, and of one that the identity provider keeps from everything.

use std::time::Duration;

use idp_bridge_core::{CallKind, Finding, Verdict};

use crate::bullet::{diagnose, every};
use crate::case::{Case, case};
use crate::fault::{Fault, When};
use crate::scene::{Scene, ensure, scope};
use crate::{Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("diagnose::every_possible_call_is_named_and_nothing_failed", &[diagnose::NAMED], healthy),
        case("diagnose::it_has_no_side_effects", &[diagnose::NO_SIDE_EFFECTS], no_side_effects)
            .calls(&[CallKind::GetById]),
        case("diagnose::an_outage_is_found_in_time", &[every::NEVER_NOT_FOUND, every::DEADLINE], outage)
            .needs(&[Need::Upstream]),
        case("diagnose::a_silent_identity_provider_is_found_in_time", &[every::DEADLINE], silence)
            .needs(&[Need::Upstream]),
    ]
}

async fn healthy(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    let findings = provider.diagnose().await?;
    for kind in CallKind::ALL.into_iter().filter(|kind| provider.can(*kind)) {
        ensure!(findings.iter().any(|finding| finding.calls.contains(&kind)), "no finding names `{kind}`");
    }
    let failed: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect();
    ensure!(failed.is_empty(), "nothing is wrong, and yet these failed: {failed:?}");
    are_helpful(&findings)
}

/// That whoever reads them knows what to do.
pub(super) fn are_helpful(findings: &[Finding]) -> Staged<()> {
    for finding in findings {
        ensure!(!finding.check.trim().is_empty(), "a finding does not say what was checked: {finding:?}");
        let mended = finding.fix.as_deref().is_some_and(|fix| !fix.trim().is_empty());
        ensure!(finding.verdict == Verdict::Ok || mended, "a finding does not say how to mend it: {finding:?}");
    }
    Ok(())
}

async fn no_side_effects(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.look(&ada).await?;
    provider.diagnose().await?;
    ensure!(provider.look(&ada).await? == before, "the diagnosis changed a user");
    if scene.harness().not_applicable(Need::Mails).is_none() {
        ensure!(scene.mails(&ada.email).await? == 0, "the diagnosis sent a mail");
    }
    Ok(())
}

async fn outage(scene: Scene) -> Staged<()> {
    let (proxy, provider) = scene.proxied().await?;
    proxy.refuse().await;
    let findings = provider.diagnose_in(&scope(Duration::from_secs(2))).await?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "an outage is not found: {findings:?}");
    are_helpful(&findings)
}

async fn silence(scene: Scene) -> Staged<()> {
    let (proxy, provider) = scene.proxied().await?;
    proxy.fail(Fault::Hang, When::Always);
    let findings = provider.diagnose_in(&scope(Duration::from_secs(1))).await?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "silence is not found: {findings:?}");
    Ok(())
}
