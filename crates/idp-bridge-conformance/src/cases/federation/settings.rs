//! Metadata for applications, and diagnoses of the settings.

use std::time::Duration;

use http::Uri;
use idp_bridge_core::{ErrorKind, Finding, Verdict};

use super::oauth;
use crate::bullet::{metadata, oauth as every, oauth_diagnose};
use crate::case::Case;
use crate::cases::diagnose::check_helpful;
use crate::context::{CaseContext, ample, ensure, scope};
use crate::fault::{Fault, When};
use crate::{Control, Need, Setup, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_settings::{name}");
    let denied = Need::Control(Control::MissingRole);
    vec![
        oauth(name("metadata_has_absolute_urls"), &[metadata::ABSOLUTE], metadata_is_absolute),
        oauth(name("an_outage_is_not_metadata"), &[every::OUTAGE, every::ONLY_BAD_TOKENS], no_metadata)
            .needs(&[Need::Upstream]),
        oauth(name("correct_settings_pass"), &[oauth_diagnose::HIDDEN], healthy),
        oauth(name("a_wrong_client_secret_is_found"), &[oauth_diagnose::BROKEN], wrong_secret)
            .needs(&[Need::WrongClientSecret]),
        oauth(name("a_missing_right_turns_no_check_ok"), &[oauth_diagnose::HIDDEN], denied_right).needs(&[denied]),
        oauth(name("a_diagnosis_has_no_side_effects"), &[oauth_diagnose::NO_SIDE_EFFECTS], no_side_effects),
        oauth(name("an_outage_is_found_in_time"), &[every::DEADLINE], outage).needs(&[Need::Upstream]),
        oauth(name("a_silent_identity_provider_is_found_in_time"), &[every::DEADLINE], silence)
            .needs(&[Need::Upstream]),
    ]
}

async fn metadata_is_absolute(context: CaseContext) -> TestResult<()> {
    let metadata = context.provider().await?.metadata_in(&ample()).await?.succeeds()?;
    let issuer = context.facts()?.issuer;
    ensure!(metadata.issuer == issuer, "the issuer should be `{issuer}`, not `{}`", metadata.issuer);
    for endpoint in [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri] {
        let url: Uri = endpoint.parse().map_err(|_| format!("`{endpoint}` is not a URL"))?;
        let absolute =
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
        ensure!(absolute && !endpoint.contains('#'), "`{endpoint}` is not an absolute URL");
    }
    let openid = metadata.scopes.iter().any(|scope| scope == "openid");
    ensure!(openid, "the scopes lack `openid`: {:?}", metadata.scopes);
    Ok(())
}

/// The metadata is known without a request, or an outage is an error.
async fn no_metadata(context: CaseContext) -> TestResult<()> {
    for (fault, kinds) in [
        (Fault::Status(503), &[ErrorKind::Unavailable][..]),
        (Fault::garbage(), &[ErrorKind::InvalidResponse]),
        (Fault::Hang, &[ErrorKind::Timeout]),
    ] {
        let (proxy, provider) = context.proxied().await?;
        proxy.fail(fault, When::Always);
        let answer = provider.metadata_in(&scope(Duration::from_secs(1))).await?;
        if proxy.faulted() > 0 {
            answer.fails(kinds)?;
        } else {
            answer.succeeds()?;
        }
        proxy.heal();
        provider.metadata_in(&ample()).await?.succeeds()?;
    }
    Ok(())
}

fn failed(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect()
}

async fn healthy(context: CaseContext) -> TestResult<()> {
    let findings = context.provider().await?.diagnose_oauth_in(&ample()).await?;
    ensure!(!findings.is_empty(), "nothing was checked");
    ensure!(failed(&findings).is_empty(), "the settings are right, but these checks failed: {:?}", failed(&findings));
    check_helpful(&findings)
}

async fn wrong_secret(context: CaseContext) -> TestResult<()> {
    let provider = context.provider_with(Setup::WrongClientSecret).await?;
    let findings = provider.diagnose_oauth_in(&ample()).await?;
    ensure!(!failed(&findings).is_empty(), "a client's secret is wrong, but no check failed: {findings:?}");
    check_helpful(&findings)
}

async fn denied_right(context: CaseContext) -> TestResult<()> {
    let seen = context.provider().await?.diagnose_oauth_in(&ample()).await?;
    let findings =
        context.provider_with(Setup::Broken(Control::MissingRole)).await?.diagnose_oauth_in(&ample()).await?;
    check_helpful(&findings)?;
    for finding in findings.iter().filter(|finding| finding.verdict == Verdict::Ok) {
        let hidden = seen.iter().any(|other| other.check == finding.check && other.verdict != Verdict::Ok);
        ensure!(!hidden, "this is ok without rights, but was not with all rights: {finding:?}");
    }
    Ok(())
}

async fn no_side_effects(context: CaseContext) -> TestResult<()> {
    let mut ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    let before = context.check_tokens(&mut ada).await?;
    provider.diagnose_oauth_in(&ample()).await?;
    ensure!(context.check_tokens(&mut ada).await? == before, "the diagnosis changed a login");
    provider.validate(&ada.tokens.access).await?.succeeds().map(drop)
}

async fn outage(context: CaseContext) -> TestResult<()> {
    let (proxy, provider) = context.proxied().await?;
    proxy.refuse().await;
    let findings = provider.diagnose_oauth_in(&scope(Duration::from_secs(2))).await?;
    ensure!(!failed(&findings).is_empty(), "an outage is not found: {findings:?}");
    check_helpful(&findings)
}

async fn silence(context: CaseContext) -> TestResult<()> {
    let (proxy, provider) = context.proxied().await?;
    proxy.fail(Fault::Hang, When::Always);
    let findings = provider.diagnose_oauth_in(&scope(Duration::from_secs(1))).await?;
    ensure!(!failed(&findings).is_empty(), "silence is not found: {findings:?}");
    Ok(())
}
