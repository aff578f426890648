//! Hostile values, which must not find or change other users.

use idp_bridge_core::{Call, CallKind, CustomerId, Email, InvalidValue, UserId, UserRecord};

use crate::bullet::{delete, get, mark, reset, verification};
use crate::case::{Case, case};
use crate::context::{CaseContext, Person, Provider, ensure};
use crate::{Need, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let values = &[get::PLAIN_CHARACTERS, get::OTHER_RESOURCE, get::EXACT];
    let (by_id, by_email, by_customer) = (CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer);
    vec![
        case("hostile::an_id_full_of_metacharacters_finds_no_user", values, |s| ids(s, metacharacters, Call::GetById))
            .calls(&[by_id]),
        case("hostile::a_part_of_an_id_finds_no_user", &[get::WHOLE_VALUE], |s| ids(s, parts, Call::GetById))
            .calls(&[by_id]),
        case("hostile::an_address_full_of_metacharacters_finds_no_user", values, |s| emails(s, Call::GetByEmail))
            .calls(&[by_email]),
        case("hostile::a_part_of_an_address_finds_no_user", &[get::WHOLE_VALUE], email_parts).calls(&[by_email]),
        case("hostile::a_customer_full_of_metacharacters_finds_no_user", values, |s| customers(s, metacharacters))
            .calls(&[by_customer]),
        case("hostile::a_part_of_a_customer_finds_no_user", &[get::WHOLE_VALUE], |s| customers(s, parts))
            .calls(&[by_customer]),
        case("hostile::a_delete_of_metacharacters_changes_no_user", &[delete::NO_OTHER], |s| {
            ids(s, metacharacters, Call::Delete)
        })
        .calls(&[CallKind::Delete]),
        case("hostile::a_delete_of_a_part_of_an_id_changes_no_user", &[delete::NO_OTHER], |s| {
            ids(s, parts, Call::Delete)
        })
        .calls(&[CallKind::Delete]),
        case("hostile::a_delete_of_a_reserved_id_changes_no_user", &[delete::NO_OTHER], |s| {
            ids(s, |_, _| Vec::new(), Call::Delete)
        })
        .calls(&[CallKind::Delete]),
        case("hostile::a_mark_of_metacharacters_changes_no_user", &[mark::REFUSED], |s| {
            ids(s, metacharacters, |id| Call::MarkEmailVerified { id, email: None })
        })
        .calls(&[CallKind::MarkEmailVerified]),
        case("hostile::a_mark_of_a_part_of_an_id_changes_no_user", &[mark::REFUSED], |s| {
            ids(s, parts, |id| Call::MarkEmailVerified { id, email: None })
        })
        .calls(&[CallKind::MarkEmailVerified]),
        case("hostile::a_verification_for_metacharacters_reaches_no_user", &[verification::REFUSED], |s| {
            ids(s, metacharacters, Call::SendVerificationEmail)
        })
        .calls(&[CallKind::SendVerificationEmail]),
        case("hostile::a_reset_for_metacharacters_reaches_no_user", &[reset::REFUSED], |s| {
            emails(s, Call::SendPasswordResetEmail)
        })
        .calls(&[CallKind::SendPasswordResetEmail]),
    ]
}

/// Metacharacters of paths, queries, search filters, statements and shells.
const METACHARACTERS: [&str; 68] = [
    "...",
    "../",
    "..\\",
    "../users",
    "..\\..\\master",
    "../../master",
    "%2e",
    "%2e%2e",
    "%2e%2e%2f",
    "%",
    "%zz",
    "%00",
    "/",
    "//",
    "\\",
    "?",
    "#",
    "&",
    "=",
    ";",
    ":",
    "@",
    "*",
    "**",
    "%25",
    "+",
    " ",
    "  ",
    "\"",
    "'",
    "`",
    "''",
    "\"\"",
    "\\\"",
    "(",
    ")",
    "[]",
    "{}",
    "<>",
    "|",
    "!",
    "~",
    "$",
    "^",
    "_",
    "-",
    ",",
    "0",
    "-1",
    "null",
    "undefined",
    "true",
    "*:*",
    "' OR '1'='1",
    "1 OR 1=1",
    "'; drop table users; --",
    "$1",
    ":id",
    "/**/",
    "\\2a",
    "1)(objectClass=*",
    "*)(uid=*))(|(uid=*",
    "#04024869",
    "\u{202e}",
    "\u{feff}",
    "e\u{301}",
    "ÄÖ漢",
    "💥",
];

/// Returns metacharacters alone, around a real value, and in long texts.
fn metacharacters(real: &str, attribute: &str) -> Vec<String> {
    let built = [
        format!("{real}/"),
        format!("/{real}"),
        format!("./{real}"),
        format!("x/../{real}"),
        format!("x\\..\\{real}"),
        format!("x%2f..%2f{real}"),
        format!("{real}?x=y"),
        format!("{real}#x"),
        format!("{real};x"),
        format!("{real}%20"),
        format!("{real}%00"),
        format!("{real}*"),
        format!("*{real}"),
        format!("{real}%"),
        format!("{real}\\"),
        format!("\"{real}\""),
        format!("'{real}'"),
        format!("{real}\""),
        format!(" {real}"),
        format!("{real} "),
        format!("{real} OR 1=1"),
        format!("x OR {real}"),
        format!("x\" OR \"{real}"),
        format!("{real},x"),
        format!("x,{real}"),
        format!("x {attribute}:{real}"),
        format!("x\" {attribute}:\"{real}"),
        format!("{attribute}:{real}"),
        format!("{attribute}=\"{real}\""),
        format!("{real}&exact=false"),
        format!("x&{attribute}={real}"),
        format!("{real}\u{200b}"),
        format!("({real})"),
    ];
    let long = ["x".repeat(256), "*".repeat(256), "../".repeat(85), "%2e".repeat(85)];
    METACHARACTERS.into_iter().map(str::to_owned).chain(built).chain(long).collect()
}

/// Returns parts and variants of a real value.
fn parts(real: &str, _: &str) -> Vec<String> {
    let letters: Vec<char> = real.chars().collect();
    let slice = |range: std::ops::Range<usize>| letters.get(range).unwrap_or_default().iter().collect::<String>();
    let (length, half) = (letters.len(), letters.len() / 2);
    let mut variants = vec![
        slice(0..1),
        slice(0..half),
        slice(0..length.saturating_sub(1)),
        slice(1..length),
        slice(half..length),
        slice(1..length.saturating_sub(1)),
        format!("{}*", slice(0..half)),
        format!("{}%", slice(0..half)),
        format!("{}_", slice(0..length.saturating_sub(1))),
        format!("{}?", slice(0..length.saturating_sub(1))),
        format!("{real}{real}"),
        real.to_uppercase(),
        real.to_lowercase(),
        capitalized(&letters),
        real.replacen('s', "ſ", 1),
        real.replacen('k', "\u{212a}", 1),
        real.replacen('-', "\u{2010}", 1),
    ];
    variants.retain(|variant| variant != real);
    variants
}

fn capitalized(letters: &[char]) -> String {
    letters.iter().enumerate().map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { *c }).collect()
}

/// Two users that the calls must not change.
struct Bystanders {
    people: [Person; 2],
    before: Vec<UserRecord>,
}

impl Bystanders {
    async fn create(context: &CaseContext, provider: &Provider<'_>) -> TestResult<Self> {
        let people = [context.person("ada.sk").await?, context.person("grace.sk").await?];
        let before = Self::read(&people, provider).await?;
        Ok(Self { people, before })
    }

    async fn read(people: &[Person; 2], provider: &Provider<'_>) -> TestResult<Vec<UserRecord>> {
        let mut records = Vec::new();
        for person in people {
            records.push(provider.read(person).await.map_err(|error| format!("a bystander cannot be read: {error}"))?);
        }
        Ok(records)
    }

    async fn check_unchanged(&self, context: &CaseContext, provider: &Provider<'_>) -> TestResult<()> {
        ensure!(Self::read(&self.people, provider).await? == self.before, "a bystander was changed");
        if context.harness().not_applicable(Need::Mails).is_none() {
            for person in &self.people {
                ensure!(context.mails(&person.email).await? == 0, "a bystander got a mail");
            }
        }
        Ok(())
    }
}

/// Runs the call with each text that is a well-formed value. Others never reach a provider.
async fn run_all<V>(
    provider: &Provider<'_>,
    texts: Vec<String>,
    value: impl Fn(String) -> Result<V, InvalidValue>,
    call: impl Fn(V) -> Call,
) -> TestResult<()> {
    for text in texts {
        if let Ok(value) = value(text.clone()) {
            let found = match provider.run(call(value)).await {
                Ok(answer) => answer.finds_no_user(),
                Err(error) => Err(error),
            };
            found.map_err(|error| format!("for {text:?}: {error}"))?;
        }
    }
    Ok(())
}

async fn ids(context: CaseContext, texts: fn(&str, &str) -> Vec<String>, call: fn(UserId) -> Call) -> TestResult<()> {
    let provider = context.provider().await?;
    let bystanders = Bystanders::create(&context, &provider).await?;
    let [ada, _] = &bystanders.people;
    let mut texts = texts(ada.id.as_str(), "id");
    texts.extend(context.harness().reserved_ids().iter().map(|id| id.as_str().to_owned()));
    run_all(&provider, texts, UserId::new, call).await?;
    bystanders.check_unchanged(&context, &provider).await
}

async fn customers(context: CaseContext, texts: fn(&str, &str) -> Vec<String>) -> TestResult<()> {
    let provider = context.provider().await?;
    let bystanders = Bystanders::create(&context, &provider).await?;
    let [ada, _] = &bystanders.people;
    let texts = texts(ada.customer.as_str(), "customer_id");
    run_all(&provider, texts, CustomerId::new, Call::GetByCustomer).await?;
    bystanders.check_unchanged(&context, &provider).await
}

async fn emails(context: CaseContext, call: fn(Email) -> Call) -> TestResult<()> {
    let provider = context.provider().await?;
    let bystanders = Bystanders::create(&context, &provider).await?;
    let [ada, _] = &bystanders.people;
    let local = ada.email.as_str().split('@').next().unwrap_or_default();
    // The domain stays, so that a filter that the local part breaks could match the real address.
    let mut texts: Vec<String> = metacharacters(local, "email")
        .into_iter()
        .map(|text| format!("{}@conformance.example", text.replace('@', "")))
        .filter(|text| text != ada.email.as_str())
        .collect();
    texts.extend(metacharacters(ada.email.as_str(), "email"));
    // The end of an address is another address.
    texts.extend(ada.email.as_str().get(1..).map(str::to_owned));
    run_all(&provider, texts, Email::new, call).await?;
    bystanders.check_unchanged(&context, &provider).await
}

async fn email_parts(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    let bystanders = Bystanders::create(&context, &provider).await?;
    let [ada, _] = &bystanders.people;
    let mut texts = parts(ada.email.as_str(), "email");
    texts.retain(|text| !text.eq_ignore_ascii_case(ada.email.as_str()));
    texts.extend(["*@conformance.example", "%@conformance.example", "_@conformance.example"].map(str::to_owned));
    run_all(&provider, texts, Email::new, Call::GetByEmail).await?;
    bystanders.check_unchanged(&context, &provider).await
}
