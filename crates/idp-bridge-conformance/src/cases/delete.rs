//! The delete.

use idp_bridge_core::{Call, CallKind, CustomerId, Deleted, ErrorKind};

use super::READS;
use super::get::sibling;
use crate::bullet::delete;
use crate::case::{Case, case};
use crate::scene::{Person, Provider, Scene, ensure};
use crate::{Need, NewUser, Staged, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let cases = vec![
        case("delete::a_deleted_user_is_gone_by_every_key", &[delete::GONE, delete::NO_OTHER], gone),
        case("delete::a_repeated_delete_is_no_error", &[delete::ABSENT], repeated),
        case("delete::an_unknown_user_is_absent", &[delete::ABSENT, delete::NO_OTHER], unknown),
        case("delete::a_blocked_user_is_deleted", &[delete::GONE], |scene| {
            odd_one_is_deleted(scene, |user| user.blocked = true)
        })
        .needs(&[Need::BlockedUser]),
        case("delete::a_user_without_a_customer_is_deleted", &[delete::WITHOUT], |scene| {
            odd_one_is_deleted(scene, |user| user.customers.clear())
        })
        .needs(&[Need::NoCustomer]),
        case("delete::a_user_of_several_customers_is_deleted", &[delete::WITHOUT], |scene| {
            odd_one_is_deleted(scene, |user| user.customers.extend(CustomerId::new("cust-other")))
        })
        .needs(&[Need::SeveralCustomers]),
        case("delete::a_user_without_an_email_is_deleted", &[delete::WITHOUT], |scene| {
            odd_one_is_deleted(scene, |user| user.email = None)
        })
        .needs(&[Need::NoEmail]),
        case("delete::a_service_account_stays", &[delete::PERSON], service_account).needs(&[Need::ServiceAccount]),
    ];
    cases.into_iter().map(|case| case.calls(&[CallKind::Delete])).collect()
}

/// Deletes the user, who is there.
async fn delete(provider: &Provider<'_>, person: &Person) -> Staged<()> {
    let deleted = provider.ask(person.call(CallKind::Delete)).await?.deleted()?;
    ensure!(deleted != Deleted::Absent, "the user was there, and the delete says that it was absent");
    is_gone(provider, person).await
}

/// That no supported look-up finds the user.
async fn is_gone(provider: &Provider<'_>, person: &Person) -> Staged<()> {
    for kind in READS.into_iter().filter(|kind| provider.can(*kind)) {
        let asked = provider.ask(person.call(kind)).await?;
        asked.fails(ErrorKind::NotFound).map_err(|error| format!("after the delete: {error}"))?;
    }
    Ok(())
}

async fn gone(scene: Scene) -> Staged<()> {
    let (ada, grace) = (scene.person("ada").await?, scene.person("grace").await?);
    let provider = scene.provider().await?;
    let before = provider.look(&grace).await?;
    delete(&provider, &ada).await?;
    ensure!(provider.look(&grace).await? == before, "the delete of one user changed another");
    Ok(())
}

async fn repeated(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    delete(&provider, &ada).await?;
    let again = provider.ask(ada.call(CallKind::Delete)).await?.deleted()?;
    ensure!(again != Deleted::Existed, "the second delete says that the user was there");
    Ok(())
}

async fn unknown(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.look(&ada).await?;
    let deleted = provider.ask(Call::Delete(sibling(&ada.id)?)).await?.deleted()?;
    ensure!(deleted != Deleted::Existed, "the delete says that an unknown user was there");
    ensure!(provider.look(&ada).await? == before, "the delete of an unknown user changed another");
    Ok(())
}

async fn odd_one_is_deleted(scene: Scene, shape: fn(&mut NewUser)) -> Staged<()> {
    let odd = scene.person_with("odd", shape).await?;
    delete(&scene.provider().await?, &odd).await
}

async fn service_account(scene: Scene) -> Staged<()> {
    let robot = scene.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    let provider = scene.provider().await?;
    // Whether the answer is an error or "absent", what counts is that the account is still there.
    let asked = provider.ask(robot.call(CallKind::Delete)).await?;
    if asked.result.is_ok() {
        ensure!(asked.deleted()? != Deleted::Existed, "the delete says that it deleted a service account");
    }
    ensure!(scene.harness().exists(&robot.id).await?, "a service account was deleted");
    Ok(())
}
