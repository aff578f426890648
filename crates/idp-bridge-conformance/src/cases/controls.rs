//! Negative controls: what a provider says whose secret, realm or rights are wrong.

use idp_bridge_core::{CallKind, ErrorKind, Verdict};

use super::diagnose::are_helpful;
use super::{READS, WRITES};
use crate::bullet::{diagnose, every};
use crate::case::{Case, case, case_of};
use crate::scene::{Scene, ensure};
use crate::{Control, Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for control in Control::ALL {
        let (name, need) = (name(control), Need::Control(control));
        let forbidden = if control == Control::ReadOnlyRole { &WRITES[..] } else { &CallKind::ALL[..] };
        for kind in forbidden {
            let name = format!("controls::{name}_is_no_answer");
            cases.push(
                case_of(&name, *kind, &[every::NEVER_NOT_FOUND], move |scene, kind| refused(scene, control, kind))
                    .needs(&[need, Need::ControlOf(control, *kind)]),
            );
        }
        let proves: &[_] = if hides(control) { &[diagnose::BROKEN, diagnose::HIDDEN] } else { &[diagnose::BROKEN] };
        cases.push(
            case(format!("controls::{name}_is_diagnosed"), proves, move |scene| diagnosed(scene, control))
                .needs(&[need]),
        );
    }
    for kind in READS {
        let need = Need::Control(Control::ReadOnlyRole);
        let name = "controls::a_read_only_role_is_enough_to_read";
        cases.push(case_of(name, kind, &[diagnose::BROKEN], still_read).needs(&[need]));
    }
    cases
}

fn name(control: Control) -> &'static str {
    match control {
        Control::WrongSecret => "a_wrong_secret",
        Control::WrongRealm => "a_wrong_realm",
        Control::MissingRole => "a_missing_role",
        Control::NarrowRole => "a_narrow_role",
        Control::ReadOnlyRole => "a_read_only_role",
    }
}

fn hides(control: Control) -> bool {
    matches!(control, Control::MissingRole | Control::NarrowRole | Control::ReadOnlyRole)
}

fn kinds(control: Control) -> &'static [ErrorKind] {
    match control {
        Control::WrongSecret => &[ErrorKind::Unauthenticated],
        Control::WrongRealm => &[ErrorKind::Misconfigured, ErrorKind::Unauthenticated],
        Control::MissingRole | Control::NarrowRole | Control::ReadOnlyRole => &[ErrorKind::PermissionDenied],
    }
}

async fn refused(scene: Scene, control: Control, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let healthy = scene.provider().await?;
    let before = healthy.look(&ada).await?;
    let asked = scene.broken(control).await?.ask(ada.call(kind)).await?;
    asked.has_outcome(idp_bridge_core::Outcome::NotApplied)?;
    asked.fails_with_one_of(kinds(control))?;
    ensure!(healthy.look(&ada).await? == before, "the call was refused, and yet the user changed");
    Ok(())
}

async fn still_read(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let user = scene.broken(Control::ReadOnlyRole).await?.ask(ada.call(kind)).await?.user()?;
    ensure!(user.id == ada.id, "another user was answered");
    Ok(())
}

async fn diagnosed(scene: Scene, control: Control) -> Staged<()> {
    let provider = scene.broken(control).await?;
    let findings = provider.diagnose().await?;
    are_helpful(&findings)?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "nothing failed: {findings:?}");
    let denied = if control == Control::ReadOnlyRole { &WRITES[..] } else { &CallKind::ALL[..] };
    let is_broken = |kind| scene.harness().not_applicable(Need::ControlOf(control, kind)).is_none();
    for kind in denied.iter().filter(|kind| provider.can(**kind) && is_broken(**kind)) {
        let mut about = findings.iter().filter(|finding| finding.calls.contains(kind));
        let doubted = about.any(|finding| finding.verdict != Verdict::Ok);
        ensure!(doubted, "`{kind}` cannot work, and the diagnosis finds nothing wrong with it: {findings:?}");
    }
    Ok(())
}
