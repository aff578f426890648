//! The three look-ups.

use std::time::{Duration, Instant};

use idp_bridge_core::Call::{GetByCustomer, GetByEmail, GetById};
use idp_bridge_core::CallKind as Kind;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    Clock as _, Customer, CustomerId, Email, Error, ErrorKind, Fidelity, Field, Outcome, SystemClock, UserId, UserKey,
    UserRecord,
};
use tokio::task::JoinSet;

use super::READS;
use crate::bullet::get;
use crate::case::{Case, case, case_of};
use crate::scene::{Person, Provider, Scene, ample, ensure};
use crate::{Need, NewUser, Staged, UserKind};

/// The password of users who log in.
const PASSWORD: &str = "Correct-Horse-7-Battery";

/// Longer than the step of any identity provider's clock.
const TICK: Duration = Duration::from_secs(2);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("get::two_users_with_one_address_are_ambiguous", &[get::NONE_OR_SEVERAL], shared_email)
            .calls(&[Kind::GetByEmail])
            .needs(&[Need::SharedEmail]),
        case("get::two_users_of_one_customer_are_ambiguous", &[get::NONE_OR_SEVERAL], shared_customer)
            .calls(&[Kind::GetByCustomer])
            .needs(&[Need::SharedCustomer]),
        case("get::an_address_is_found_in_any_ascii_case", &[get::EXACT], any_case).calls(&[Kind::GetByEmail]),
        case("get::an_address_with_a_tag_is_found", &[get::PLAIN_CHARACTERS], tagged).calls(&[Kind::GetByEmail]),
        case("get::an_unusual_customer_is_found_and_no_other", &[get::PLAIN_CHARACTERS, get::EXACT], unusual_customers)
            .calls(&[Kind::GetByCustomer])
            .needs(&[Need::UnusualCustomer]),
        case("get::a_reserved_id_is_nobody_and_asks_nothing", &[get::OTHER_RESOURCE], reserved).calls(&[Kind::GetById]),
        case("get::several_customers_are_told_apart_from_one", &[get::SEVERAL_CUSTOMERS], several_customers)
            .calls(&[Kind::GetById])
            .needs(&[Need::SeveralCustomers]),
        case(
            "get::a_user_of_several_customers_is_not_the_one_of_either",
            &[get::SEVERAL_CUSTOMERS, get::EXACT],
            either_customer,
        )
        .calls(&[Kind::GetByCustomer])
        .needs(&[Need::SeveralCustomers]),
        case("get::a_user_without_an_email_is_returned_without_it", &[get::WITHOUT], no_email)
            .calls(&[Kind::GetById])
            .needs(&[Need::NoEmail]),
        case("get::a_change_moves_an_exact_update_time", &[get::UPDATED], change_moves_update_time)
            .calls(&[Kind::GetById])
            .exact(Field::UpdateTime)
            .needs(&[Need::ChangeEmail]),
    ];
    for kind in READS {
        cases.extend([
            case_of("get::an_unknown_key_is_not_found", kind, &[get::NONE_OR_SEVERAL], unknown),
            case_of("get::the_asked_user_is_answered_among_others", kind, &[get::EXACT], found),
            case_of("get::calls_at_the_same_time_answer_each_its_own_user", kind, &[get::EXACT], at_once),
            case_of("get::every_field_is_as_declared", kind, &[get::FIELDS], fields),
            case_of("get::a_blocked_user_is_returned", kind, &[get::BLOCKED, get::FIELDS], blocked)
                .needs(&[Need::BlockedUser]),
            case_of("get::a_service_account_is_not_found", kind, &[get::PERSON], service_account)
                .needs(&[Need::ServiceAccount]),
            case_of("get::logins_are_as_declared", kind, &[get::FIELDS], logins).needs(&[Need::Login]),
        ]);
    }
    let (name, proves) = ("get::users_cannot_choose_their_customer", &[get::NOT_SELF_WRITTEN]);
    cases.extend(READS.map(|kind| {
        case_of(name, kind, proves, self_edited).exact(Field::Customer).needs(&[Need::SelfEdit, Need::NoCustomer])
    }));
    let (name, proves) = ("get::another_address_does_not_verify_the_one_in_force", &[get::IN_FORCE]);
    cases.extend(
        READS.map(|kind| {
            case_of(name, kind, proves, second_email).exact(Field::EmailVerified).needs(&[Need::SecondEmail])
        }),
    );
    for kind in [Kind::GetById, Kind::GetByEmail] {
        let name = "get::a_user_without_a_customer_is_returned_without_it";
        cases.push(case_of(name, kind, &[get::WITHOUT], no_customer).needs(&[Need::NoCustomer]));
    }
    cases
}

/// An id as the identity provider makes them, that no user has: the given one with its last letter or digit changed.
pub(super) fn sibling(id: &UserId) -> Staged<UserId> {
    let mut text: Vec<char> = id.as_str().chars().collect();
    let last = text.iter_mut().rev().find(|c| c.is_ascii_alphanumeric()).ok_or("the id has no letter and no digit")?;
    *last = match *last {
        '0' | 'a' | 'A' => char::from(*last as u8 + 1),
        '1'..='9' => '0',
        'b'..='z' => 'a',
        _ => 'A',
    };
    Ok(UserId::new(text.into_iter().collect::<String>())?)
}

async fn unknown(scene: Scene, kind: Kind) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let nobody = Person { id: sibling(&ada.id)?, email: scene.email("nobody")?, customer: scene.customer("nobody")? };
    let provider = scene.provider().await?;
    let asked = provider.ask(nobody.call(kind)).await?;
    asked.has_outcome(Outcome::NotApplied)?;
    asked.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn found(scene: Scene, kind: Kind) -> Staged<()> {
    let (first, ada, last) = (scene.person("a").await?, scene.person("ada").await?, scene.person("adaz").await?);
    let provider = scene.provider().await?;
    for person in [&ada, &first, &last] {
        let user = provider.ask(person.call(kind)).await?.user()?;
        is(&user, person, &provider)?;
    }
    Ok(())
}

async fn at_once(scene: Scene, kind: Kind) -> Staged<()> {
    let mut people = Vec::new();
    for name in ["ada", "grace", "linus", "mallory"] {
        people.push(scene.person(name).await?);
    }
    let provider = scene.provider().await?;
    let mut calls = JoinSet::new();
    for person in people.into_iter().cycle().take(16) {
        let provider = provider.handle();
        calls.spawn(async move {
            let key = match kind {
                Kind::GetByEmail => UserKey::Email(&person.email),
                Kind::GetByCustomer => UserKey::Customer(&person.customer),
                _ => UserKey::Id(&person.id),
            };
            provider.get(&ample(), key).await.map(|user| user.id == person.id)
        });
    }
    while let Some(ended) = calls.join_next().await {
        ensure!(ended??, "another user was answered");
    }
    Ok(())
}

/// That the record is this person's.
fn is(user: &UserRecord, person: &Person, provider: &Provider<'_>) -> Staged<()> {
    ensure!(user.id == person.id, "another user was answered");
    if provider.capabilities().field(Field::Email) != Fidelity::Absent {
        let email = user.email.as_ref().ok_or("the address is missing")?;
        ensure!(email.matches(&person.email), "the address is another one");
    }
    if provider.capabilities().field(Field::Customer) != Fidelity::Absent {
        ensure!(user.customer.is(&person.customer), "the customer is not the user's: {:?}", user.customer);
    }
    Ok(())
}

async fn shared_email(scene: Scene) -> Staged<()> {
    let shared = scene.email("shared")?;
    for name in ["first", "second"] {
        let email = Some(shared.clone());
        scene.person_with(name, |user| user.email = email).await?;
    }
    scene.provider().await?.ask(GetByEmail(shared)).await?.fails(ErrorKind::Ambiguous)?;
    Ok(())
}

async fn shared_customer(scene: Scene) -> Staged<()> {
    let shared = scene.customer("shared")?;
    for name in ["first", "second"] {
        let customers = vec![shared.clone()];
        scene.person_with(name, |user| user.customers = customers).await?;
    }
    scene.provider().await?.ask(GetByCustomer(shared)).await?.fails(ErrorKind::Ambiguous)?;
    Ok(())
}

async fn any_case(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    for text in [ada.email.as_str().to_ascii_uppercase(), ada.email.as_str().replacen("ada", "aDa", 1)] {
        is(&provider.ask(GetByEmail(Email::new(text)?)).await?.user()?, &ada, &provider)?;
    }
    Ok(())
}

async fn tagged(scene: Scene) -> Staged<()> {
    let (plain, tagged) = (scene.person("ada").await?, scene.person("ada+news").await?);
    let provider = scene.provider().await?;
    is(&provider.ask(GetByEmail(tagged.email.clone())).await?.user()?, &tagged, &provider)?;
    is(&provider.ask(GetByEmail(plain.email.clone())).await?.user()?, &plain, &provider)
}

async fn unusual_customers(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    let mut made = Vec::new();
    for (number, part) in [
        "a b",
        "a:b",
        "a\"b",
        "a'b",
        "a*b",
        "a%b",
        "a+b",
        "a&b=c",
        "a,b",
        "(a|b)",
        "ä ß 漢",
        "a/b",
        "a?b#c",
        "a OR 1=1",
    ]
    .into_iter()
    .enumerate()
    {
        let customer = scene.customer(part)?;
        let customers = vec![customer.clone()];
        let person = scene.person_with(&format!("u{number}"), |user| user.customers = customers).await?;
        made.push(Person { customer, ..person });
    }
    for person in &made {
        let asked = provider.ask(person.call(Kind::GetByCustomer)).await?;
        let user = asked.user().map_err(|error| format!("{}: {error}", person.customer.as_str()))?;
        is(&user, person, &provider)?;
    }
    Ok(())
}

async fn reserved(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    for id in scene.harness().reserved_ids() {
        let asked = provider.ask(GetById(id.clone())).await?;
        asked.asked_nothing().map_err(|error| format!("{}: {error}", id.as_str()))?;
        asked.fails_with_one_of(&[ErrorKind::NotFound, ErrorKind::InvalidInput])?;
    }
    Ok(())
}

async fn of_several(scene: &Scene) -> Staged<(UserId, [CustomerId; 2])> {
    let customers = [scene.customer("one")?, scene.customer("two")?];
    let values = customers.to_vec();
    let person = scene.person_with("ada", |user| user.customers = values).await?;
    Ok((person.id, customers))
}

async fn several_customers(scene: Scene) -> Staged<()> {
    let (id, _) = of_several(&scene).await?;
    let user = scene.provider().await?.ask(GetById(id)).await?.user()?;
    ensure!(user.customer == Customer::Several, "two customers were answered as {:?}", user.customer);
    Ok(())
}

async fn either_customer(scene: Scene) -> Staged<()> {
    let (_, customers) = of_several(&scene).await?;
    let provider = scene.provider().await?;
    for customer in customers {
        // A provider may leave it to the server to refuse, but only by a record that cannot be taken for an answer.
        let refused = |error: &Error| matches!(error.kind(), ErrorKind::Ambiguous | ErrorKind::NotFound);
        let asked = provider.ask(GetByCustomer(customer)).await?;
        if !asked.result.as_ref().is_err_and(refused) {
            let user = asked.user()?;
            ensure!(user.customer == Customer::Several, "a user of two customers was answered as {:?}", user.customer);
        }
    }
    Ok(())
}

async fn no_email(scene: Scene) -> Staged<()> {
    let id = scene.person_with("ada", |user| user.email = None).await?.id;
    let user = scene.provider().await?.ask(GetById(id)).await?.user()?;
    ensure!(user.email.is_none(), "the user has no address, and one was answered");
    Ok(())
}

async fn no_customer(scene: Scene, kind: Kind) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.customers.clear()).await?;
    let user = scene.provider().await?.ask(ada.call(kind)).await?.user()?;
    ensure!(user.id == ada.id, "another user was answered");
    ensure!(user.customer == Customer::Absent, "the user has no customer, and {:?} was answered", user.customer);
    Ok(())
}

async fn blocked(scene: Scene, kind: Kind) -> Staged<()> {
    let ada = scene.person_with("ada", |user| user.blocked = true).await?;
    let grace = scene.person("grace").await?;
    let provider = scene.provider().await?;
    let known = provider.capabilities().field(Field::Blocked) != Fidelity::Absent;
    for (person, blocked) in [(&ada, true), (&grace, false)] {
        let user = provider.ask(person.call(kind)).await?.user()?;
        ensure!(user.blocked == known.then_some(blocked), "`blocked` should be {blocked}, not {:?}", user.blocked);
    }
    Ok(())
}

async fn service_account(scene: Scene, kind: Kind) -> Staged<()> {
    let robot = scene.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    ensure!(scene.harness().exists(&robot.id).await?, "the harness did not make the service account");
    scene.provider().await?.ask(robot.call(kind)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn fields(scene: Scene, kind: Kind) -> Staged<()> {
    let proven = scene.person_with("ada", |user: &mut NewUser| user.email_verified = true).await?;
    let doubtful = scene.person("grace").await?;
    let provider = scene.provider().await?;
    let fidelity = |field| provider.capabilities().field(field);
    for (person, verified) in [(&proven, true), (&doubtful, false)] {
        let user = provider.ask(person.call(kind)).await?.user()?;
        is(&user, person, &provider)?;
        for field in Field::ALL.into_iter().filter(|field| fidelity(*field) == Fidelity::Absent) {
            ensure!(!has(&user, field), "`{field:?}` is declared absent, and yet it is there");
        }
        if fidelity(Field::EmailVerified) == Fidelity::Exact {
            ensure!(user.email_verified == Some(verified), "`email_verified` should be {verified}");
        }
        if fidelity(Field::CreateTime) == Fidelity::Exact {
            recent(user.create_time, "create_time")?;
        }
        ensure!(user.login_time.is_none(), "the user never logged in, and a login time was answered");
        ensure!(user.logins_count.unwrap_or(0) == 0, "the user never logged in, and logins were counted");
    }
    Ok(())
}

/// Changes the address until the time moves, since some identity providers count seconds only.
async fn change_moves_update_time(scene: Scene) -> Staged<()> {
    let ada = scene.person("ada").await?;
    let provider = scene.provider().await?;
    let before = provider.ask(GetById(ada.id.clone())).await?.user()?.update_time;
    let started = Instant::now();
    for number in 0.. {
        scene.harness().change_email(&ada.id, &scene.email(&format!("ada{number}"))?).await?;
        let after = provider.ask(GetById(ada.id.clone())).await?.user()?.update_time;
        ensure!(after.is_some(), "the user was changed, and `update_time` is missing");
        if after > before {
            return Ok(());
        }
        ensure!(started.elapsed() < TICK, "the user was changed, and `update_time` is still {after:?}");
    }
    Ok(())
}

async fn self_edited(scene: Scene, kind: Kind) -> Staged<()> {
    let with_password = |user: &mut NewUser| user.password = Some(PASSWORD.to_owned());
    let ada = scene.person_with("ada", with_password).await?;
    let outsider = |user: &mut NewUser| (user.password, user.customers) = (Some(PASSWORD.to_owned()), Vec::new());
    let mallory = scene.person_with("mallory", outsider).await?;
    let (provider, forged) = (scene.provider().await?, scene.customer("forged")?);
    for person in [&ada, &mallory] {
        scene.harness().edit_self(&person.email, PASSWORD, &forged).await?;
    }
    is(&provider.ask(ada.call(kind)).await?.user()?, &ada, &provider)?;
    if kind == Kind::GetByCustomer {
        return provider.ask(GetByCustomer(forged)).await?.fails(ErrorKind::NotFound).map(drop);
    }
    let customer = provider.ask(mallory.call(kind)).await?.user()?.customer;
    ensure!(customer == Customer::Absent, "a user without a customer chose one: {customer:?}");
    Ok(())
}

async fn second_email(scene: Scene, kind: Kind) -> Staged<()> {
    let provider = scene.provider().await?;
    for verified in [true, false] {
        let second = scene.email(&format!("second-{verified}"))?;
        let both = (second.clone(), !verified);
        let shape = |user: &mut NewUser| (user.email_verified, user.second_email) = (verified, Some(both));
        let person = scene.person_with(&format!("first-{verified}"), shape).await?;
        let user = provider.ask(person.call(kind)).await?.user()?;
        is(&user, &person, &provider)?;
        let own = user.email_verified;
        ensure!(own == Some(verified), "of the address in force `email_verified` should be {verified}, not {own:?}");
        if kind == Kind::GetByEmail {
            provider.ask(GetByEmail(second)).await?.fails(ErrorKind::NotFound)?;
        }
    }
    Ok(())
}

async fn logins(scene: Scene, kind: Kind) -> Staged<()> {
    let password = PASSWORD;
    let shape = |user: &mut NewUser| (user.email_verified, user.password) = (true, Some(password.to_owned()));
    let ada = scene.person_with("ada", shape).await?;
    for _ in 0..2 {
        ensure!(scene.harness().log_in(&ada.email, password).await?, "the harness could not log the user in");
    }
    let provider = scene.provider().await?;
    let user = provider.ask(ada.call(kind)).await?.user()?;
    if provider.capabilities().field(Field::LoginTime) != Fidelity::Absent {
        recent(user.login_time, "login_time")?;
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

/// That it is there and happened just now, give or take what two clocks may differ.
fn recent(time: Option<Timestamp>, field: &str) -> Staged<()> {
    let time = time.ok_or_else(|| format!("`{field}` is missing"))?;
    let age = SystemClock.now().duration_since(time).abs();
    ensure!(age.as_secs() <= 300, "`{field}` should be now, and is {} s away", age.as_secs());
    Ok(())
}
