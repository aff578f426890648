//! Logouts with incomplete tokens, and at providers that do less than the standards require.

use idp_bridge_conformance::Tokens;
use idp_bridge_connector_oidc::Oidc;
use idp_bridge_core::{
    AccessToken, Clock as _, EndSession, ErrorKind, LoggedOut, Logout, LogoutFallback, Result, Secret, SystemClock,
};

use crate::bench::{Bench, federation, scope};

/// Ends a login as the server does: without an identity if the token is rejected.
async fn log_out(provider: &Oidc, access: &AccessToken, refresh: Option<&Secret>) -> Result<LoggedOut> {
    let identity = federation(provider).identify(&scope(), access).await.ok();
    let logout = Logout { token: access, identity: identity.as_ref(), refresh_token: refresh, id_token_hint: None };
    federation(provider).log_out(&scope(), &logout).await
}

/// Returns whether the access token and the refresh token are active.
fn are_active(bench: &Bench, tokens: &Tokens) -> (bool, bool) {
    let status = bench.harness.fake().with(|issuer| issuer.check_tokens(tokens));
    (status.userinfo.unwrap(), status.refresh.unwrap())
}

#[tokio::test]
async fn an_active_access_token_fails_the_logout() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.ends_access_tokens = false);
    for provider in [bench.provider(|_, _| {}), bench.userinfo_provider()] {
        let tokens = bench.log_in();
        let error = log_out(&provider, &tokens.access, tokens.refresh.as_ref()).await.unwrap_err();
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Unavailable, true));
        assert_eq!(are_active(&bench, &tokens), (true, false));
    }
}

#[tokio::test]
async fn without_refresh_token_all_logins_end() {
    let bench = Bench::start().await;
    let tokens = bench.log_in();
    let refusing = bench.provider(|_, settings| settings.fallback = LogoutFallback::Refuse);
    let error = log_out(&refusing, &tokens.access, None).await.unwrap_err();
    assert_eq!((error.kind(), are_active(&bench, &tokens)), (ErrorKind::Unsupported, (true, true)));
    assert!(error.hint().is_some_and(|hint| hint.contains("logout.fallback")));
    for ending in [bench.provider(|_, _| {}), bench.userinfo_provider()] {
        let (tokens, other) = (bench.log_in(), bench.log_in());
        let issued_at = federation(&ending).identify(&scope(), &other.access).await.unwrap().issued_at.unwrap();
        let ended = log_out(&ending, &tokens.access, None).await.unwrap();
        assert!(matches!(ended, LoggedOut::User { ended_at } if ended_at >= issued_at), "{ended:?}");
        assert_eq!(are_active(&bench, &tokens), (false, true));
    }
}

#[tokio::test]
async fn logout_time_comes_from_the_issuer() {
    let bench = Bench::start().await;
    let provider = bench.provider(|_, _| {});
    bench.change(|issuer| issuer.clock_ahead = 40);
    let tokens = bench.log_in();
    let ended = log_out(&provider, &tokens.access, None).await.unwrap();
    let now = SystemClock.now().as_second();
    assert!(matches!(ended, LoggedOut::User { ended_at } if ended_at.as_second() > now + 30), "{ended:?}");
}

#[tokio::test]
async fn an_inactive_opaque_token_ends_nothing() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.access_type = None);
    let tokens = bench.log_in_with(|login| login.lifetime = -1);
    let error = log_out(&bench.provider(|_, _| {}), &tokens.access, None).await.unwrap_err();
    assert_eq!((error.kind(), are_active(&bench, &tokens).1), (ErrorKind::InvalidToken, true));
}

#[tokio::test]
async fn a_refresh_token_ends_without_its_client() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.access_type = None);
    let provider = bench.provider(|_, _| {});
    for client in ["shop", "phone"] {
        let tokens = bench.log_in_with(|login| (login.client, login.lifetime) = (client.into(), -1));
        log_out(&provider, &tokens.access, tokens.refresh.as_ref()).await.unwrap();
        assert_eq!(are_active(&bench, &tokens), (false, false), "{client}");
    }
    let foreign = bench.log_in_with(|login| (login.client, login.lifetime) = ("stranger".into(), -1));
    let error = log_out(&provider, &foreign.access, foreign.refresh.as_ref()).await.unwrap_err();
    assert_eq!((error.kind(), are_active(&bench, &foreign).1), (ErrorKind::InvalidInput, true));
}

#[tokio::test]
async fn a_refresh_token_of_another_client_ends() {
    let bench = Bench::start().await;
    let (shop, phone) = (bench.log_in(), bench.log_in_with(|login| login.client = "phone".into()));
    log_out(&bench.provider(|_, _| {}), &shop.access, phone.refresh.as_ref()).await.unwrap();
    assert_eq!((are_active(&bench, &shop), are_active(&bench, &phone)), ((false, true), (false, false)));
}

#[tokio::test]
async fn missing_endpoints_are_unsupported() {
    let bench = Bench::start().await;
    bench.change(|issuer| {
        for name in ["revocation_endpoint", "end_session_endpoint"] {
            issuer.document.insert(name.into(), serde_json::Value::Null);
        }
    });
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let error = log_out(&provider, &tokens.access, tokens.refresh.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let end = EndSession {
        client_id: "shop",
        post_logout_redirect_uri: "https://shop.example/bye",
        id_token_hint: None,
        state: None,
    };
    assert_eq!(federation(&provider).end_session_url(&scope(), &end).await.unwrap_err().kind(), ErrorKind::Unsupported);
}
