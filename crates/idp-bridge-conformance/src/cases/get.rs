//! Look-ups by id, email and customer.

mod fields;

use idp_bridge_core::Call::{GetByCustomer, GetByEmail, GetById};
use idp_bridge_core::CallKind as Kind;
use idp_bridge_core::{
    Customer, CustomerId, Email, Error, ErrorKind, Fidelity, Field, Outcome, UserId, UserKey, UserRecord,
};
use tokio::task::JoinSet;

use super::READS;
use crate::bullet::get;
use crate::case::{Case, call_case, case};
use crate::context::{CaseContext, Person, Provider, ample, ensure};
use crate::{Need, NewUser, TestResult, UserKind};

/// The password of users who log in.
const PASSWORD: &str = "Correct-Horse-7-Battery";

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
        case("get::an_unusual_customer_matches_exactly", &[get::PLAIN_CHARACTERS, get::EXACT], unusual_customers)
            .calls(&[Kind::GetByCustomer])
            .needs(&[Need::UnusualCustomer]),
        case("get::a_reserved_id_is_not_found_without_a_request", &[get::OTHER_RESOURCE], reserved)
            .calls(&[Kind::GetById]),
        case("get::several_customers_are_not_one", &[get::SEVERAL_CUSTOMERS], several_customers)
            .calls(&[Kind::GetById])
            .needs(&[Need::SeveralCustomers]),
        case(
            "get::a_user_of_several_customers_matches_none_alone",
            &[get::SEVERAL_CUSTOMERS, get::EXACT],
            either_customer,
        )
        .calls(&[Kind::GetByCustomer])
        .needs(&[Need::SeveralCustomers]),
        case("get::a_user_without_an_email_is_returned_without_it", &[get::WITHOUT], no_email)
            .calls(&[Kind::GetById])
            .needs(&[Need::NoEmail]),
        case("get::a_change_moves_an_exact_update_time", &[get::UPDATED], fields::change_moves_update_time)
            .calls(&[Kind::GetById])
            .exact(Field::UpdateTime)
            .needs(&[Need::ChangeEmail]),
    ];
    for kind in READS {
        cases.extend([
            call_case("get::an_unknown_key_is_not_found", kind, &[get::NONE_OR_SEVERAL], unknown),
            call_case("get::the_requested_user_is_returned_among_others", kind, &[get::EXACT], found),
            call_case("get::concurrent_calls_return_their_own_users", kind, &[get::EXACT], at_once),
            call_case("get::every_field_is_as_declared", kind, &[get::FIELDS], fields::as_declared),
            call_case("get::a_blocked_user_is_returned", kind, &[get::BLOCKED, get::FIELDS], blocked)
                .needs(&[Need::BlockedUser]),
            call_case("get::a_service_account_is_not_found", kind, &[get::PERSON], service_account)
                .needs(&[Need::ServiceAccount]),
            call_case("get::logins_are_as_declared", kind, &[get::FIELDS], fields::logins).needs(&[Need::Login]),
        ]);
    }
    let (name, proves) = ("get::users_cannot_choose_their_customer", &[get::NOT_SELF_WRITTEN]);
    cases.extend(READS.map(|kind| {
        call_case(name, kind, proves, self_edited).exact(Field::Customer).needs(&[Need::SelfEdit, Need::NoCustomer])
    }));
    let (name, proves) = ("get::another_address_does_not_verify_the_one_in_force", &[get::IN_FORCE]);
    cases.extend(READS.map(|kind| {
        call_case(name, kind, proves, fields::second_email).exact(Field::EmailVerified).needs(&[Need::SecondEmail])
    }));
    for kind in [Kind::GetById, Kind::GetByEmail] {
        let name = "get::a_user_without_a_customer_is_returned_without_it";
        cases.push(call_case(name, kind, &[get::WITHOUT], no_customer).needs(&[Need::NoCustomer]));
    }
    cases
}

/// Returns a well-formed id that no user has: the given one with its last letter or digit changed.
pub(super) fn sibling(id: &UserId) -> TestResult<UserId> {
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

async fn unknown(context: CaseContext, kind: Kind) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let unknown =
        Person { id: sibling(&ada.id)?, email: context.email("unknown")?, customer: context.customer("unknown")? };
    let provider = context.provider().await?;
    let answer = provider.run(unknown.call(kind)).await?;
    answer.has_outcome(Outcome::NotApplied)?;
    answer.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn found(context: CaseContext, kind: Kind) -> TestResult<()> {
    let (first, ada, last) = (context.person("a").await?, context.person("ada").await?, context.person("adaz").await?);
    let provider = context.provider().await?;
    for person in [&ada, &first, &last] {
        let user = provider.run(person.call(kind)).await?.user()?;
        check_record(&user, person, &provider)?;
    }
    Ok(())
}

async fn at_once(context: CaseContext, kind: Kind) -> TestResult<()> {
    let mut people = Vec::new();
    for name in ["ada", "grace", "linus", "mallory"] {
        people.push(context.person(name).await?);
    }
    let provider = context.provider().await?;
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
        ensure!(ended??, "another user was returned");
    }
    Ok(())
}

/// Checks that the record is this person's.
fn check_record(user: &UserRecord, person: &Person, provider: &Provider<'_>) -> TestResult<()> {
    ensure!(user.id == person.id, "another user was returned");
    if provider.capabilities().field(Field::Email) != Fidelity::Absent {
        let email = user.email.as_ref().ok_or("the address is missing")?;
        ensure!(email.matches(&person.email), "the address is another one");
    }
    if provider.capabilities().field(Field::Customer) != Fidelity::Absent {
        ensure!(user.customer.is(&person.customer), "the customer is not the user's: {:?}", user.customer);
    }
    Ok(())
}

/// Creates two users with the same changed property.
pub(super) async fn two_users(context: &CaseContext, shape: impl Fn(&mut NewUser) + Send + Sync) -> TestResult<()> {
    for name in ["first", "second"] {
        context.person_with(name, |user| shape(user)).await?;
    }
    Ok(())
}

async fn shared_email(context: CaseContext) -> TestResult<()> {
    let shared = context.email("shared")?;
    two_users(&context, |user| user.email = Some(shared.clone())).await?;
    context.provider().await?.run(GetByEmail(shared)).await?.fails(ErrorKind::Ambiguous).map(drop)
}

async fn shared_customer(context: CaseContext) -> TestResult<()> {
    let shared = context.customer("shared")?;
    two_users(&context, |user| user.customers = vec![shared.clone()]).await?;
    context.provider().await?.run(GetByCustomer(shared)).await?.fails(ErrorKind::Ambiguous).map(drop)
}

async fn any_case(context: CaseContext) -> TestResult<()> {
    let ada = context.person("ada").await?;
    let provider = context.provider().await?;
    for text in [ada.email.as_str().to_ascii_uppercase(), ada.email.as_str().replacen("ada", "aDa", 1)] {
        check_record(&provider.run(GetByEmail(Email::new(text)?)).await?.user()?, &ada, &provider)?;
    }
    Ok(())
}

async fn tagged(context: CaseContext) -> TestResult<()> {
    let (plain, tagged) = (context.person("ada").await?, context.person("ada+news").await?);
    let provider = context.provider().await?;
    check_record(&provider.run(GetByEmail(tagged.email.clone())).await?.user()?, &tagged, &provider)?;
    check_record(&provider.run(GetByEmail(plain.email.clone())).await?.user()?, &plain, &provider)
}

async fn unusual_customers(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
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
        let customer = context.customer(part)?;
        let customers = vec![customer.clone()];
        let person = context.person_with(&format!("u{number}"), |user| user.customers = customers).await?;
        made.push(Person { customer, ..person });
    }
    for person in &made {
        let answer = provider.run(person.call(Kind::GetByCustomer)).await?;
        let user = answer.user().map_err(|error| format!("{}: {error}", person.customer.as_str()))?;
        check_record(&user, person, &provider)?;
    }
    Ok(())
}

async fn reserved(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    for id in context.harness().reserved_ids() {
        let answer = provider.run(GetById(id.clone())).await?;
        answer.makes_no_request().map_err(|error| format!("{}: {error}", id.as_str()))?;
        answer.fails_with_one_of(&[ErrorKind::NotFound, ErrorKind::InvalidInput])?;
    }
    Ok(())
}

async fn of_several(context: &CaseContext) -> TestResult<(UserId, [CustomerId; 2])> {
    let customers = [context.customer("one")?, context.customer("two")?];
    let values = customers.to_vec();
    let person = context.person_with("ada", |user| user.customers = values).await?;
    Ok((person.id, customers))
}

async fn several_customers(context: CaseContext) -> TestResult<()> {
    let (id, _) = of_several(&context).await?;
    let user = context.provider().await?.run(GetById(id)).await?.user()?;
    ensure!(user.customer == Customer::Several, "two customers were returned as {:?}", user.customer);
    Ok(())
}

async fn either_customer(context: CaseContext) -> TestResult<()> {
    let (_, customers) = of_several(&context).await?;
    let provider = context.provider().await?;
    for customer in customers {
        // A provider may return the user only with `Several`, which the server rejects.
        let refused = |error: &Error| matches!(error.kind(), ErrorKind::Ambiguous | ErrorKind::NotFound);
        let answer = provider.run(GetByCustomer(customer)).await?;
        if !answer.result.as_ref().is_err_and(refused) {
            let user = answer.user()?;
            ensure!(user.customer == Customer::Several, "a user of two customers was returned as {:?}", user.customer);
        }
    }
    Ok(())
}

async fn no_email(context: CaseContext) -> TestResult<()> {
    let id = context.person_with("ada", |user| user.email = None).await?.id;
    let user = context.provider().await?.run(GetById(id)).await?.user()?;
    ensure!(user.email.is_none(), "the user has no address, but one was returned");
    Ok(())
}

async fn no_customer(context: CaseContext, kind: Kind) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.customers.clear()).await?;
    let user = context.provider().await?.run(ada.call(kind)).await?.user()?;
    ensure!(user.id == ada.id, "another user was returned");
    ensure!(user.customer == Customer::Absent, "the user has no customer, but {:?} was returned", user.customer);
    Ok(())
}

async fn blocked(context: CaseContext, kind: Kind) -> TestResult<()> {
    let ada = context.person_with("ada", |user| user.blocked = true).await?;
    let grace = context.person("grace").await?;
    let provider = context.provider().await?;
    let has_field = provider.capabilities().field(Field::Blocked) != Fidelity::Absent;
    for (person, blocked) in [(&ada, true), (&grace, false)] {
        let user = provider.run(person.call(kind)).await?.user()?;
        ensure!(user.blocked == has_field.then_some(blocked), "`blocked` should be {blocked}, not {:?}", user.blocked);
    }
    Ok(())
}

async fn service_account(context: CaseContext, kind: Kind) -> TestResult<()> {
    let robot = context.person_with("robot", |user| user.kind = UserKind::ServiceAccount).await?;
    ensure!(context.harness().exists(&robot.id).await?, "the harness did not make the service account");
    context.provider().await?.run(robot.call(kind)).await?.fails(ErrorKind::NotFound)?;
    Ok(())
}

async fn self_edited(context: CaseContext, kind: Kind) -> TestResult<()> {
    let with_password = |user: &mut NewUser| user.password = Some(PASSWORD.to_owned());
    let ada = context.person_with("ada", with_password).await?;
    let outsider = |user: &mut NewUser| (user.password, user.customers) = (Some(PASSWORD.to_owned()), Vec::new());
    let mallory = context.person_with("mallory", outsider).await?;
    let (provider, forged) = (context.provider().await?, context.customer("forged")?);
    for person in [&ada, &mallory] {
        context.harness().edit_self(&person.email, PASSWORD, &forged).await?;
    }
    check_record(&provider.run(ada.call(kind)).await?.user()?, &ada, &provider)?;
    if kind == Kind::GetByCustomer {
        return provider.run(GetByCustomer(forged)).await?.fails(ErrorKind::NotFound).map(drop);
    }
    let customer = provider.run(mallory.call(kind)).await?.user()?.customer;
    ensure!(customer == Customer::Absent, "a user without a customer chose one: {customer:?}");
    Ok(())
}
