//! The two calls that have mails sent.

use idp_bridge_core::CallKind::{SendPasswordResetEmail, SendVerificationEmail};
use idp_bridge_core::{Call, CallKind, ErrorKind, Outcome};

use super::get::sibling;
use crate::bullet::{reset, verification};
use crate::case::{Case, case, case_of};
use crate::scene::{Person, Scene, ensure};
use crate::{Need, NewUser, Staged, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let (verify, choose) = (SendVerificationEmail, SendPasswordResetEmail);
    let one_mail = "mail::one_mail_goes_to_the_user_and_to_no_other";
    let unknown_name = "mail::an_unknown_user_is_not_found";
    let failure_name = "mail::a_failing_mail_system_is_unavailable_and_unknown";
    let unaccepted_name = "mail::a_success_that_accepts_nothing_is_an_error";
    let robot_name = "mail::a_service_account_gets_no_mail";
    vec![
        case_of(one_mail, verify, &[verification::SENT], sent).needs(&[Need::Mails]),
        case_of(one_mail, choose, &[reset::SENT], sent).needs(&[Need::Mails]),
        case("mail::an_order_for_a_verification_changes_nothing", &[verification::SENT], nothing_changes)
            .calls(&[verify]),
        case("mail::a_verified_user_gets_no_second_verification", &[verification::ALREADY], verified)
            .calls(&[verify])
            .needs(&[Need::Mails]),
        case_of(unknown_name, verify, &[verification::NOBODY], unknown),
        case_of(unknown_name, choose, &[reset::NOBODY], unknown),
        case("mail::a_user_without_an_email_is_in_the_wrong_state", &[verification::NOBODY], no_email)
            .calls(&[verify])
            .needs(&[Need::NoEmail]),
        case("mail::a_blocked_user_gets_no_verification_or_is_sent_one", &[verification::NOBODY], blocked_verification)
            .calls(&[verify])
            .needs(&[Need::Mails, Need::BlockedUser]),
        case("mail::a_blocked_user_gets_no_reset", &[reset::NOBODY], blocked_reset)
            .calls(&[choose])
            .needs(&[Need::Mails, Need::BlockedUser]),
        case("mail::a_shared_address_is_ambiguous_and_gets_no_reset", &[reset::NOBODY], shared)
            .calls(&[choose])
            .needs(&[Need::Mails, Need::SharedEmail]),
        case("mail::an_ordered_reset_leaves_the_password_as_it_is", &[reset::SENT], password_works)
            .calls(&[choose])
            .needs(&[Need::Login]),
        case_of(robot_name, verify, &[verification::NOBODY], service_account)
            .needs(&[Need::Mails, Need::ServiceAccount]),
        case_of(robot_name, choose, &[reset::NOBODY], service_account).needs(&[Need::Mails, Need::ServiceAccount]),
        case_of(failure_name, verify, &[verification::MAIL_FAILURE], undeliverable).needs(&[Need::UndeliverableMail]),
        case_of(unaccepted_name, verify, &[verification::SENT], unaccepted).needs(&[Need::UnacceptedMail(verify)]),
        case_of(unaccepted_name, choose, &[reset::SENT], unaccepted).needs(&[Need::UnacceptedMail(choose)]),
        case_of(failure_name, choose, &[reset::MAIL_FAILURE], undeliverable).needs(&[Need::UndeliverableMail]),
    ]
}

async fn sent(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "ada").await?;
    let grace = scene.person("grace").await?;
    let provider = scene.provider().await?;
    let before = scene.mails(&ada.email).await?;
    provider.ask(ada.call(kind)).await?.well()?;
    let mails = scene.mails(&ada.email).await? - before;
    ensure!(mails == 1, "one mail should have been sent, and {mails} were");
    ensure!(scene.mails(&grace.email).await? == 0, "somebody else got a mail");
    Ok(())
}

async fn nothing_changes(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.look(&ada).await?;
    provider.ask(ada.call(SendVerificationEmail)).await?.well()?;
    let after = provider.look(&ada).await?;
    ensure!(after.email_verified == before.email_verified, "the mere order of a mail marked the address as verified");
    ensure!(after.email == before.email, "the order of a mail changed the address");
    Ok(())
}

async fn verified(scene: Scene) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.email_verified = true).await?;
    let provider = scene.provider().await?;
    let before = scene.mails(&ada.email).await?;
    provider.ask(ada.call(SendVerificationEmail)).await?.well()?;
    ensure!(scene.mails(&ada.email).await? == before, "a verified user got another verification mail");
    Ok(())
}

async fn unknown(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let nobody = Person { id: sibling(&ada.id)?, email: scene.email("nobody")?, ..ada };
    scene.provider().await?.ask(nobody.call(kind)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn no_email(scene: Scene) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.email = None).await?;
    scene.provider().await?.ask(ada.call(SendVerificationEmail)).await?.fails(ErrorKind::State)?;
    Ok(())
}

/// An identity provider may send mails to blocked users; what it may not do is say one thing and do another.
async fn blocked_verification(scene: Scene) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.blocked = true).await?;
    let before = scene.mails(&ada.email).await?;
    let asked = scene.provider().await?.ask(ada.call(SendVerificationEmail)).await?;
    let accepted = asked.result.is_ok();
    if !accepted {
        asked.fails(ErrorKind::State)?;
    }
    let mails = scene.mails(&ada.email).await? - before;
    ensure!(mails == usize::from(accepted), "the answer was ok: {accepted}, and {mails} mails were sent");
    Ok(())
}

async fn blocked_reset(scene: Scene) -> Staged<()> {
    let shape = |user: &mut NewUser| (user.email_verified, user.blocked) = (true, true);
    let ada = scene.person_with("ada", shape).await?;
    let before = scene.mails(&ada.email).await?;
    scene.provider().await?.ask(ada.call(SendPasswordResetEmail)).await?.fails(ErrorKind::State)?;
    ensure!(scene.mails(&ada.email).await? == before, "a blocked user got a mail");
    Ok(())
}

async fn shared(scene: Scene) -> Staged<()> {
    let shared = scene.email("shared")?;
    for name in ["first", "second"] {
        let email = Some(shared.clone());
        scene.person_with(name, |user| user.email = email).await?;
    }
    let before = scene.mails(&shared).await?;
    scene.provider().await?.ask(Call::SendPasswordResetEmail(shared.clone())).await?.fails(ErrorKind::Ambiguous)?;
    ensure!(scene.mails(&shared).await? == before, "the address is ambiguous, and yet a mail was sent");
    Ok(())
}

async fn password_works(scene: Scene) -> Staged<()> {
    let password = "Correct-Horse-7-Battery";
    let shape = |user: &mut NewUser| (user.email_verified, user.password) = (true, Some(password.to_owned()));
    let ada = scene.person_with("ada", shape).await?;
    scene.provider().await?.ask(ada.call(SendPasswordResetEmail)).await?.well()?;
    ensure!(scene.harness().log_in(&ada.email, password).await?, "the order of a mail made the password useless");
    ensure!(!scene.harness().log_in(&ada.email, "another-Password-1").await?, "the harness lets any password in");
    Ok(())
}

async fn service_account(scene: Scene, kind: CallKind) -> Staged<()> {
    let robot = scene.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    scene.provider().await?.ask(robot.call(kind)).await?.fails(ErrorKind::NotFound)?;
    ensure!(scene.mails(&robot.email).await? == 0, "a service account got a mail");
    Ok(())
}

async fn undeliverable(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "undeliverable").await?;
    let asked = scene.provider().await?.ask(ada.call(kind)).await?;
    asked.has_outcome(Outcome::Unknown)?;
    asked.fails(ErrorKind::Unavailable)?;
    Ok(())
}

async fn unaccepted(scene: Scene, kind: CallKind) -> Staged<()> {
    let ada = scene.person_for(kind, "unaccepted").await?;
    let asked = scene.provider().await?.ask(ada.call(kind)).await?;
    asked.fails_with_one_of(&[ErrorKind::InvalidResponse, ErrorKind::Unavailable, ErrorKind::State])?;
    Ok(())
}
