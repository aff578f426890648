//! Deletes.

use idp_bridge_core::{Call, CallKind, CustomerId, Deleted, ErrorKind};

use super::READS;
use super::get::sibling;
use crate::bullet::delete;
use crate::case::{Case, case};
use crate::context::{CaseContext, Person, Provider, ensure};
use crate::{Need, NewUser, TestResult, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let cases = vec![
        case("delete::a_deleted_user_is_gone_by_every_key", &[delete::GONE, delete::NO_OTHER], gone),
        case("delete::a_repeated_delete_is_not_an_error", &[delete::ABSENT], repeated),
        case("delete::an_unknown_user_is_absent", &[delete::ABSENT, delete::NO_OTHER], unknown),
        case("delete::a_blocked_user_is_deleted", &[delete::GONE], |context| {
            is_deleted(context, |user| user.blocked = true)
        })
        .needs(&[Need::BlockedUser]),
        case("delete::a_user_without_a_customer_is_deleted", &[delete::WITHOUT], |context| {
            is_deleted(context, |user| user.customers.clear())
        })
        .needs(&[Need::NoCustomer]),
        case("delete::a_user_of_several_customers_is_deleted", &[delete::WITHOUT], |context| {
            is_deleted(context, |user| user.customers.extend(CustomerId::new("cust-other")))
        })
        .needs(&[Need::SeveralCustomers]),
        case("delete::a_user_without_an_email_is_deleted", &[delete::WITHOUT], |context| {
            is_deleted(context, |user| user.email = None)
        })
        .needs(&[Need::NoEmail]),
        case("delete::a_service_account_stays", &[delete::PERSON], service_account).needs(&[Need::ServiceAccount]),
    ];
    cases.into_iter().map(|case| case.calls(&[CallKind::Delete])).collect()
}

/// Deletes an existing user, and checks that it is gone.
async fn delete(provider: &Provider<'_>, person: &Person) -> TestResult<()> {
    let deleted = provider.run(person.call(CallKind::Delete)).await?.deleted()?;
    ensure!(deleted != Deleted::Absent, "the user existed, but the delete returned `Absent`");
    check_gone(provider, person).await
}

/// Checks that no supported look-up finds the user.
async fn check_gone(provider: &Provider<'_>, person: &Person) -> TestResult<()> {
    for kind in READS.into_iter().filter(|kind| provider.supports(*kind)) {
        let answer = provider.run(person.call(kind)).await?;
        answer.fails(ErrorKind::NotFound).map_err(|error| format!("after the delete: {error}"))?;
    }
    Ok(())
}

async fn gone(context: CaseContext) -> TestResult<()> {
    let (ada, grace) = (context.person("ada").await?, context.person("grace").await?);
    let provider = context.provider().await?;
    let before = provider.read(&grace).await?;
    delete(&provider, &ada).await?;
    ensure!(provider.read(&grace).await? == before, "the delete of one user changed another");
    Ok(())
}

async fn repeated(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    delete(&provider, &ada).await?;
    let again = provider.run(ada.call(CallKind::Delete)).await?.deleted()?;
    ensure!(again != Deleted::Existed, "the second delete returned `Existed`");
    Ok(())
}

async fn unknown(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.read(&ada).await?;
    let deleted = provider.run(Call::Delete(sibling(&ada.id)?)).await?.deleted()?;
    ensure!(deleted != Deleted::Existed, "the delete of an unknown user returned `Existed`");
    ensure!(provider.read(&ada).await? == before, "the delete of an unknown user changed another");
    Ok(())
}

async fn is_deleted(context: CaseContext, shape: fn(&mut NewUser)) -> TestResult<()> {
    let odd = context.person_with("odd", shape).await?;
    delete(&context.provider().await?, &odd).await
}

async fn service_account(context: CaseContext) -> TestResult<()> {
    let robot = context.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    let provider = context.provider().await?;
    // The call may fail or return `Absent`; the account must still exist.
    let answer = provider.run(robot.call(CallKind::Delete)).await?;
    if answer.result.is_ok() {
        ensure!(answer.deleted()? != Deleted::Existed, "the delete of a service account returned `Existed`");
    }
    ensure!(context.harness().exists(&robot.id).await?, "a service account was deleted");
    Ok(())
}
