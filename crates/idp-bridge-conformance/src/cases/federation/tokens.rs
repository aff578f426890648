//! Tokens that are not good: refused by every method alike, and never believed about where their keys are.

use std::collections::BTreeSet;

use idp_bridge_core::{AccessToken, Clock as _, SystemClock, UserId};
use serde_json::{Value, json};

use super::oauth;
use crate::bullet::{identify, oauth as every, validate};
use crate::case::Case;
use crate::fake::{Answer, Fake, FakeServer, Incoming, SigningKey, jwks};
use crate::forge::{Attacker, FORGERIES, Forgery, Jwt, changed, member, recorded_keys};
use crate::login::Login;
use crate::proxy::Proxy;
use crate::scene::{Provider, Scene, ensure};
use crate::{FederationFacts, Flaw, Need, Staged};

pub(super) fn cases() -> Vec<Case> {
    let proves = &[identify::BAD, validate::BAD, every::ONLY_BAD_TOKENS];
    let refused = |name: &str| format!("federation_tokens::{name}_is_refused");
    let mut cases: Vec<Case> = FORGERIES
        .into_iter()
        .map(|(name, forge)| {
            let proves = &[identify::BAD, validate::BAD, identify::BY_ITSELF, every::KEYS];
            oauth(refused(name), proves, move |scene| forged(scene, (name, forge)))
                .needs(&[Need::Upstream, Need::SignedToken])
        })
        .collect();
    for (name, flaw) in [
        ("a_token_of_another_issuer", Flaw::AnotherIssuer),
        ("a_service_accounts_token", Flaw::ServiceAccount),
        ("a_token_bound_to_its_sender", Flaw::SenderConstrained),
    ] {
        cases.push(oauth(refused(name), proves, move |scene| flawed(scene, flaw)).needs(&[Need::Flawed(flaw)]));
    }
    for (name, twist) in TWISTS {
        let needs = [Need::SignedToken, Need::Signing];
        cases.push(oauth(refused(name), proves, move |scene| twisted(scene, twist)).needs(&needs));
    }
    cases.extend([
        oauth(refused("garbage"), proves, garbage).needs(&[Need::Upstream]),
        oauth(refused("another_clients_token"), proves, foreign).needs(&[Need::ForeignClient]),
        oauth(refused("an_id_token"), proves, id_token).needs(&[Need::IdToken]),
        oauth(refused("a_refresh_token"), proves, refresh_token).needs(&[Need::RefreshToken]),
        oauth("federation_tokens::a_token_signed_anew_is_as_good", &[validate::USER], signed_anew)
            .needs(&[Need::SignedToken, Need::Signing]),
        oauth("federation_tokens::a_token_is_told_for_a_day_after_its_end", &[identify::EXPIRED], within_a_day)
            .needs(&[Need::SignedToken, Need::Signing]),
    ]);
    cases
}

/// That both methods refuse a token.
async fn is_refused(provider: &Provider<'_>, token: &AccessToken) -> Staged<()> {
    provider.identify(token).await?.refuses()?;
    provider.validate(token).await?.refuses()
}

/// The same of a text, which must be one that a caller may present.
async fn is_text_refused(provider: &Provider<'_>, text: &str) -> Staged<()> {
    let shown: String = text.chars().take(200).collect();
    is_refused(provider, &AccessToken::new(text)?).await.map_err(|error| format!("{error}\nthe token: {shown}").into())
}

/// Where an attacker publishes keys.
struct Elsewhere(Value);

impl Fake for Elsewhere {
    fn answer(&mut self, _: &Incoming) -> Answer {
        Answer::new(200, "application/json", self.0.to_string())
    }
}

async fn forged(scene: Scene, (_, forge): Forgery) -> Staged<()> {
    let (ada, grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let (proxy, provider) = scene.proxied().await?;
    proxy.record();
    provider.identify(&ada.tokens.access).await?.good()?;
    let keys: BTreeSet<String> = proxy.paths().into_iter().collect();
    let key = SigningKey::rs256("attacker")?;
    let elsewhere = FakeServer::start(Elsewhere(jwks([&key]))).await?;
    let subject = scene.facts()?.claims.subject;
    let attacker = Attacker {
        token: Jwt::read(&ada.tokens.access)?,
        wish: (subject, member(&Jwt::read(&grace.tokens.access)?.claims, subject).clone()),
        jwks: recorded_keys(&proxy)?,
        elsewhere: format!("{}/jwks.json", elsewhere.url()),
        key,
    };
    for text in forge(&attacker)? {
        if attacker.names_no_known_key(&text) {
            let token = AccessToken::new(text)?;
            provider.identify(&token).await?.refuses_or_waits()?;
            provider.validate(&token).await?.refuses_or_waits()?;
        } else {
            is_text_refused(&provider, &text).await?;
        }
    }
    ensure!(elsewhere.exchanges().is_empty(), "the keys were fetched from where the token says");
    asked_only_for(&proxy, &keys)?;
    provider.validate(&ada.tokens.access).await?.good().map(drop)
}

/// That nothing but the keys was asked for: a forged token is not worth a request.
fn asked_only_for(proxy: &Proxy, keys: &BTreeSet<String>) -> Staged<()> {
    let other: Vec<String> = proxy.paths().into_iter().filter(|path| !keys.contains(path)).collect();
    ensure!(other.is_empty(), "a forged token was shown to the identity provider: {other:?}");
    Ok(())
}

async fn garbage(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let (proxy, provider) = scene.proxied_and_known(&ada).await?;
    proxy.forget();
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
        is_text_refused(&provider, text).await?;
    }
    ensure!(opaque || proxy.requests() == 0, "no opaque token is good, and yet one was shown to the identity provider");
    Ok(())
}

fn jwt_of(header: &str, claims: &str) -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(header), part(claims), part("signature"))
}

async fn flawed(scene: Scene, flaw: Flaw) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let sign_in = scene.sign_in(&ada.person, |_| {});
    let token = scene.oauth()?.flawed(flaw, &sign_in).await?;
    scene.hide(token.expose());
    let provider = scene.provider().await?;
    is_refused(&provider, &token).await?;
    provider.validate(&ada.tokens.access).await?.good().map(drop)
}

async fn foreign(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let login = scene.log_in_with(&ada, |sign_in| sign_in.foreign_client = true).await?;
    is_refused(&scene.provider().await?, &login.tokens.access).await
}

async fn id_token(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let token = ada.tokens.id.ok_or("the harness gives no ID token, and does not declare `Need::IdToken`")?;
    is_refused(&scene.provider().await?, &AccessToken::new(token.expose())?).await
}

async fn refresh_token(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let token =
        ada.tokens.refresh.ok_or("the harness gives no refresh token, and does not declare `Need::RefreshToken`")?;
    is_refused(&scene.provider().await?, &AccessToken::new(token.expose())?).await
}

/// Header and claims of a token that the identity provider would never make, or that is not meant for the bridge.
type Parts = Vec<(Value, Value)>;

/// What becomes of a good token; the time is the present one.
type Twist = fn(&Jwt, &FederationFacts, i64) -> Parts;

/// A day, as long as an expired token is told.
const DAY: i64 = 24 * 3600;

const TWISTS: [(&str, Twist); 10] = [
    ("a_token_of_the_future", |token, _, now| with_claims(token, "nbf", [json!(now + 3600), json!("tomorrow")])),
    ("a_token_that_expired_long_ago", |token, _, now| {
        with_claims(token, "exp", [json!(now - DAY - 3600), json!(0), json!(-1), json!(i64::MIN)])
    }),
    ("a_token_without_an_end", |token, _, now| {
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
        // Without the claim a token may still be good: of Keycloak's lightweight ones only the introspection says whose they are.
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

async fn twisted(scene: Scene, twist: Twist) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let facts = scene.facts()?;
    let provider = scene.provider().await?;
    for (header, claims) in twist(&Jwt::read(&ada.tokens.access)?, &facts, now()) {
        let text = scene.oauth()?.sign(&header, &claims).await?;
        let said = format!("\nsigned by the identity provider: {header} {claims}");
        is_text_refused(&provider, &text).await.map_err(|error| format!("{error}{said}"))?;
    }
    provider.validate(&ada.tokens.access).await?.good().map(drop)
}

/// A control of the others: what is signed and says nothing wrong is taken.
async fn signed_anew(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let token = Jwt::read(&ada.tokens.access)?;
    let text = scene.oauth()?.sign(&token.header, &token.with("conformance", json!("unheard of"))).await?;
    let user = scene.provider().await?.validate(&AccessToken::new(text)?).await?.good()?;
    ensure!(user.identity.subject == ada.person.id, "the token was taken for another user's");
    Ok(())
}

async fn within_a_day(scene: Scene) -> Staged<()> {
    let ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    for age in [3600, DAY - 600] {
        let subject = told_at_age(&scene, &provider, &ada, age).await?;
        ensure!(subject == ada.person.id, "the token was taken for another user's");
    }
    Ok(())
}

/// Whose a token is that ended so many seconds ago; it is not validated.
async fn told_at_age(scene: &Scene, provider: &Provider<'_>, login: &Login, age: i64) -> Staged<UserId> {
    let token = Jwt::read(&login.tokens.access)?;
    let end = now() - age;
    let claims = changed(&token.with("exp", json!(end)), "iat", json!(end - 60));
    let claims =
        if member(&claims, "auth_time").is_null() { claims } else { changed(&claims, "auth_time", json!(end - 60)) };
    let text = scene.oauth()?.sign(&token.header, &claims).await?;
    let token = AccessToken::new(text)?;
    provider.validate(&token).await?.refuses()?;
    Ok(provider.identify(&token).await?.good()?.subject)
}
