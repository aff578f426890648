//! Negative controls: providers with a wrong secret, realm or right.

use idp_bridge_core::{CallKind, ErrorKind, Verdict};

use super::diagnose::check_helpful;
use super::{READS, WRITES};
use crate::bullet::{diagnose, every};
use crate::case::{Case, call_case, case};
use crate::context::{CaseContext, ensure};
use crate::{Control, Need, Setup, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for control in Control::ALL {
        let (name, need) = (name(control), Need::Control(control));
        let forbidden = if control == Control::ReadOnlyRole { &WRITES[..] } else { &CallKind::ALL[..] };
        for kind in forbidden {
            let name = format!("controls::{name}_is_an_error");
            cases.push(
                call_case(&name, *kind, &[every::NEVER_NOT_FOUND], move |context, kind| {
                    refused(context, control, kind)
                })
                .needs(&[need, Need::ControlOf(control, *kind)]),
            );
        }
        let proves: &[_] = if hides(control) { &[diagnose::BROKEN, diagnose::HIDDEN] } else { &[diagnose::BROKEN] };
        cases.push(
            case(format!("controls::{name}_is_diagnosed"), proves, move |context| diagnosed(context, control))
                .needs(&[need]),
        );
    }
    for kind in READS {
        let need = Need::Control(Control::ReadOnlyRole);
        let name = "controls::a_read_only_role_is_enough_to_read";
        cases.push(call_case(name, kind, &[diagnose::BROKEN], still_read).needs(&[need]));
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

async fn refused(context: CaseContext, control: Control, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let healthy = context.provider().await?;
    let before = healthy.read(&ada).await?;
    let answer = context.provider_with(Setup::Broken(control)).await?.run(ada.call(kind)).await?;
    answer.has_outcome(idp_bridge_core::Outcome::NotApplied)?;
    answer.fails_with_one_of(kinds(control))?;
    ensure!(healthy.read(&ada).await? == before, "the call was refused, but the user changed");
    Ok(())
}

async fn still_read(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let user = context.provider_with(Setup::Broken(Control::ReadOnlyRole)).await?.run(ada.call(kind)).await?.user()?;
    ensure!(user.id == ada.id, "another user was returned");
    Ok(())
}

async fn diagnosed(context: CaseContext, control: Control) -> TestResult<()> {
    let provider = context.provider_with(Setup::Broken(control)).await?;
    let findings = provider.diagnose().await?;
    check_helpful(&findings)?;
    ensure!(findings.iter().any(|finding| finding.verdict == Verdict::Failed), "nothing failed: {findings:?}");
    let denied = if control == Control::ReadOnlyRole { &WRITES[..] } else { &CallKind::ALL[..] };
    let is_broken = |kind| context.harness().not_applicable(Need::ControlOf(control, kind)).is_none();
    for kind in denied.iter().filter(|kind| provider.supports(**kind) && is_broken(**kind)) {
        let mut about = findings.iter().filter(|finding| finding.calls.contains(kind));
        let is_doubted = about.any(|finding| finding.verdict != Verdict::Ok);
        ensure!(is_doubted, "`{kind}` cannot work, but every finding about it is ok: {findings:?}");
    }
    Ok(())
}
