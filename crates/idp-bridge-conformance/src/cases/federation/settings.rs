//! What applications are told, and what a diagnosis finds in the settings.

use std::time::Duration;

use http::Uri;
use idp_bridge_core::{ErrorKind, Finding, Verdict};

use super::oauth;
use crate::bullet::{metadata, oauth as every, oauth_diagnose};
use crate::case::Case;
use crate::cases::diagnose::are_helpful;
use crate::fault::{Fault, When};
use crate::scene::{Scene, ample, ensure, scope};
use crate::{Control, Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_settings::{name}");
    let denied = Need::Control(Control::MissingRole);
    vec![
        oauth(name("applications_are_told_where_to_log_in"), &[metadata::ABSOLUTE], told),
        oauth(name("an_outage_is_no_metadata"), &[every::OUTAGE, every::ONLY_BAD_TOKENS], no_metadata)
            .needs(&[Need::Upstream]),
        oauth(name("nothing_fails_if_nothing_is_wrong"), &[oauth_diagnose::HIDDEN], healthy),
        oauth(name("a_wrong_client_secret_is_found"), &[oauth_diagnose::BROKEN], wrong_secret)
            .needs(&[Need::WrongClientSecret]),
        oauth(name("a_missing_right_shows_no_more"), &[oauth_diagnose::HIDDEN], denied_right).needs(&[denied]),
        oauth(name("a_diagnosis_has_no_side_effects"), &[oauth_diagnose::NO_SIDE_EFFECTS], no_side_effects),
        oauth(name("an_outage_is_found_in_time"), &[every::DEADLINE], outage).needs(&[Need::Upstream]),
        oauth(name("a_silent_identity_provider_is_found_in_time"), &[every::DEADLINE], silence)
            .needs(&[Need::Upstream]),
    ]
}

async fn told(scene: Scene) -> Staged<()> {
    let told = scene.provider().await?.metadata_in(&ample()).await?.good()?;
    let issuer = scene.facts()?.issuer;
    ensure!(told.issuer == issuer, "the issuer is `{issuer}`, and `{}` was told", told.issuer);
    for endpoint in [&told.authorization_endpoint, &told.token_endpoint, &told.jwks_uri] {
        let url: Uri = endpoint.parse().map_err(|_| format!("`{endpoint}` is no URL"))?;
        let absolute =
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
        ensure!(absolute && !endpoint.contains('#'), "`{endpoint}` is no absolute URL");
    }
    let openid = told.scopes.iter().any(|scope| scope == "openid");
    ensure!(openid, "without `openid` there is no login by OpenID Connect: {:?}", told.scopes);
    Ok(())
}

/// Either it is known without asking, or the outage is told as one.
async fn no_metadata(scene: Scene) -> Staged<()> {
    for (fault, kinds) in [
        (Fault::Status(503), &[ErrorKind::Unavailable][..]),
        (Fault::garbage(), &[ErrorKind::InvalidResponse]),
        (Fault::Hang, &[ErrorKind::Timeout]),
    ] {
        let (proxy, provider) = scene.proxied().await?;
        proxy.fail(fault, When::Always);
        let told = provider.metadata_in(&scope(Duration::from_secs(1))).await?;
        if proxy.faulted() > 0 {
            told.fails(kinds)?;
        } else {
            told.good()?;
        }
        proxy.heal();
        provider.metadata_in(&ample()).await?.good()?;
    }
    Ok(())
}

fn failed(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.verdict == Verdict::Failed).collect()
}

async fn healthy(scene: Scene) -> Staged<()> {
    let findings = scene.provider().await?.diagnose_oauth_in(&ample()).await?;
    ensure!(!findings.is_empty(), "nothing was checked");
    ensure!(failed(&findings).is_empty(), "nothing is wrong, and yet these failed: {:?}", failed(&findings));
    are_helpful(&findings)
}

async fn wrong_secret(scene: Scene) -> Staged<()> {
    let provider = scene.around(scene.oauth()?.provider_with_wrong_client_secret().await?);
    let findings = provider.diagnose_oauth_in(&ample()).await?;
    ensure!(!failed(&findings).is_empty(), "a client's secret is wrong, and nothing failed: {findings:?}");
    are_helpful(&findings)
}

async fn denied_right(scene: Scene) -> Staged<()> {
    let seen = scene.provider().await?.diagnose_oauth_in(&ample()).await?;
    let findings = scene.broken(Control::MissingRole).await?.diagnose_oauth_in(&ample()).await?;
    are_helpful(&findings)?;
    for finding in findings.iter().filter(|finding| finding.verdict == Verdict::Ok) {
        let hidden = seen.iter().any(|other| other.check == finding.check && other.verdict != Verdict::Ok);
        ensure!(!hidden, "without any right this is ok, and with all of them it was not: {finding:?}");
    }
    Ok(())
}

async fn no_side_effects(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    let before = scene.alive(&mut ada).await?;
    provider.diagnose_oauth_in(&ample()).await?;
    ensure!(scene.alive(&mut ada).await? == before, "the diagnosis changed a login");
    provider.validate(&ada.tokens.access).await?.good().map(drop)
}

async fn outage(scene: Scene) -> Staged<()> {
    let (proxy, provider) = scene.proxied().await?;
    proxy.refuse().await;
    let findings = provider.diagnose_oauth_in(&scope(Duration::from_secs(2))).await?;
    ensure!(!failed(&findings).is_empty(), "an outage is not found: {findings:?}");
    are_helpful(&findings)
}

async fn silence(scene: Scene) -> Staged<()> {
    let (proxy, provider) = scene.proxied().await?;
    proxy.fail(Fault::Hang, When::Always);
    let findings = provider.diagnose_oauth_in(&scope(Duration::from_secs(1))).await?;
    ensure!(!failed(&findings).is_empty(), "silence is not found: {findings:?}");
    Ok(())
}
