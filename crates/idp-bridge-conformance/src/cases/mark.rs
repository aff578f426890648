//! Marking an address as verified.

use std::sync::Arc;

use idp_bridge_core::{Call, CallKind, Email, ErrorKind, Fidelity, Field, Outcome, UserRecord};

use super::get::sibling;
use crate::bullet::mark;
use crate::case::{Case, case};
use crate::context::{CaseContext, Person, Provider, ample, ensure};
use crate::fault::{Fault, When};
use crate::{Need, NewUser, TestResult, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let cases = vec![
        case("mark::the_address_is_verified_and_nothing_else_changes", &[mark::MARKED], |context| {
            marks(context, |_| {})
        }),
        case("mark::a_verified_user_is_not_an_error", &[mark::ALREADY], |context| {
            marks(context, |user| user.email_verified = true)
        }),
        case("mark::a_blocked_user_is_marked", &[mark::ANY_USER], |context| marks(context, |user| user.blocked = true))
            .needs(&[Need::BlockedUser]),
        case("mark::a_user_without_a_customer_is_marked", &[mark::ANY_USER], |context| {
            marks(context, |user| user.customers.clear())
        })
        .needs(&[Need::NoCustomer]),
        case("mark::the_expected_address_is_marked_in_any_ascii_case", &[mark::EXPECTED], expected),
        case("mark::another_expected_address_is_a_conflict", &[mark::EXPECTED], unexpected),
        case("mark::an_address_that_changes_meanwhile_is_set_back", &[mark::EXPECTED], changed_meanwhile)
            .needs(&[Need::Upstream, Need::ChangeEmail]),
        case("mark::an_unknown_user_is_not_found", &[mark::REFUSED], unknown),
        case("mark::a_user_without_an_email_is_a_state_error", &[mark::REFUSED], no_email).needs(&[Need::NoEmail]),
        case("mark::a_service_account_is_not_found", &[mark::REFUSED], service_account).needs(&[Need::ServiceAccount]),
    ];
    cases.into_iter().map(|case| case.calls(&[CallKind::MarkEmailVerified])).collect()
}

fn call(person: &Person, expected: Option<Email>) -> Call {
    Call::MarkEmailVerified { id: person.id.clone(), email: expected }
}

/// Returns the record as it should be after the mark.
fn marked(before: UserRecord, after: &UserRecord, provider: &Provider<'_>) -> UserRecord {
    let has_field = provider.capabilities().field(Field::EmailVerified) != Fidelity::Absent;
    UserRecord { email_verified: has_field.then_some(true), update_time: after.update_time, ..before }
}

async fn marks(context: CaseContext, shape: fn(&mut NewUser)) -> TestResult<()> {
    let (ada, grace) = (context.person_with("ada", shape).await?, context.person("grace").await?);
    let provider = context.provider().await?;
    let (before, bystander) = (provider.read(&ada).await?, provider.read(&grace).await?);
    provider.run(call(&ada, None)).await?.succeeds()?;
    let after = provider.read(&ada).await?;
    ensure!(after.update_time >= before.update_time, "`update_time` went backwards");
    let wanted = marked(before, &after, &provider);
    ensure!(after == wanted, "after the mark the user should be {wanted:?}, not {after:?}");
    ensure!(provider.read(&grace).await? == bystander, "the mark of one user changed another");
    Ok(())
}

async fn expected(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let upper = Email::new(ada.email.as_str().to_ascii_uppercase())?;
    provider.run(call(&ada, Some(upper))).await?.succeeds()?;
    ensure!(provider.read(&ada).await?.email_verified != Some(false), "the expected address was not marked");
    Ok(())
}

async fn unexpected(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.read(&ada).await?;
    let answer = provider.run(call(&ada, Some(context.email("other")?))).await?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.fails(ErrorKind::Conflict)?;
    ensure!(provider.read(&ada).await? == before, "the mark was a conflict, but the user changed");
    Ok(())
}

/// The address changes between the provider's read and its write.
async fn changed_meanwhile(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let (proxy, provider) = context.proxied_and_warm(&ada).await?;
    let (scope, other) = (ample(), context.email("other")?);
    let (harness, id, email) = (context.harness_handle(), ada.id.clone(), other.clone());
    let change = move || {
        let (harness, id, email) = (Arc::clone(&harness), id.clone(), email.clone());
        Box::pin(async move {
            // If the change fails, the mark succeeds and the check below fails.
            let _ = harness.change_email(&id, &email).await;
        }) as _
    };
    proxy.fail(Fault::After(Arc::new(change)), When::FirstWrite(scope.recorder().clone()));
    let answer = provider.run_in(&scope, call(&ada, Some(ada.email.clone()))).await?;
    answer.check_written(proxy.faulted())?;
    // A write that names the address is refused. Any other one was applied, and is undone.
    answer.has_outcome(if proxy.was_refused() { Outcome::NotApplied } else { Outcome::Unknown })?;
    answer.fails(ErrorKind::Conflict)?;
    let now = Person { email: other, ..ada };
    let after = provider.read(&now).await?;
    ensure!(after.email_verified != Some(true), "an unverified address was left marked as verified");
    Ok(())
}

async fn unknown(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let unknown = Person { id: sibling(&ada.id)?, ..ada };
    for expected in [None, Some(unknown.email.clone())] {
        provider.run(call(&unknown, expected)).await?.fails(ErrorKind::NotFound)?;
    }
    Ok(())
}

async fn no_email(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.email = None).await?;
    context.provider().await?.run(call(&ada, None)).await?.fails(ErrorKind::State)?;
    Ok(())
}

async fn service_account(context: CaseContext) -> TestResult<()> {
    let robot = context.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    context.provider().await?.run(call(&robot, None)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}
