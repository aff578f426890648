//! What a provider promises, and what it answers when asked for more.

use std::collections::BTreeSet;
use std::time::Duration;

use idp_bridge_core::{CallKind, Deleted, ErrorKind, Support};

use super::WRITES;
use crate::bullet::{capabilities, every};
use crate::case::{Case, case, case_of};
use crate::scene::{Scene, ensure, scope};
use crate::{Need, Staged};

/// How the reason begins for what is only missing until somebody writes it.
const LEFT: &str = "not written yet";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("capabilities::a_provider_promises_no_more_than_its_connector", &[capabilities::WITHIN], within),
        case("capabilities::what_is_limited_says_why", &[capabilities::WITHIN], reasons),
        case("capabilities::nothing_is_left_to_stage", &[capabilities::WITHIN], staged),
    ];
    for kind in CallKind::ALL {
        let name = format!("capabilities::an_unsupported_call_asks_nothing/{kind}");
        cases.push(case(name, &[every::UNSUPPORTED], move |scene| unsupported(scene, kind)).unsupported(kind));
        let name = format!("capabilities::an_unsupported_call_is_not_just_unwritten/{kind}");
        cases.push(case(name, &[capabilities::WITHIN], move |scene| written(scene, kind)).unsupported(kind));
        let name = "capabilities::a_call_that_is_late_at_once_does_nothing";
        cases.push(case_of(name, kind, &[every::DEADLINE], late_at_once));
    }
    cases
}

async fn within(scene: Scene) -> Staged<()> {
    let (provider, most) = (scene.provider().await?, scene.harness().connector_capabilities());
    let own = provider.capabilities();
    ensure!(own.is_within(&most), "the provider promises {own:?}, its connector only {most:?}");
    Ok(())
}

async fn reasons(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
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

/// A call that nobody has written yet is work that is left, and no limit of the identity provider.
async fn written(scene: Scene, kind: CallKind) -> Staged<()> {
    if let Support::Unsupported { reason } = scene.provider().await?.capabilities().call(kind) {
        let hint = "hint: write it and declare it, or give the reason why it can never be";
        ensure!(!reason.starts_with(LEFT), "`{kind}` is {reason}; {hint}");
    }
    Ok(())
}

/// The same for what the harness does not stage.
async fn staged(scene: Scene) -> Staged<()> {
    let needs = super::all().into_iter().flat_map(|case| case.needed().to_vec());
    let reasons = needs.filter_map(|need| Some((need, scene.harness().not_applicable(need)?)));
    let left = reasons.filter(|(_, reason)| reason.starts_with(LEFT));
    let left: BTreeSet<String> = left.map(|(need, reason)| format!("\n  `Need::{need:?}` is {reason}")).collect();
    let left = Vec::from_iter(left).concat();
    ensure!(left.is_empty(), "the harness has something left to stage, or to say why it never can:{left}");
    Ok(())
}

async fn unsupported(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let asked = provider.ask(ada.call(kind)).await?;
    asked.asked_nothing()?;
    asked.fails(ErrorKind::Unsupported)?;
    if scene.harness().not_applicable(Need::Upstream).is_none() {
        let (proxy, provider) = scene.proxied().await?;
        provider.ask(ada.call(kind)).await?.fails(ErrorKind::Unsupported)?;
        ensure!(proxy.requests() == 0, "`{kind}` is unsupported, and yet {} requests were made", proxy.requests());
    }
    Ok(())
}

async fn late_at_once(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.look(&ada).await?;
    provider.ask_in(&scope(Duration::ZERO), ada.call(kind)).await?.fails(ErrorKind::Timeout)?;
    if WRITES.contains(&kind) {
        ensure!(provider.look(&ada).await? == before, "`{kind}` was late before it began, and yet it changed the user");
    }
    if kind == CallKind::Delete {
        let deleted = provider.ask(ada.call(kind)).await?.deleted()?;
        ensure!(deleted != Deleted::Absent, "a delete that was late at once deleted the user");
    }
    Ok(())
}
