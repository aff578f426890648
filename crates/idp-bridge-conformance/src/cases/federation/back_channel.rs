//! Logout tokens of OpenID Connect Back-Channel Logout 1.0.

use idp_bridge_core::{
    AccessToken, Clock as _, Ended, ErrorKind, FederationCapabilities, Support, SystemClock, TokenIdentity,
};
use serde_json::{Value, json};

use super::oauth;
use crate::bullet::logout_token;
use crate::case::Case;
use crate::context::{CaseContext, Provider, ensure};
use crate::fake::SigningKey;
use crate::forge::{Attacker, FORGERIES, Jwt, changed, member, recorded_keys};
use crate::login::Login;
use crate::{Need, TestResult};

/// The event of a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_back_channel::{name}");
    let proves = &[logout_token::BAD];
    let mut cases = vec![
        oauth(name("the_end_of_a_login_is_reported"), &[logout_token::CHECKED], login_end).needs(&[Need::EndLogin]),
        oauth(name("a_session_or_a_user_is_reported"), &[logout_token::CHECKED], valid_tokens).needs(&[Need::Signing]),
        oauth(name("a_forged_logout_token_is_refused"), proves, forged).needs(&[Need::Signing, Need::Upstream]),
        oauth(name("a_token_of_another_kind_is_refused"), proves, other_kinds),
    ];
    for (twist, twists) in TWISTS {
        let name = name(&format!("a_logout_token_{twist}_is_refused"));
        cases.push(oauth(name, proves, move |context| twisted(context, twists)).needs(&[Need::Signing]));
    }
    let needs = [Need::Signing, Need::TypedLogoutToken];
    let untyped = oauth(name("a_logout_token_of_no_type_is_refused"), proves, |context| twisted(context, untyped));
    cases.push(untyped.needs(&needs));
    let mut cases: Vec<Case> = cases.into_iter().map(|case| case.requires(has_back_channel)).collect();
    let nothing = name("without_a_back_channel_every_token_is_unsupported");
    cases.push(
        oauth(nothing, &[logout_token::NO_BACK_CHANNEL], unsupported).without(|own| own.back_channel.is_possible()),
    );
    cases
}

fn has_back_channel(own: &FederationCapabilities) -> Result<(), String> {
    match &own.back_channel {
        Support::Unsupported { reason } => Err(format!("there is no back channel: {reason}")),
        Support::Supported | Support::Conditional { .. } => Ok(()),
    }
}

/// A login, and the parts of a valid logout token for it.
struct Ending {
    login: Login,
    identity: TokenIdentity,
    /// The header and the claims of a valid logout token.
    header: Value,
    claims: Value,
}

impl Ending {
    async fn new(context: &CaseContext, provider: &Provider<'_>) -> TestResult<Self> {
        let login = context.log_in("ada").await?;
        let identity = provider.identify(&login.tokens.access).await?.succeeds()?;
        let token = login.tokens.id.as_ref().map_or(login.tokens.access.expose(), |id| id.expose());
        let issued = Jwt::parse(&AccessToken::new(token)?)?;
        let now = SystemClock.now().as_second();
        let facts = context.facts()?;
        let claims = json!({
            "iss": facts.issuer,
            "aud": context.client()?,
            "iat": now,
            "exp": now + 120,
            "jti": "conformance-logout",
            "events": {EVENT: {}},
            "sub": member(&issued.claims, "sub"),
            "sid": facts.claims.session.map(|claim| member(&issued.claims, claim)),
        });
        // Removes `sid` if the issued tokens lack it.
        let claims = changed(&claims, "sid", member(&claims, "sid").clone());
        Ok(Self { header: changed(&issued.header, "typ", json!("logout+jwt")), claims, login, identity })
    }

    async fn sign(&self, context: &CaseContext, header: &Value, claims: &Value) -> TestResult<AccessToken> {
        Ok(AccessToken::new(context.oauth()?.sign(header, claims).await?)?)
    }

    /// Checks that the ended session or user is this login's.
    fn check_ended(&self, ended: &Ended) -> TestResult<()> {
        let own = match ended {
            Ended::Session(session) => self.identity.session.as_ref() == Some(session),
            Ended::User(user) => *user == self.identity.subject,
        };
        ensure!(own, "the notice is about another login");
        Ok(())
    }
}

async fn login_end(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    let login = context.log_in("ada").await?;
    let identity = provider.identify(&login.tokens.access).await?.succeeds()?;
    let token = context.oauth()?.end_login(&login.tokens).await?;
    let token = token.ok_or("a back channel is declared, but the identity provider sent no logout token")?;
    let notice = provider.check_logout_token(&token).await?.succeeds()?;
    let own = match &notice.ended {
        Ended::Session(session) => identity.session.as_ref() == Some(session),
        Ended::User(user) => *user == login.person.id,
    };
    ensure!(own, "the notice is about another login");
    let age = SystemClock.now().duration_since(notice.issued_at).abs();
    ensure!(age.as_secs() <= 300, "the login ended just now, but the notice is {} s old", age.as_secs());
    Ok(())
}

async fn valid_tokens(context: CaseContext) -> TestResult<()> {
    let provider = context.provider().await?;
    let ending = Ending::new(&context, &provider).await?;
    let whole = ending.sign(&context, &ending.header, &ending.claims).await?;
    for _ in 0..2 {
        // The second check is a replay, which the provider accepts.
        ending.check_ended(&provider.check_logout_token(&whole).await?.succeeds()?.ended)?;
    }
    let of_user = changed(&ending.claims, "sid", Value::Null);
    let notice =
        provider.check_logout_token(&ending.sign(&context, &ending.header, &of_user).await?).await?.succeeds()?;
    ensure!(
        notice.ended == Ended::User(ending.identity.subject.clone()),
        "without `sid` the notice should be about the user"
    );
    let issued = member(&ending.claims, "iat").as_i64();
    ensure!(Some(notice.issued_at.as_second()) == issued, "the time of the notice should be `iat` of the token");
    let several = changed(&ending.claims, "aud", json!(["another-client", context.client()?]));
    ending.check_ended(
        &provider.check_logout_token(&ending.sign(&context, &ending.header, &several).await?).await?.succeeds()?.ended,
    )
}

async fn forged(context: CaseContext) -> TestResult<()> {
    let (proxy, provider) = context.proxied().await?;
    proxy.record();
    let ending = Ending::new(&context, &provider).await?;
    let good = ending.sign(&context, &ending.header, &ending.claims).await?;
    let attacker = Attacker {
        token: Jwt::parse(&good)?,
        wanted_claim: ("sub", json!("somebody-else")),
        jwks: recorded_keys(&proxy)?,
        key_url: format!("{}/elsewhere", proxy.base_url()),
        key: SigningKey::rs256("attacker")?,
    };
    provider.check_logout_token(&good).await?.succeeds()?;
    for (name, forge) in FORGERIES {
        for text in forge(&attacker)? {
            let names_known_key = attacker.names_known_key(&text);
            let checked = provider.check_logout_token(&AccessToken::new(text)?).await?;
            let refused = if names_known_key { checked.rejects_token() } else { checked.rejects_or_defers_token() };
            refused.map_err(|error| format!("{name}: {error}"))?;
        }
    }
    let followed = proxy.paths().iter().any(|path| path.ends_with("/elsewhere"));
    ensure!(!followed, "the keys were fetched from an address in the token");
    Ok(())
}

async fn other_kinds(context: CaseContext) -> TestResult<()> {
    let login = context.log_in("ada").await?;
    let provider = context.provider().await?;
    let Login { tokens, .. } = &login;
    let others = [&tokens.id, &tokens.refresh].into_iter().flatten().map(|secret| secret.expose());
    for text in others.chain([tokens.access.expose(), "made-up", "a.b.c"]) {
        provider.check_logout_token(&AccessToken::new(text)?).await?.rejects_token()?;
    }
    Ok(())
}

/// Changes the header or the claims of a valid logout token.
type Twist = fn(&Ending, i64) -> Vec<(Value, Value)>;

const TWISTS: [(&str, Twist); 8] = [
    ("with_a_nonce", |ending, _| with_claims(ending, "nonce", [json!("n-1"), json!(""), json!(7)])),
    ("without_the_event", |ending, _| {
        let other = json!({"http://schemas.openid.net/event/other": {}});
        with_claims(ending, "events", [Value::Null, json!({}), other, json!(EVENT), json!([EVENT]), json!({EVENT: 1})])
    }),
    ("for_another_client", |ending, _| {
        with_claims(
            ending,
            "aud",
            [Value::Null, json!("another-client"), json!([]), json!(["another-client"]), json!({})],
        )
    }),
    ("of_another_issuer", |ending, _| {
        with_claims(ending, "iss", [Value::Null, json!("https://evil.example"), json!(["https://evil.example"])])
    }),
    ("that_is_stale", |ending, now| {
        let stale = [json!(now - 600), json!(now + 3600), Value::Null, json!("now"), json!(i64::MIN)];
        with_claims(ending, "iat", stale)
    }),
    ("that_has_expired", |ending, now| with_claims(ending, "exp", [json!(now - 300), Value::Null, json!("soon")])),
    ("without_a_user", |ending, _| {
        let absent = changed(&changed(&ending.claims, "sub", Value::Null), "sid", Value::Null);
        let strange = changed(&changed(&absent, "sub", json!(7)), "sid", json!(["a"]));
        let empty = changed(&changed(&absent, "sub", json!("")), "sid", json!(""));
        [absent, strange, empty].map(|claims| (ending.header.clone(), claims)).into()
    }),
    ("of_another_type", |ending, _| {
        with_types(ending, &[json!("at+jwt"), json!("secevent+jwt"), json!(""), json!(["logout+jwt"])])
    }),
];

/// Types of other tokens, which some identity providers use for logout tokens.
fn untyped(ending: &Ending, _: i64) -> Vec<(Value, Value)> {
    with_types(ending, &[json!("JWT"), Value::Null])
}

fn with_types(ending: &Ending, types: &[Value]) -> Vec<(Value, Value)> {
    types.iter().map(|name| (changed(&ending.header, "typ", name.clone()), ending.claims.clone())).collect()
}

fn with_claims(ending: &Ending, claim: &str, values: impl IntoIterator<Item = Value>) -> Vec<(Value, Value)> {
    values.into_iter().map(|value| (ending.header.clone(), changed(&ending.claims, claim, value))).collect()
}

async fn twisted(context: CaseContext, twist: Twist) -> TestResult<()> {
    let provider = context.provider().await?;
    let ending = Ending::new(&context, &provider).await?;
    for (header, claims) in twist(&ending, SystemClock.now().as_second()) {
        let token = ending.sign(&context, &header, &claims).await?;
        let refused = provider.check_logout_token(&token).await?.rejects_token();
        refused.map_err(|error| format!("{error}\nsigned by the identity provider: {header} {claims}"))?;
    }
    provider.validate(&ending.login.tokens.access).await?.succeeds().map(drop)
}

async fn unsupported(context: CaseContext) -> TestResult<()> {
    let login = context.log_in("ada").await?;
    let provider = context.provider().await?;
    for text in [login.tokens.access.expose(), "made-up", "a.b.c"] {
        let answer = provider.check_logout_token(&AccessToken::new(text)?).await?;
        answer.makes_no_request()?;
        answer.fails(&[ErrorKind::Unsupported])?;
    }
    Ok(())
}
