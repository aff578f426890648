//! Verification and password reset mails.

use idp_bridge_core::CallKind::{SendPasswordResetEmail, SendVerificationEmail};
use idp_bridge_core::{Call, CallKind, ErrorKind, Outcome};

use super::get::{sibling, two_users};
use crate::bullet::{reset, verification};
use crate::case::{Case, call_case, case};
use crate::context::{CaseContext, Person, ensure};
use crate::{Need, NewUser, TestResult, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let (verify, choose) = (SendVerificationEmail, SendPasswordResetEmail);
    let mut cases = vec![
        case("mail::a_requested_verification_changes_no_user", &[verification::SENT], nothing_changes).calls(&[verify]),
        case("mail::a_verified_user_gets_no_second_verification", &[verification::ALREADY], verified)
            .calls(&[verify])
            .needs(&[Need::Mails]),
        case("mail::a_user_without_an_email_is_a_state_error", &[verification::REFUSED], no_email)
            .calls(&[verify])
            .needs(&[Need::NoEmail]),
        case(
            "mail::a_verification_for_a_blocked_user_is_sent_or_refused",
            &[verification::REFUSED],
            blocked_verification,
        )
        .calls(&[verify])
        .needs(&[Need::Mails, Need::BlockedUser]),
        case("mail::a_blocked_user_gets_no_reset", &[reset::REFUSED], blocked_reset)
            .calls(&[choose])
            .needs(&[Need::Mails, Need::BlockedUser]),
        case("mail::a_shared_address_is_ambiguous_and_gets_no_reset", &[reset::REFUSED], shared)
            .calls(&[choose])
            .needs(&[Need::Mails, Need::SharedEmail]),
        case("mail::a_requested_reset_keeps_the_password", &[reset::SENT], password_works)
            .calls(&[choose])
            .needs(&[Need::Login]),
    ];
    for (kind, sent_bullet, refused, failure) in [
        (verify, verification::SENT, verification::REFUSED, verification::MAIL_FAILURE),
        (choose, reset::SENT, reset::REFUSED, reset::MAIL_FAILURE),
    ] {
        cases.extend([
            call_case("mail::exactly_one_mail_goes_to_the_user", kind, &[sent_bullet], sent).needs(&[Need::Mails]),
            call_case("mail::an_unknown_user_is_not_found", kind, &[refused], unknown),
            call_case("mail::a_service_account_gets_no_mail", kind, &[refused], service_account)
                .needs(&[Need::Mails, Need::ServiceAccount]),
            call_case("mail::a_failing_mail_system_is_unavailable_and_unknown", kind, &[failure], undeliverable)
                .needs(&[Need::UndeliverableMail]),
            call_case("mail::an_unaccepted_mail_is_an_error", kind, &[sent_bullet], unaccepted)
                .needs(&[Need::UnacceptedMail(kind)]),
        ]);
    }
    cases
}

async fn sent(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "ada").await?;
    let grace = context.person("grace").await?;
    let provider = context.provider().await?;
    let before = context.mails(&ada.email).await?;
    provider.run(ada.call(kind)).await?.succeeds()?;
    let mails = context.mails(&ada.email).await? - before;
    ensure!(mails == 1, "one mail should have been sent, not {mails}");
    ensure!(context.mails(&grace.email).await? == 0, "another user got a mail");
    Ok(())
}

async fn nothing_changes(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.read(&ada).await?;
    provider.run(ada.call(SendVerificationEmail)).await?.succeeds()?;
    let after = provider.read(&ada).await?;
    ensure!(after.email_verified == before.email_verified, "the request of a mail marked the address as verified");
    ensure!(after.email == before.email, "the request of a mail changed the address");
    Ok(())
}

async fn verified(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.email_verified = true).await?;
    let provider = context.provider().await?;
    let before = context.mails(&ada.email).await?;
    provider.run(ada.call(SendVerificationEmail)).await?.succeeds()?;
    ensure!(context.mails(&ada.email).await? == before, "a verified user got another verification mail");
    Ok(())
}

async fn unknown(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let unknown = Person { id: sibling(&ada.id)?, email: context.email("unknown")?, ..ada };
    context.provider().await?.run(unknown.call(kind)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn no_email(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.email = None).await?;
    context.provider().await?.run(ada.call(SendVerificationEmail)).await?.fails(ErrorKind::State)?;
    Ok(())
}

/// A mail to a blocked user may be sent or refused, but the result must say which.
async fn blocked_verification(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.blocked = true).await?;
    let before = context.mails(&ada.email).await?;
    let answer = context.provider().await?.run(ada.call(SendVerificationEmail)).await?;
    let accepted = answer.result.is_ok();
    if !accepted {
        answer.fails(ErrorKind::State)?;
    }
    let mails = context.mails(&ada.email).await? - before;
    ensure!(mails == usize::from(accepted), "the call succeeded: {accepted}, but {mails} mails were sent");
    Ok(())
}

async fn blocked_reset(context: CaseContext) -> TestResult<()> {
    let shape = |user: &mut NewUser| (user.email_verified, user.blocked) = (true, true);
    let ada = context.person_with("ada", shape).await?;
    let before = context.mails(&ada.email).await?;
    context.provider().await?.run(ada.call(SendPasswordResetEmail)).await?.fails(ErrorKind::State)?;
    ensure!(context.mails(&ada.email).await? == before, "a blocked user got a mail");
    Ok(())
}

async fn shared(context: CaseContext) -> TestResult<()> {
    let shared = context.email("shared")?;
    two_users(&context, |user| user.email = Some(shared.clone())).await?;
    let before = context.mails(&shared).await?;
    context.provider().await?.run(Call::SendPasswordResetEmail(shared.clone())).await?.fails(ErrorKind::Ambiguous)?;
    ensure!(context.mails(&shared).await? == before, "the address is ambiguous, but a mail was sent");
    Ok(())
}

async fn password_works(context: CaseContext) -> TestResult<()> {
    let password = "Correct-Horse-7-Battery";
    let shape = |user: &mut NewUser| (user.email_verified, user.password) = (true, Some(password.to_owned()));
    let ada = context.person_with("ada", shape).await?;
    context.provider().await?.run(ada.call(SendPasswordResetEmail)).await?.succeeds()?;
    ensure!(context.harness().log_in(&ada.email, password).await?, "the request of a mail invalidated the password");
    ensure!(!context.harness().log_in(&ada.email, "another-Password-1").await?, "the harness accepts any password");
    Ok(())
}

async fn service_account(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let robot = context.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    context.provider().await?.run(robot.call(kind)).await?.fails(ErrorKind::NotFound)?;
    ensure!(context.mails(&robot.email).await? == 0, "a service account got a mail");
    Ok(())
}

async fn undeliverable(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "undeliverable").await?;
    let answer = context.provider().await?.run(ada.call(kind)).await?;
    answer.has_outcome(Outcome::Unknown)?;
    answer.fails(ErrorKind::Unavailable)?;
    Ok(())
}

async fn unaccepted(context: CaseContext, kind: CallKind) -> TestResult<()> {
    let ada = context.person_for(kind, "unaccepted").await?;
    let answer = context.provider().await?.run(ada.call(kind)).await?;
    answer.fails_with_one_of(&[ErrorKind::InvalidResponse, ErrorKind::Unavailable, ErrorKind::State])?;
    Ok(())
}
