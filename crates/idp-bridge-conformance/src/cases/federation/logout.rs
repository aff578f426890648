//! The end of a login: what dies, what lives on, and that nothing is promised that did not happen.

use std::time::Duration;

use idp_bridge_core::{AccessToken, ErrorKind, LoggedOut, LogoutReach, Secret};
use serde_json::json;

use super::{ends_access_tokens, ends_one_session, ends_without_refresh_token, oauth};
use crate::bullet::{log_out, oauth as every};
use crate::case::Case;
use crate::forge::Jwt;
use crate::login::{Login, Shown};
use crate::scene::{Provider, Scene, ensure, scope};
use crate::{Alive, Need, SignIn, Staged};

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_logout::{name}");
    vec![
        oauth(name("a_logout_ends_the_login"), &[log_out::DEAD, log_out::EVERY_STEP], |scene| {
            ends(scene, Shown::All, "with all its tokens", |_| {})
        }),
        oauth(name("a_logout_without_the_refresh_token_ends_the_login"), &[log_out::DEAD], |scene| {
            ends(scene, Shown::AccessToken, "with the access token alone", |_| {})
        })
        .promised(ends_without_refresh_token),
        oauth(name("a_logout_ends_an_offline_login"), &[log_out::DEAD], |scene| {
            ends(scene, Shown::All, "of an offline login", |sign_in| sign_in.offline = true)
        })
        .needs(&[Need::OfflineLogin]),
        oauth(name("a_logout_without_the_refresh_token_ends_an_offline_login"), &[log_out::DEAD], |scene| {
            ends(scene, Shown::AccessToken, "of an offline login, with the access token alone", |sign_in| {
                sign_in.offline = true
            })
        })
        .promised(ends_without_refresh_token)
        .needs(&[Need::OfflineLogin]),
        oauth(
            name("a_logout_with_an_expired_token_ends_the_login"),
            &[log_out::DEAD, log_out::NOTHING_LEFT],
            |scene| ends(scene, Shown::All, "with an expired access token", |sign_in| sign_in.expired = true),
        )
        .needs(&[Need::ExpiredLogin]),
        oauth(
            name("a_logout_with_nothing_but_an_expired_token_ends_the_login"),
            &[log_out::DEAD, log_out::NOTHING_LEFT],
            |scene| {
                ends(scene, Shown::AccessToken, "with an expired access token alone", |sign_in| sign_in.expired = true)
            },
        )
        .promised(ends_without_refresh_token)
        .needs(&[Need::ExpiredLogin]),
        oauth(name("other_logins_live_on"), &[log_out::OTHERS_LIVE], others_live).promised(ends_one_session),
        oauth(name("other_logins_end_where_no_session_can"), &[log_out::OTHERS_END], others_end),
        oauth(name("other_users_live_on"), &[log_out::OTHERS_LIVE], other_users_live),
        oauth(name("a_repeated_logout_is_no_error"), &[log_out::NOTHING_LEFT], repeated),
        oauth(name("a_login_that_has_ended_is_no_error"), &[log_out::NOTHING_LEFT], ended_before)
            .needs(&[Need::EndLogin]),
        oauth(name("a_deleted_user_is_no_error"), &[log_out::NOTHING_LEFT], deleted_before)
            .needs(&[Need::DeletedLogin]),
        oauth(name("a_blocked_user_is_logged_out"), &[log_out::NOTHING_LEFT], blocked_before)
            .needs(&[Need::BlockedLogin]),
        oauth(name("another_clients_refresh_token_is_invalid_input"), &[log_out::FOREIGN], foreign).needs(&[
            Need::ForeignClient,
            Need::RefreshToken,
            Need::ForeignRefreshToken,
        ]),
        oauth(name("a_made_up_refresh_token_is_never_the_access_tokens_fault"), &[log_out::FOREIGN], made_up),
        oauth(name("a_hint_of_another_user_ends_nobody_elses_login"), &[log_out::OTHERS_LIVE], other_hint)
            .needs(&[Need::IdToken]),
        oauth(name("a_logout_that_is_late_at_once_does_nothing"), &[every::DEADLINE], late_at_once),
    ]
}

/// That no more lives of a login than its provider promises.
pub(super) async fn is_over(scene: &Scene, provider: &Provider<'_>, login: &mut Login) -> Staged<Alive> {
    let after = scene.alive(login).await?;
    ensure!(after.refresh != Some(true), "after the logout the refresh token lives");
    let promised = provider.capabilities().federation().is_some_and(|own| ends_access_tokens(own).is_ok());
    if promised {
        provider
            .validate(&login.tokens.access)
            .await?
            .refuses()
            .map_err(|error| format!("after the logout: {error}"))?;
        ensure!(after.userinfo != Some(true), "after the logout the access token lives at userinfo");
        ensure!(after.introspection != Some(true), "after the logout the access token lives at introspection");
    }
    Ok(after)
}

/// That the answer is one that this provider promises.
fn is_promised(provider: &Provider<'_>, ended: LoggedOut, has_refresh_token: bool) -> Staged<()> {
    let reach = provider.capabilities().federation().map(|own| own.logout).ok_or("federation is not declared")?;
    let fits = match (reach, ended) {
        (LogoutReach::Session, ended) => ended == LoggedOut::Session,
        (LogoutReach::RefreshToken, LoggedOut::User { .. }) => !has_refresh_token,
        (LogoutReach::RefreshToken, ended) => has_refresh_token && ended == LoggedOut::RefreshToken,
        // Where the ID token names a session, all of that session may end: more than the refresh token, and less than the user's.
        (LogoutReach::RefreshTokenOrUser, LoggedOut::RefreshToken | LoggedOut::Session) => has_refresh_token,
        (LogoutReach::RefreshTokenOrUser, LoggedOut::User { .. }) => true,
    };
    ensure!(fits, "a provider that promises to end {reach} ended {ended:?}");
    Ok(())
}

/// One login is ended, and it is noted what becomes of it and of the user's other ones.
async fn ends(scene: Scene, shown: Shown, title: &'static str, shape: fn(&mut SignIn)) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let mut login = scene.log_in_with(&ada, shape).await?;
    let mut others = vec![("another login's ", scene.log_in_again(&ada).await?)];
    if scene.harness().not_applicable(Need::OfflineLogin).is_none() {
        let offline = scene.log_in_with(&ada, |sign_in| sign_in.offline = true).await?;
        others.push(("another offline login's ", offline));
    }
    let before = scene.alive(&mut login).await?;
    ensure!(before.refresh != Some(false), "before the logout the refresh token is dead already");
    let mut others_before = Vec::new();
    for (_, other) in &mut others {
        others_before.push(scene.alive(other).await?);
    }
    let provider = scene.provider().await?;
    let has_refresh_token = shown == Shown::All && login.tokens.refresh.is_some();
    let ended = provider.log_out(&login, shown).await?.good()?;
    is_promised(&provider, ended, has_refresh_token)?;
    let after = is_over(&scene, &provider, &mut login).await?;
    scene.observations().note(title, "", before, after);
    for ((whose, other), before) in others.iter_mut().zip(others_before) {
        let after = scene.alive(other).await?;
        scene.observations().note(title, whose, before, after);
    }
    Ok(())
}

async fn others_live(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let (mut earlier, mut ended) = (scene.log_in_again(&ada).await?, scene.log_in_again(&ada).await?);
    let mut later = scene.log_in_again(&ada).await?;
    let provider = scene.provider().await?;
    provider.log_out(&ended, Shown::All).await?.good()?;
    is_over(&scene, &provider, &mut ended).await?;
    lives_on(&scene, &provider, &mut earlier).await?;
    lives_on(&scene, &provider, &mut later).await
}

/// Without a refresh token, a logout ends one session, or the bridge has to refuse the user's other logins as well.
async fn others_end(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let (ended, other) = (scene.log_in_again(&ada).await?, scene.log_in_again(&ada).await?);
    let provider = scene.provider().await?;
    let other = provider.identify(&other.tokens.access).await?.good()?;
    let told = provider.log_out(&ended, Shown::AccessToken).await?.good()?;
    is_promised(&provider, told, false)?;
    if let LoggedOut::User { ended_at } = told {
        let is_refused = other.issued_at.is_none_or(|issued_at| issued_at <= ended_at);
        ensure!(is_refused, "the bridge takes another login of the user, issued before the logout at {ended_at}");
    }
    Ok(())
}

async fn lives_on(scene: &Scene, provider: &Provider<'_>, login: &mut Login) -> Staged<()> {
    let alive = scene.alive(login).await?;
    let lives = [alive.userinfo, alive.introspection, alive.refresh].into_iter().all(|one| one != Some(false));
    ensure!(lives, "another login has ended, too: {alive:?}");
    provider.validate(&login.tokens.access).await?.good().map(drop)
}

async fn other_users_live(scene: Scene) -> Staged<()> {
    let (ada, mut grace) = (scene.log_in("ada").await?, scene.log_in("grace").await?);
    let provider = scene.provider().await?;
    provider.log_out(&ada, Shown::All).await?.good()?;
    lives_on(&scene, &provider, &mut grace).await
}

async fn repeated(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    for _ in 0..3 {
        provider.log_out(&ada, Shown::All).await?.good()?;
    }
    is_over(&scene, &provider, &mut ada).await.map(drop)
}

async fn ended_before(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    scene.oauth()?.end_login(&ada.tokens).await?;
    provider.log_out(&ada, Shown::All).await?.good()?;
    is_over(&scene, &provider, &mut ada).await.map(drop)
}

async fn deleted_before(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    scene.oauth()?.delete(&ada.person.id).await?;
    provider.log_out(&ada, Shown::All).await?.good()?;
    is_over(&scene, &provider, &mut ada).await.map(drop)
}

async fn blocked_before(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    scene.oauth()?.block(&ada.person.id).await?;
    provider.log_out(&ada, Shown::All).await?.good()?;
    is_over(&scene, &provider, &mut ada).await.map(drop)
}

async fn foreign(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let other = scene.log_in_with(&ada.person, |sign_in| sign_in.foreign_client = true).await?;
    ada.tokens.refresh = Some(other.tokens.refresh.ok_or("the foreign client got no refresh token")?);
    scene.provider().await?.log_out(&ada, Shown::All).await?.fails(&[ErrorKind::InvalidInput]).map(drop)
}

/// Whatever somebody sends as a refresh token is not the access token's fault, and no fault of the identity provider.
async fn made_up(scene: Scene) -> Staged<()> {
    let ada = scene.resident("ada", |_| {}).await?;
    let provider = scene.provider().await?;
    let long = "x".repeat(5000);
    for text in ["made-up", "a.b.c", "", "ä\u{0}\n", "a&token=b", &long] {
        let mut login = scene.log_in_again(&ada).await?;
        login.tokens.refresh = Some(Secret::new(text));
        let told = provider.log_out(&login, Shown::All).await?;
        if told.result.is_err() {
            told.fails(&[ErrorKind::InvalidInput])?;
        }
    }
    Ok(())
}

/// A hint is no credential: whoever has got hold of another user's ID token, or makes one up, cannot end that login.
async fn other_hint(scene: Scene) -> Staged<()> {
    let mut grace = scene.log_in("grace").await?;
    let provider = scene.provider().await?;
    let id = grace.tokens.id.clone().ok_or("the harness gives no ID token, and does not declare `Need::IdToken`")?;
    let issued = Jwt::read(&AccessToken::new(id.expose())?)?;
    for (name, hint) in [
        ("ada", id.expose().to_owned()),
        ("linus", issued.unsigned("none")),
        ("mallory", issued.altered(&issued.with("exp", json!(4_000_000_000_u64)))),
    ] {
        let mut login = scene.log_in(name).await?;
        login.tokens.id = Some(Secret::new(hint));
        let told = provider.log_out(&login, Shown::All).await?;
        if told.result.is_err() {
            told.fails(&[ErrorKind::InvalidInput, ErrorKind::InvalidToken])?;
        }
        lives_on(&scene, &provider, &mut grace).await?;
    }
    Ok(())
}

async fn late_at_once(scene: Scene) -> Staged<()> {
    let mut ada = scene.log_in("ada").await?;
    let provider = scene.provider().await?;
    let identity = provider.identify(&ada.tokens.access).await?.good()?;
    let late = scope(Duration::ZERO);
    provider.log_out_in(&late, &identity, &ada, Shown::All).await?.fails(&[ErrorKind::Timeout])?;
    lives_on(&scene, &provider, &mut ada).await
}
