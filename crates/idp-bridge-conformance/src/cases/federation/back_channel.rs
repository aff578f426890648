//! Logout tokens of OpenID Connect Back-Channel Logout 1.0: the good ones tell what ended, the bad ones tell nothing.

use idp_bridge_core::{
    AccessToken, Clock as _, Ended, ErrorKind, FederationCapabilities, Support, SystemClock, TokenIdentity,
};
use serde_json::{Value, json};

use super::oauth;
use crate::bullet::logout_token;
use crate::case::Case;
use crate::fake::SigningKey;
use crate::forge::{Attacker, FORGERIES, Jwt, changed, member, recorded_keys};
use crate::login::Login;
use crate::scene::{Provider, Scene, ensure};
use crate::{Need, Staged};

/// The member that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_back_channel::{name}");
    let proves = &[logout_token::BAD];
    let mut cases = vec![
        oauth(name("the_end_of_a_login_is_told"), &[logout_token::CHECKED], told).needs(&[Need::EndLogin]),
        oauth(name("a_session_or_a_user_is_told"), &[logout_token::CHECKED], good_ones).needs(&[Need::Signing]),
        oauth(name("a_forged_logout_token_is_refused"), proves, forged).needs(&[Need::Signing, Need::Upstream]),
        oauth(name("a_token_of_another_kind_is_refused"), proves, other_kinds),
    ];
    for (twist, twists) in TWISTS {
        let name = name(&format!("a_logout_token_{twist}_is_refused"));
        cases.push(oauth(name, proves, move |scene| twisted(scene, twists)).needs(&[Need::Signing]));
    }
    let needs = [Need::Signing, Need::TypedLogoutToken];
    let untyped = oauth(name("a_logout_token_of_no_type_is_refused"), proves, |scene| twisted(scene, untyped));
    cases.push(untyped.needs(&needs));
    let mut cases: Vec<Case> = cases.into_iter().map(|case| case.promised(has_back_channel)).collect();
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

/// A login with what its own tokens say of it.
struct Ending {
    login: Login,
    identity: TokenIdentity,
    /// A good logout token's header and claims, as the identity provider makes them.
    header: Value,
    claims: Value,
}

impl Ending {
    async fn of(scene: &Scene, provider: &Provider<'_>) -> Staged<Self> {
        let login = scene.log_in("ada").await?;
        let identity = provider.identify(&login.tokens.access).await?.good()?;
        let token = login.tokens.id.as_ref().map_or(login.tokens.access.expose(), |id| id.expose());
        let issued = Jwt::read(&AccessToken::new(token)?)?;
        let now = SystemClock.now().as_second();
        let facts = scene.facts()?;
        let claims = json!({
            "iss": facts.issuer,
            "aud": scene.client()?,
            "iat": now,
            "exp": now + 120,
            "jti": "conformance-logout",
            "events": {EVENT: {}},
            "sub": member(&issued.claims, "sub"),
            "sid": facts.claims.session.map(|claim| member(&issued.claims, claim)),
        });
        // A claim that the issued tokens lack is none of the logout token's either.
        let claims = changed(&claims, "sid", member(&claims, "sid").clone());
        Ok(Self { header: changed(&issued.header, "typ", json!("logout+jwt")), claims, login, identity })
    }

    async fn sign(&self, scene: &Scene, header: &Value, claims: &Value) -> Staged<AccessToken> {
        Ok(AccessToken::new(scene.oauth()?.sign(header, claims).await?)?)
    }

    /// That what was told to have ended is this login, or its user.
    fn is(&self, ended: &Ended) -> Staged<()> {
        let own = match ended {
            Ended::Session(session) => self.identity.session.as_ref() == Some(session),
            Ended::User(user) => *user == self.identity.subject,
        };
        ensure!(own, "another login was told to have ended");
        Ok(())
    }
}

async fn told(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    let login = scene.log_in("ada").await?;
    let identity = provider.identify(&login.tokens.access).await?.good()?;
    let token = scene.oauth()?.end_login(&login.tokens).await?;
    let token = token.ok_or("a back channel is declared, and the identity provider sent nothing by it")?;
    let notice = provider.check_logout_token(&token).await?.good()?;
    let own = match &notice.ended {
        Ended::Session(session) => identity.session.as_ref() == Some(session),
        Ended::User(user) => *user == login.person.id,
    };
    ensure!(own, "another login was told to have ended");
    let age = SystemClock.now().duration_since(notice.issued_at).abs();
    ensure!(age.as_secs() <= 300, "it ended just now, and was told to have ended {} s ago", age.as_secs());
    Ok(())
}

async fn good_ones(scene: Scene) -> Staged<()> {
    let provider = scene.provider().await?;
    let ending = Ending::of(&scene, &provider).await?;
    let whole = ending.sign(&scene, &ending.header, &ending.claims).await?;
    for _ in 0..2 {
        // The second time it is a replay, which changes nothing.
        ending.is(&provider.check_logout_token(&whole).await?.good()?.ended)?;
    }
    let of_user = changed(&ending.claims, "sid", Value::Null);
    let notice = provider.check_logout_token(&ending.sign(&scene, &ending.header, &of_user).await?).await?.good()?;
    ensure!(
        notice.ended == Ended::User(ending.identity.subject.clone()),
        "without `sid` the user's sessions have ended"
    );
    let issued = member(&ending.claims, "iat").as_i64();
    ensure!(Some(notice.issued_at.as_second()) == issued, "the time of the end is the one that the token says");
    let several = changed(&ending.claims, "aud", json!(["another-client", scene.client()?]));
    ending.is(&provider.check_logout_token(&ending.sign(&scene, &ending.header, &several).await?).await?.good()?.ended)
}

async fn forged(scene: Scene) -> Staged<()> {
    let (proxy, provider) = scene.proxied().await?;
    proxy.record();
    let ending = Ending::of(&scene, &provider).await?;
    let good = ending.sign(&scene, &ending.header, &ending.claims).await?;
    let attacker = Attacker {
        token: Jwt::read(&good)?,
        wish: ("sub", json!("somebody-else")),
        jwks: recorded_keys(&proxy)?,
        elsewhere: format!("{}/elsewhere", proxy.base_url()),
        key: SigningKey::rs256("attacker")?,
    };
    provider.check_logout_token(&good).await?.good()?;
    for (name, forge) in FORGERIES {
        for text in forge(&attacker)? {
            let is_unknown = attacker.names_no_known_key(&text);
            let checked = provider.check_logout_token(&AccessToken::new(text)?).await?;
            let refused = if is_unknown { checked.refuses_or_waits() } else { checked.refuses() };
            refused.map_err(|error| format!("{name}: {error}"))?;
        }
    }
    let followed = proxy.paths().iter().any(|path| path.ends_with("/elsewhere"));
    ensure!(!followed, "the keys were fetched from where the token says");
    Ok(())
}

async fn other_kinds(scene: Scene) -> Staged<()> {
    let login = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    let Login { tokens, .. } = &login;
    let others = [&tokens.id, &tokens.refresh].into_iter().flatten().map(|secret| secret.expose());
    for text in others.chain([tokens.access.expose(), "made-up", "a.b.c"]) {
        provider.check_logout_token(&AccessToken::new(text)?).await?.refuses()?;
    }
    Ok(())
}

/// What becomes of a good logout token: headers and claims that are none.
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
    ("of_nobody", |ending, _| {
        let nobody = changed(&changed(&ending.claims, "sub", Value::Null), "sid", Value::Null);
        let strange = changed(&changed(&nobody, "sub", json!(7)), "sid", json!(["a"]));
        let empty = changed(&changed(&nobody, "sub", json!("")), "sid", json!(""));
        [nobody, strange, empty].map(|claims| (ending.header.clone(), claims)).into()
    }),
    ("of_another_type", |ending, _| {
        with_types(ending, &[json!("at+jwt"), json!("secevent+jwt"), json!(""), json!(["logout+jwt"])])
    }),
];

/// Types of other tokens, which a logout token has at some identity providers.
fn untyped(ending: &Ending, _: i64) -> Vec<(Value, Value)> {
    with_types(ending, &[json!("JWT"), Value::Null])
}

fn with_types(ending: &Ending, types: &[Value]) -> Vec<(Value, Value)> {
    types.iter().map(|name| (changed(&ending.header, "typ", name.clone()), ending.claims.clone())).collect()
}

fn with_claims(ending: &Ending, claim: &str, values: impl IntoIterator<Item = Value>) -> Vec<(Value, Value)> {
    values.into_iter().map(|value| (ending.header.clone(), changed(&ending.claims, claim, value))).collect()
}

async fn twisted(scene: Scene, twist: Twist) -> Staged<()> {
    let provider = scene.provider().await?;
    let ending = Ending::of(&scene, &provider).await?;
    for (header, claims) in twist(&ending, SystemClock.now().as_second()) {
        let token = ending.sign(&scene, &header, &claims).await?;
        let refused = provider.check_logout_token(&token).await?.refuses();
        refused.map_err(|error| format!("{error}\nsigned by the identity provider: {header} {claims}"))?;
    }
    provider.validate(&ending.login.tokens.access).await?.good().map(drop)
}

async fn unsupported(scene: Scene) -> Staged<()> {
    let login = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    for text in [login.tokens.access.expose(), "made-up", "a.b.c"] {
        let told = provider.check_logout_token(&AccessToken::new(text)?).await?;
        told.asked_nothing()?;
        told.fails(&[ErrorKind::Unsupported])?;
    }
    Ok(())
}
