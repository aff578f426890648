//! Logouts: the logins and tokens that they end, and those that they leave.

use std::time::Duration;

use idp_bridge_core::{AccessToken, ErrorKind, LoggedOut, LogoutReach, Secret};
use serde_json::json;

use super::{ends_access_tokens, ends_one_session, ends_without_refresh_token, oauth};
use crate::bullet::{log_out, oauth as every};
use crate::case::Case;
use crate::context::{CaseContext, Provider, ensure, scope};
use crate::forge::Jwt;
use crate::login::{Login, Shown};
use crate::{Need, SignIn, TestResult, TokenStatus};

pub(super) fn cases() -> Vec<Case> {
    let name = |name: &str| format!("federation_logout::{name}");
    let before = |title: &str, end: Need| {
        oauth(name(title), &[log_out::NOTHING_LEFT], move |context| invalid_before(context, end)).needs(&[end])
    };
    vec![
        oauth(name("a_logout_ends_the_login"), &[log_out::DEAD, log_out::EVERY_STEP], |context| {
            ends(context, Shown::All, "with all its tokens", |_| {})
        }),
        oauth(name("a_logout_without_the_refresh_token_ends_the_login"), &[log_out::DEAD], |context| {
            ends(context, Shown::AccessToken, "with the access token alone", |_| {})
        })
        .requires(ends_without_refresh_token),
        oauth(name("a_logout_ends_an_offline_login"), &[log_out::DEAD], |context| {
            ends(context, Shown::All, "of an offline login", |sign_in| sign_in.offline = true)
        })
        .needs(&[Need::OfflineLogin]),
        oauth(name("a_logout_without_the_refresh_token_ends_an_offline_login"), &[log_out::DEAD], |context| {
            ends(context, Shown::AccessToken, "of an offline login, with the access token alone", |sign_in| {
                sign_in.offline = true
            })
        })
        .requires(ends_without_refresh_token)
        .needs(&[Need::OfflineLogin]),
        oauth(
            name("a_logout_with_an_expired_token_ends_the_login"),
            &[log_out::DEAD, log_out::NOTHING_LEFT],
            |context| ends(context, Shown::All, "with an expired access token", |sign_in| sign_in.expired = true),
        )
        .needs(&[Need::ExpiredLogin]),
        oauth(
            name("a_logout_with_only_an_expired_token_ends_the_login"),
            &[log_out::DEAD, log_out::NOTHING_LEFT],
            |context| {
                ends(context, Shown::AccessToken, "with an expired access token alone", |sign_in| {
                    sign_in.expired = true
                })
            },
        )
        .requires(ends_without_refresh_token)
        .needs(&[Need::ExpiredLogin]),
        oauth(name("other_logins_stay_valid"), &[log_out::OTHERS_LIVE], others_live).requires(ends_one_session),
        oauth(name("other_logins_end_without_single_session_logout"), &[log_out::OTHERS_END], others_end),
        oauth(name("logins_of_other_users_stay_valid"), &[log_out::OTHERS_LIVE], other_users_live),
        oauth(name("a_repeated_logout_is_not_an_error"), &[log_out::NOTHING_LEFT], repeated),
        before("a_login_that_has_ended_is_not_an_error", Need::EndLogin),
        before("a_deleted_user_is_not_an_error", Need::DeletedLogin),
        before("a_blocked_user_is_logged_out", Need::BlockedLogin),
        oauth(name("another_clients_refresh_token_is_invalid_input"), &[log_out::FOREIGN], foreign).needs(&[
            Need::ForeignClient,
            Need::RefreshToken,
            Need::ForeignRefreshToken,
        ]),
        oauth(name("a_forged_refresh_token_is_not_an_invalid_access_token"), &[log_out::FOREIGN], made_up),
        oauth(name("a_hint_does_not_end_another_users_login"), &[log_out::OTHERS_LIVE], other_hint)
            .needs(&[Need::IdToken]),
        oauth(name("a_logout_without_time_left_does_nothing"), &[every::DEADLINE], late_at_once),
    ]
}

/// Checks that a logout ended the tokens that the provider promises to end.
pub(super) async fn check_logged_out(
    context: &CaseContext,
    provider: &Provider<'_>,
    login: &mut Login,
) -> TestResult<TokenStatus> {
    let after = context.check_tokens(login).await?;
    ensure!(after.refresh != Some(true), "after the logout the refresh token is still valid");
    let ends_access_tokens_too =
        provider.capabilities().federation().is_some_and(|own| ends_access_tokens(own).is_ok());
    if ends_access_tokens_too {
        provider
            .validate(&login.tokens.access)
            .await?
            .rejects_token()
            .map_err(|error| format!("after the logout: {error}"))?;
        ensure!(after.userinfo != Some(true), "after the logout userinfo still accepts the access token");
        ensure!(
            after.introspection != Some(true),
            "after the logout introspection still reports the access token as active"
        );
    }
    Ok(after)
}

/// Checks that the logout reached as far as the provider declares.
fn check_reach(provider: &Provider<'_>, ended: LoggedOut, has_refresh_token: bool) -> TestResult<()> {
    let reach = provider.capabilities().federation().map(|own| own.logout).ok_or("federation is not declared")?;
    let fits = match (reach, ended) {
        (LogoutReach::Session, ended) => ended == LoggedOut::Session,
        (LogoutReach::RefreshToken, LoggedOut::User { .. }) => !has_refresh_token,
        (LogoutReach::RefreshToken, ended) => has_refresh_token && ended == LoggedOut::RefreshToken,
        // An ID token that names a session may end that session: more than the refresh token, less than all of the user's.
        (LogoutReach::RefreshTokenOrUser, LoggedOut::RefreshToken | LoggedOut::Session) => has_refresh_token,
        (LogoutReach::RefreshTokenOrUser, LoggedOut::User { .. }) => true,
    };
    ensure!(fits, "the provider declares to end {reach}, but ended {ended:?}");
    Ok(())
}

/// Ends one login, and notes which tokens of it and of the user's other logins are still valid.
async fn ends(context: CaseContext, shown: Shown, title: &'static str, shape: fn(&mut SignIn)) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let mut login = context.log_in_with(&ada, shape).await?;
    let mut others = vec![("another login's ", context.log_in_again(&ada).await?)];
    if context.harness().not_applicable(Need::OfflineLogin).is_none() {
        let offline = context.log_in_with(&ada, |sign_in| sign_in.offline = true).await?;
        others.push(("another offline login's ", offline));
    }
    let before = context.check_tokens(&mut login).await?;
    ensure!(before.refresh != Some(false), "the refresh token was invalid before the logout");
    let mut others_before = Vec::new();
    for (_, other) in &mut others {
        others_before.push(context.check_tokens(other).await?);
    }
    let provider = context.provider().await?;
    let has_refresh_token = shown == Shown::All && login.tokens.refresh.is_some();
    let ended = provider.log_out(&login, shown).await?.succeeds()?;
    check_reach(&provider, ended, has_refresh_token)?;
    let after = check_logged_out(&context, &provider, &mut login).await?;
    context.observations().note(title, "", before, after);
    for ((prefix, other), before) in others.iter_mut().zip(others_before) {
        let after = context.check_tokens(other).await?;
        context.observations().note(title, prefix, before, after);
    }
    Ok(())
}

async fn others_live(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let (mut earlier, mut ended) = (context.log_in_again(&ada).await?, context.log_in_again(&ada).await?);
    let mut later = context.log_in_again(&ada).await?;
    let provider = context.provider().await?;
    provider.log_out(&ended, Shown::All).await?.succeeds()?;
    check_logged_out(&context, &provider, &mut ended).await?;
    check_active(&context, &provider, &mut earlier).await?;
    check_active(&context, &provider, &mut later).await
}

/// Without a refresh token, a logout ends one session, or the bridge rejects the user's other logins as well.
async fn others_end(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let (ended, other) = (context.log_in_again(&ada).await?, context.log_in_again(&ada).await?);
    let provider = context.provider().await?;
    let other = provider.identify(&other.tokens.access).await?.succeeds()?;
    let logged_out = provider.log_out(&ended, Shown::AccessToken).await?.succeeds()?;
    check_reach(&provider, logged_out, false)?;
    if let LoggedOut::User { ended_at } = logged_out {
        let is_refused = other.issued_at.is_none_or(|issued_at| issued_at <= ended_at);
        ensure!(is_refused, "the bridge accepts another login of the user, issued before the logout at {ended_at}");
    }
    Ok(())
}

async fn check_active(context: &CaseContext, provider: &Provider<'_>, login: &mut Login) -> TestResult<()> {
    let status = context.check_tokens(login).await?;
    let is_active = [status.userinfo, status.introspection, status.refresh].into_iter().all(|one| one != Some(false));
    ensure!(is_active, "another login ended as well: {status:?}");
    provider.validate(&login.tokens.access).await?.succeeds().map(drop)
}

async fn other_users_live(context: CaseContext) -> TestResult<()> {
    let (ada, mut grace) = (context.log_in("ada").await?, context.log_in("grace").await?);
    let provider = context.provider().await?;
    provider.log_out(&ada, Shown::All).await?.succeeds()?;
    check_active(&context, &provider, &mut grace).await
}

async fn repeated(context: CaseContext) -> TestResult<()> {
    let mut ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    for _ in 0..3 {
        provider.log_out(&ada, Shown::All).await?.succeeds()?;
    }
    check_logged_out(&context, &provider, &mut ada).await.map(drop)
}

/// Logs out a login that is already invalid at the identity provider.
async fn invalid_before(context: CaseContext, end: Need) -> TestResult<()> {
    let mut ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    match end {
        Need::DeletedLogin => context.oauth()?.delete(&ada.person.id).await?,
        Need::BlockedLogin => context.oauth()?.block(&ada.person.id).await?,
        _ => drop(context.oauth()?.end_login(&ada.tokens).await?),
    }
    provider.log_out(&ada, Shown::All).await?.succeeds()?;
    check_logged_out(&context, &provider, &mut ada).await.map(drop)
}

async fn foreign(context: CaseContext) -> TestResult<()> {
    let mut ada = context.log_in("ada").await?;
    let other = context.log_in_with(&ada.person, |sign_in| sign_in.foreign_client = true).await?;
    ada.tokens.refresh = Some(other.tokens.refresh.ok_or("the login of the other client has no refresh token")?);
    context.provider().await?.log_out(&ada, Shown::All).await?.fails(&[ErrorKind::InvalidInput]).map(drop)
}

/// A malformed refresh token is `InvalidInput`, not `InvalidToken` and not an error of the identity provider.
async fn made_up(context: CaseContext) -> TestResult<()> {
    let ada = context.person_with_password("ada", |_| {}).await?;
    let provider = context.provider().await?;
    let long = "x".repeat(5000);
    for text in ["made-up", "a.b.c", "", "ä\u{0}\n", "a&token=b", &long] {
        let mut login = context.log_in_again(&ada).await?;
        login.tokens.refresh = Some(Secret::new(text));
        let answer = provider.log_out(&login, Shown::All).await?;
        if answer.result.is_err() {
            answer.fails(&[ErrorKind::InvalidInput])?;
        }
    }
    Ok(())
}

/// A hint is not a credential: a stolen or forged ID token must not end its user's login.
async fn other_hint(context: CaseContext) -> TestResult<()> {
    let mut grace = context.log_in("grace").await?;
    let provider = context.provider().await?;
    let id = grace.id_token()?.clone();
    let issued = Jwt::parse(&AccessToken::new(id.expose())?)?;
    for (name, hint) in [
        ("ada", id.expose().to_owned()),
        ("linus", issued.unsigned("none")),
        ("mallory", issued.altered(&issued.with("exp", json!(4_000_000_000_u64)))),
    ] {
        let mut login = context.log_in(name).await?;
        login.tokens.id = Some(Secret::new(hint));
        let answer = provider.log_out(&login, Shown::All).await?;
        if answer.result.is_err() {
            answer.fails(&[ErrorKind::InvalidInput, ErrorKind::InvalidToken])?;
        }
        check_active(&context, &provider, &mut grace).await?;
    }
    Ok(())
}

async fn late_at_once(context: CaseContext) -> TestResult<()> {
    let mut ada = context.log_in("ada").await?;
    let provider = context.provider().await?;
    let identity = provider.identify(&ada.tokens.access).await?.succeeds()?;
    let late = scope(Duration::ZERO);
    provider.log_out_in(&late, &identity, &ada, Shown::All).await?.fails(&[ErrorKind::Timeout])?;
    check_active(&context, &provider, &mut ada).await
}
