//! The values of the fields of a user.

use std::time::{Duration, Instant};

use idp_bridge_core::Call::{GetByEmail, GetById};
use idp_bridge_core::CallKind as Kind;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{Clock as _, Customer, ErrorKind, Fidelity, Field, SystemClock, UserRecord};

use super::{PASSWORD, check_record};
use crate::context::{CaseContext, ensure};
use crate::{NewUser, TestResult};

/// Longer than the resolution of any identity provider's clock.
const TICK: Duration = Duration::from_secs(2);

pub(super) async fn as_declared(context: CaseContext, kind: Kind) -> TestResult<()> {
    let verified_user = context.person_with("ada", |user: &mut NewUser| user.email_verified = true).await?;
    let unverified_user = context.person("grace").await?;
    let provider = context.provider().await?;
    let fidelity = |field| provider.capabilities().field(field);
    for (person, verified) in [(&verified_user, true), (&unverified_user, false)] {
        let user = provider.run(person.call(kind)).await?.user()?;
        check_record(&user, person, &provider)?;
        for field in Field::ALL.into_iter().filter(|field| fidelity(*field) == Fidelity::Absent) {
            ensure!(!has(&user, field), "`{field:?}` is declared absent, but has a value");
        }
        if fidelity(Field::EmailVerified) == Fidelity::Exact {
            ensure!(user.email_verified == Some(verified), "`email_verified` should be {verified}");
        }
        if fidelity(Field::CreateTime) == Fidelity::Exact {
            check_recent(user.create_time, "create_time")?;
        }
        ensure!(user.login_time.is_none(), "the user never logged in, but has a login time");
        ensure!(user.logins_count.unwrap_or(0) == 0, "the user never logged in, but has logins");
    }
    Ok(())
}

/// Changes the address until `update_time` changes, because some identity providers store whole seconds.
pub(super) async fn change_moves_update_time(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    let before = provider.run(GetById(ada.id.clone())).await?.user()?.update_time;
    let started = Instant::now();
    for number in 0.. {
        context.harness().change_email(&ada.id, &context.email(&format!("ada{number}"))?).await?;
        let after = provider.run(GetById(ada.id.clone())).await?.user()?.update_time;
        ensure!(after.is_some(), "the user changed, but `update_time` is missing");
        if after > before {
            return Ok(());
        }
        ensure!(started.elapsed() < TICK, "the user changed, but `update_time` is still {after:?}");
    }
    Ok(())
}

pub(super) async fn second_email(context: CaseContext, kind: Kind) -> TestResult<()> {
    let provider = context.provider().await?;
    for verified in [true, false] {
        let second = context.email(&format!("second-{verified}"))?;
        let both = (second.clone(), !verified);
        let shape = |user: &mut NewUser| (user.email_verified, user.second_email) = (verified, Some(both));
        let person = context.person_with(&format!("first-{verified}"), shape).await?;
        let user = provider.run(person.call(kind)).await?.user()?;
        check_record(&user, &person, &provider)?;
        let own = user.email_verified;
        ensure!(own == Some(verified), "`email_verified` of the current address should be {verified}, not {own:?}");
        if kind == Kind::GetByEmail {
            provider.run(GetByEmail(second)).await?.fails(ErrorKind::NotFound)?;
        }
    }
    Ok(())
}

pub(super) async fn logins(context: CaseContext, kind: Kind) -> TestResult<()> {
    let password = PASSWORD;
    let shape = |user: &mut NewUser| (user.email_verified, user.password) = (true, Some(password.to_owned()));
    let ada = context.person_with("ada", shape).await?;
    for _ in 0..2 {
        ensure!(context.harness().log_in(&ada.email, password).await?, "the harness could not log the user in");
    }
    let provider = context.provider().await?;
    let user = provider.run(ada.call(kind)).await?.user()?;
    if provider.capabilities().field(Field::LoginTime) != Fidelity::Absent {
        check_recent(user.login_time, "login_time")?;
    }
    if provider.capabilities().field(Field::LoginsCount) != Fidelity::Absent {
        ensure!(user.logins_count == Some(2), "two logins were counted as {:?}", user.logins_count);
    }
    Ok(())
}

fn has(user: &UserRecord, field: Field) -> bool {
    match field {
        Field::Customer => user.customer != Customer::Absent,
        Field::Email => user.email.is_some(),
        Field::CreateTime => user.create_time.is_some(),
        Field::UpdateTime => user.update_time.is_some(),
        Field::LoginTime => user.login_time.is_some(),
        Field::LoginsCount => user.logins_count.is_some(),
        Field::EmailVerified => user.email_verified.is_some(),
        Field::Blocked => user.blocked.is_some(),
    }
}

/// Checks that the time is present and recent, within the difference of two clocks.
fn check_recent(time: Option<Timestamp>, field: &str) -> TestResult<()> {
    let time = time.ok_or_else(|| format!("`{field}` is missing"))?;
    let age = SystemClock.now().duration_since(time).abs();
    ensure!(age.as_secs() <= 300, "`{field}` should be the current time, but differs by {} s", age.as_secs());
    Ok(())
}
