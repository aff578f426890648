//! Invalid tokens.

use std::collections::BTreeSet;

use idp_bridge_core::{AccessToken, Clock as _, Secret, SystemClock, UserId};
use serde_json::{Value, json};

use super::oauth;
use crate::bullet::{identify, oauth as every, validate};
use crate::case::Case;
use crate::context::{CaseContext, Provider, ensure};
use crate::fake::{Answer, Fake, FakeServer, Incoming, SigningKey, jwks};
use crate::forge::{Attacker, FORGERIES, Forgery, Jwt, changed, member, recorded_keys};
use crate::login::Login;
use crate::proxy::Proxy;
use crate::{FederationFacts, Flaw, Need, TestResult};

pub(super) fn cases() -> Vec<Case> {
    let proves = &[identify::BAD, validate::BAD, every::ONLY_BAD_TOKENS];
    let refused = |name: &str| format!("federation_tokens::{name}_is_refused");
    let mut cases: Vec<Case> = FORGERIES
        .into_iter()
        .map(|(name, forge)| {
            let proves = &[identify::BAD, validate::BAD, identify::BY_ITSELF, every::KEYS];
            oauth(refused(name), proves, move |context| forged(context, (name, forge)))
                .needs(&[Need::Upstream, Need::SignedToken])
        })
        .collect();
    for (name, flaw) in [
        ("a_token_of_another_issuer", Flaw::AnotherIssuer),
        ("a_service_accounts_token", Flaw::ServiceAccount),
        ("a_token_bound_to_its_sender", Flaw::SenderConstrained),
    ] {
        cases.push(oauth(refused(name), proves, move |context| flawed(context, flaw)).needs(&[Need::Flawed(flaw)]));
    }
    for (name, twist) in TWISTS {
        let needs = [Need::SignedToken, Need::Signing];
        cases.push(oauth(refused(name), proves, move |context| twisted(context, twist)).needs(&needs));
    }
    cases.extend([
        oauth(refused("garbage"), proves, garbage).needs(&[Need::Upstream]),
        oauth(refused("another_clients_token"), proves, foreign).needs(&[Need::ForeignClient]),
        oauth(refused("an_id_token"), proves, |context| other_token(context, Login::id_token)).needs(&[Need::IdToken]),
        oauth(refused("a_refresh_token"), proves, |context| other_token(context, Login::refresh_token))
            .needs(&[Need::RefreshToken]),
        oauth("federation_tokens::a_valid_token_signed_again_is_accepted", &[validate::USER], signed_anew)
            .needs(&[Need::SignedToken, Need::Signing]),
        oauth("federation_tokens::an_expired_token_is_identified_for_a_day", &[identify::EXPIRED], within_a_day)
            .needs(&[Need::SignedToken, Need::Signing]),
    ]);
    cases
}

/// Checks that `identify` and `validate` reject a token.
async fn check_rejected(provider: &Provider<'_>, token: &AccessToken) -> TestResult<()> {
    provider.identify(token).await?.rejects_token()?;
    provider.validate(token).await?.rejects_token()
}

/// Checks that a text, which must be well-formed as a bearer token, is rejected.
async fn check_text_rejected(provider: &Provider<'_>, text: &str) -> TestResult<()> {
    let shown: String = text.chars().take(200).collect();
    check_rejected(provider, &AccessToken::new(text)?)
        .await
        .map_err(|error| format!("{error}\nthe token: {shown}").into())
}

/// A server with an attacker's keys.
struct AttackerKeys(Value);

impl Fake for AttackerKeys {
    fn answer(&mut self, _: &Incoming) -> Answer {
        Answer::new(200, "application/json", self.0.to_string())
    }
}

async fn forged(context: CaseContext, (_, forge): Forgery) -> TestResult<()> {
    let (ada, grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let (proxy, provider) = context.proxied().await?;
    proxy.record();
    provider.identify(&ada.tokens.access).await?.succeeds()?;
    let keys: BTreeSet<String> = proxy.paths().into_iter().collect();
    let key = SigningKey::rs256("attacker")?;
    let elsewhere = FakeServer::start(AttackerKeys(jwks([&key]))).await?;
    let subject = context.facts()?.claims.subject;
    let attacker = Attacker {
        token: Jwt::parse(&ada.tokens.access)?,
        wanted_claim: (subject, member(&Jwt::parse(&grace.tokens.access)?.claims, subject).clone()),
        jwks: recorded_keys(&proxy)?,
        key_url: format!("{}/jwks.json", elsewhere.url()),
        key,
    };
    for text in forge(&attacker)? {
        if attacker.names_known_key(&text) {
            check_text_rejected(&provider, &text).await?;
        } else {
            let token = AccessToken::new(text)?;
            provider.identify(&token).await?.rejects_or_defers_token()?;
            provider.validate(&token).await?.rejects_or_defers_token()?;
        }
    }
    ensure!(elsewhere.exchanges().is_empty(), "the keys were fetched from an address in the token");
    check_only_keys_requested(&proxy, &keys)?;
    provider.validate(&ada.tokens.access).await?.succeeds().map(drop)
}

/// Checks that only the keys were requested.
fn check_only_keys_requested(proxy: &Proxy, keys: &BTreeSet<String>) -> TestResult<()> {
    let other: Vec<String> = proxy.paths().into_iter().filter(|path| !keys.contains(path)).collect();
    ensure!(other.is_empty(), "a forged token caused requests: {other:?}");
    Ok(())
}

async fn garbage(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let (proxy, provider) = context.proxied_and_known(&ada).await?;
    proxy.reset_counts();
    let opaque = provider.capabilities().federation().is_some_and(|own| own.opaque_tokens);
    let long = "x".repeat(8192);
    let deep = jwt_of(&"[".repeat(2000), "{}");
    let twice = jwt_of(r#"{"alg":"RS256","alg":"none"}"#, "{}");
    let no_object = jwt_of("[]", "7");
    let empty = jwt_of("", "");
    for text in [
        "a",
        "a.b",
        "a.b.c",
        "...",
        "..",
        "a.b.c.d.e",
        "-._~+/==",
        "null",
        "undefined",
        &long,
        &deep,
        &twice,
        &no_object,
        &empty,
    ] {
        check_text_rejected(&provider, text).await?;
    }
    ensure!(opaque || proxy.requests() == 0, "opaque tokens are not declared, but one caused a request");
    Ok(())
}

fn jwt_of(header: &str, claims: &str) -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(claims), part("signature"))
}

async fn flawed(context: CaseContext, flaw: Flaw) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let sign_in = context.sign_in(&ada.person, |_| {});
    let token = context.oauth()?.issue_flawed(flaw, &sign_in).await?;
    context.mark_private(token.expose());
    let provider = context.provider().await?;
    check_rejected(&provider, &token).await?;
    provider.validate(&ada.tokens.access).await?.succeeds().map(drop)
}

async fn foreign(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let login = context.log_in_with(&ada, |sign_in| sign_in.foreign_client = true).await?;
    check_rejected(&context.provider().await?, &login.tokens.access).await
}

/// Uses another token of a login as the access token.
async fn other_token(context: CaseContext, token: fn(&Login) -> TestResult<&Secret>) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    check_rejected(&context.provider().await?, &AccessToken::new(token(&ada)?.expose())?).await
}

/// Headers and claims of invalid tokens.
type Parts = Vec<(Value, Value)>;

/// Changes the header or the claims of a valid token. The last argument is the current time.
type Twist = fn(&Jwt, &FederationFacts, i64) -> Parts;

/// The time after its expiry in which a token can be identified, in seconds.
const DAY: i64 = 24 * 3600;

const TWISTS: [(&str, Twist); 10] = [
    ("a_token_that_is_not_valid_yet", |token, _, now| {
        with_claims(token, "nbf", [json!(now + 3600), json!("tomorrow")])
    }),
    ("a_token_that_expired_long_ago", |token, _, now| {
        with_claims(token, "exp", [json!(now - DAY - 3600), json!(0), json!(-1), json!(i64::MIN)])
    }),
    ("a_token_without_an_expiry", |token, _, now| {
        with_claims(token, "exp", [Value::Null, json!((now + 3600).to_string()), json!([now]), json!({}), json!(true)])
    }),
    ("a_token_that_names_another_issuer", |token, facts, _| {
        let issuer = &facts.issuer;
        let values =
            [Value::Null, json!(format!("{issuer}/")), json!(format!("{issuer}.example")), json!([issuer, "a"])];
        with_claims(token, "iss", values.into_iter().chain([json!(""), json!(issuer.to_uppercase())]))
    }),
    ("a_token_that_names_another_client", |token, facts, _| {
        let own = facts.clients.first().map(String::as_str).unwrap_or_default();
        let values = [Value::Null, json!(""), json!(format!("{own}2")), json!([own, "a"]), json!(7), json!({own: own})];
        with_claims(token, facts.claims.client, values)
    }),
    ("a_token_without_a_user", |token, facts, _| {
        let long = "x".repeat(257);
        // A token without the claim may be valid: introspection returns the user of Keycloak's lightweight tokens.
        let values = [json!(""), json!(7), json!(["a"]), json!("a\nb"), json!(".."), json!(long)];
        with_claims(token, facts.claims.subject, values)
    }),
    ("a_token_bound_to_a_key", |token, _, _| {
        with_claims(
            token,
            "cnf",
            [json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), json!({"x5t#S256": "a"})],
        )
    }),
    ("a_logout_token", |token, _, _| vec![(changed(&token.header, "typ", json!("logout+jwt")), token.claims.clone())]),
    ("a_token_of_another_type", |token, _, _| {
        let types = ["dpop+jwt", "secevent+jwt", "token-introspection+jwt"];
        types.map(|name| (changed(&token.header, "typ", json!(name)), token.claims.clone())).into()
    }),
    ("a_token_with_claims_that_are_no_object", |token, _, _| {
        [json!([]), json!("claims"), json!(7), Value::Null].map(|claims| (token.header.clone(), claims)).into()
    }),
];

fn with_claims(token: &Jwt, claim: &str, values: impl IntoIterator<Item = Value>) -> Parts {
    values.into_iter().map(|value| (token.header.clone(), token.with(claim, value))).collect()
}

fn now() -> i64 {
    SystemClock.now().as_second()
}

async fn twisted(context: CaseContext, twist: Twist) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let facts = context.facts()?;
    let provider = context.provider().await?;
    for (header, claims) in twist(&Jwt::parse(&ada.tokens.access)?, &facts, now()) {
        let text = context.oauth()?.sign(&header, &claims).await?;
        let signed = format!("\nsigned by the identity provider: {header} {claims}");
        check_text_rejected(&provider, &text).await.map_err(|error| format!("{error}{signed}"))?;
    }
    provider.validate(&ada.tokens.access).await?.succeeds().map(drop)
}

/// Checks that a valid token that was signed again is accepted.
async fn signed_anew(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let token = Jwt::parse(&ada.tokens.access)?;
    let text = context.oauth()?.sign(&token.header, &token.with("conformance", json!("unheard of"))).await?;
    let user = context.provider().await?.validate(&AccessToken::new(text)?).await?.succeeds()?;
    ensure!(user.identity.subject == ada.person.id, "the token identified another user");
    Ok(())
}

async fn within_a_day(context: CaseContext) -> TestResult<()> {
    let ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    for age in [3600, DAY - 600] {
        let subject = identify_at_age(&context, &provider, &ada, age).await?;
        ensure!(subject == ada.person.id, "the token identified another user");
    }
    Ok(())
}

/// Identifies a token that expired `age` seconds ago, and checks that it is not validated.
async fn identify_at_age(
    context: &CaseContext,
    provider: &Provider<'_>,
    login: &Login,
    age: i64,
) -> TestResult<UserId> {
    let token = Jwt::parse(&login.tokens.access)?;
    let end = now() - age;
    let claims = changed(&token.with("exp", json!(end)), "iat", json!(end - 60));
    let claims =
        if member(&claims, "auth_time").is_null() { claims } else { changed(&claims, "auth_time", json!(end - 60)) };
    let text = context.oauth()?.sign(&token.header, &claims).await?;
    let token = AccessToken::new(text)?;
    provider.validate(&token).await?.rejects_token()?;
    Ok(provider.identify(&token).await?.succeeds()?.subject)
}
