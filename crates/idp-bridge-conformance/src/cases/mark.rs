//! Marking an address as verified.

use std::sync::Arc;

use idp_bridge_core::{Call, CallKind, Email, ErrorKind, Fidelity, Field, Outcome, UserRecord};

use super::get::sibling;
use crate::bullet::mark;
use crate::case::{Case, case};
use crate::fault::{Fault, When};
use crate::scene::{Person, Provider, Scene, ample, ensure};
use crate::{Need, NewUser, Staged, UserKind};

pub(super) fn cases() -> Vec<Case> {
    let cases = vec![
        case("mark::the_address_is_verified_and_nothing_else_changes", &[mark::MARKED], |scene| marks(scene, |_| {})),
        case("mark::a_verified_user_is_no_error", &[mark::ALREADY], |scene| {
            marks(scene, |user| user.email_verified = true)
        }),
        case("mark::a_blocked_user_is_marked", &[mark::ANYBODY], |scene| marks(scene, |user| user.blocked = true))
            .needs(&[Need::BlockedUser]),
        case("mark::a_user_without_a_customer_is_marked", &[mark::ANYBODY], |scene| {
            marks(scene, |user| user.customers.clear())
        })
        .needs(&[Need::NoCustomer]),
        case("mark::the_expected_address_is_marked_in_any_ascii_case", &[mark::EXPECTED], expected),
        case("mark::another_expected_address_is_a_conflict", &[mark::EXPECTED], unexpected),
        case("mark::an_address_that_changes_meanwhile_is_set_back", &[mark::EXPECTED], changed_meanwhile)
            .needs(&[Need::Upstream, Need::ChangeEmail]),
        case("mark::an_unknown_user_is_not_found", &[mark::NOBODY], unknown),
        case("mark::a_user_without_an_email_is_in_the_wrong_state", &[mark::NOBODY], no_email).needs(&[Need::NoEmail]),
        case("mark::a_service_account_is_not_found", &[mark::NOBODY], service_account).needs(&[Need::ServiceAccount]),
    ];
    cases.into_iter().map(|case| case.calls(&[CallKind::MarkEmailVerified])).collect()
}

fn call(person: &Person, expected: Option<Email>) -> Call {
    Call::MarkEmailVerified { id: person.id.clone(), email: expected }
}

/// The record with what a mark may change set to what it should be.
fn marked(before: UserRecord, after: &UserRecord, provider: &Provider<'_>) -> UserRecord {
    let known = provider.capabilities().field(Field::EmailVerified) != Fidelity::Absent;
    UserRecord { email_verified: known.then_some(true), update_time: after.update_time, ..before }
}

async fn marks(scene: Scene, shape: fn(&mut NewUser)) -> Staged<()> {
    let (ada, grace) = (scene.person_with("ada", shape).await?, scene.person("grace").await?);
    let provider = scene.provider().await?;
    let (before, bystander) = (provider.look(&ada).await?, provider.look(&grace).await?);
    provider.ask(call(&ada, None)).await?.well()?;
    let after = provider.look(&ada).await?;
    ensure!(after.update_time >= before.update_time, "`update_time` went backwards");
    let wanted = marked(before, &after, &provider);
    ensure!(after == wanted, "after the mark the user should be {wanted:?}, and is {after:?}");
    ensure!(provider.look(&grace).await? == bystander, "the mark of one user changed another");
    Ok(())
}

async fn expected(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let upper = Email::new(ada.email.as_str().to_ascii_uppercase())?;
    provider.ask(call(&ada, Some(upper))).await?.well()?;
    ensure!(provider.look(&ada).await?.email_verified != Some(false), "the expected address was not marked");
    Ok(())
}

async fn unexpected(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.look(&ada).await?;
    let asked = provider.ask(call(&ada, Some(scene.email("other")?))).await?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.fails(ErrorKind::Conflict)?;
    ensure!(provider.look(&ada).await? == before, "the mark was a conflict, and yet the user changed");
    Ok(())
}

/// The address changes between the provider's look at it and its write.
async fn changed_meanwhile(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let (proxy, provider) = scene.proxied_and_warm(&ada).await?;
    let (scope, other) = (ample(), scene.email("other")?);
    let (harness, id, email) = (scene.harness_handle(), ada.id.clone(), other.clone());
    let change = move || {
        let (harness, id, email) = (Arc::clone(&harness), id.clone(), email.clone());
        Box::pin(async move {
            // A change that fails shows itself below: the mark then succeeds.
            let _ = harness.change_email(&id, &email).await;
        }) as _
    };
    proxy.fail(Fault::After(Arc::new(change)), When::FirstWrite(scope.recorder().clone()));
    let asked = provider.ask_in(&scope, call(&ada, Some(ada.email.clone()))).await?;
    asked.wrote(proxy.faulted())?;
    asked.has_outcome(Outcome::Unknown)?;
    asked.fails(ErrorKind::Conflict)?;
    let now = Person { email: other, ..ada };
    let after = provider.look(&now).await?;
    ensure!(after.email_verified != Some(true), "an address that nobody proved was left marked as verified");
    Ok(())
}

async fn unknown(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let nobody = Person { id: sibling(&ada.id)?, ..ada };
    for expected in [None, Some(nobody.email.clone())] {
        provider.ask(call(&nobody, expected)).await?.fails(ErrorKind::NotFound)?;
    }
    Ok(())
}

async fn no_email(scene: Scene) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.email = None).await?;
    scene.provider().await?.ask(call(&ada, None)).await?.fails(ErrorKind::State)?;
    Ok(())
}

async fn service_account(scene: Scene) -> Staged<()> {
    let robot = scene.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    scene.provider().await?.ask(call(&robot, None)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}
