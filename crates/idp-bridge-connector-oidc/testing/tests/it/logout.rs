//! The end of a login, where the provider does less than the standards ask for, and where the bridge knows less.

use idp_bridge_connector_oidc::Oidc;
use idp_bridge_connector_oidc_testing::fake::Tokens;
use idp_bridge_core::{
    Clock as _, EndSession, ErrorKind, LoggedOut, Logout, LogoutFallback, Result, Secret, SystemClock,
};

use crate::bench::{Bench, oauth, scope, token};

/// Ends a login as the server does; where the token is refused, nothing is known of it.
async fn log_out(provider: &Oidc, access: &str, refresh: Option<&str>) -> Result<LoggedOut> {
    let (access, refresh) = (token(access), refresh.map(Secret::new));
    let identity = oauth(provider).identify(&scope(), &access).await.ok();
    let logout =
        Logout { token: &access, identity: identity.as_ref(), refresh_token: refresh.as_ref(), id_token_hint: None };
    oauth(provider).log_out(&scope(), &logout).await
}

fn lives(bench: &Bench, tokens: &Tokens) -> (bool, bool) {
    bench
        .harness
        .fake()
        .with(|issuer| (issuer.living(&tokens.access).is_some(), issuer.refreshable(&tokens.refresh).is_some()))
}

#[tokio::test]
async fn an_access_token_that_lives_on_is_no_success() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.ends_access_tokens = false);
    for provider in [bench.provider(|_, _| {}), bench.without_introspection()] {
        let tokens = bench.log_in();
        let error = log_out(&provider, &tokens.access, Some(&tokens.refresh)).await.unwrap_err();
        assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Unavailable, true));
        assert_eq!(lives(&bench, &tokens), (true, false));
    }
}

#[tokio::test]
async fn without_refresh_token_all_tokens_until_now_end() {
    let bench = Bench::start().await;
    let tokens = bench.log_in();
    let refusing = bench.provider(|_, settings| settings.fallback = LogoutFallback::Refuse);
    let error = log_out(&refusing, &tokens.access, None).await.unwrap_err();
    assert_eq!((error.kind(), lives(&bench, &tokens)), (ErrorKind::Unsupported, (true, true)));
    assert!(error.hint().is_some_and(|hint| hint.contains("logout.fallback")));
    for ending in [bench.provider(|_, _| {}), bench.without_introspection()] {
        let (tokens, other) = (bench.log_in(), bench.log_in());
        let issued_at = oauth(&ending).identify(&scope(), &token(&other.access)).await.unwrap().issued_at.unwrap();
        let ended = log_out(&ending, &tokens.access, None).await.unwrap();
        assert!(matches!(ended, LoggedOut::User { ended_at } if ended_at >= issued_at), "{ended:?}");
        assert_eq!(lives(&bench, &tokens), (false, true));
    }
}

#[tokio::test]
async fn logout_time_is_the_issuers() {
    let bench = Bench::start().await;
    let provider = bench.provider(|_, _| {});
    bench.change(|issuer| issuer.clock_ahead = 40);
    let tokens = bench.log_in();
    let ended = log_out(&provider, &tokens.access, None).await.unwrap();
    let now = SystemClock.now().as_second();
    assert!(matches!(ended, LoggedOut::User { ended_at } if ended_at.as_second() > now + 30), "{ended:?}");
}

#[tokio::test]
async fn dead_opaque_token_alone_ends_nothing() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.opaque = true);
    let tokens = bench.log_in_with(|login| login.life = -1);
    let error = log_out(&bench.provider(|_, _| {}), &tokens.access, None).await.unwrap_err();
    assert_eq!((error.kind(), lives(&bench, &tokens).1), (ErrorKind::InvalidToken, true));
}

#[tokio::test]
async fn the_refresh_token_of_a_dead_opaque_token_ends_whichever_client_it_is_of() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.opaque = true);
    let provider = bench.provider(|_, _| {});
    for client in ["shop", "phone"] {
        let tokens = bench.log_in_with(|login| (login.client, login.life) = (client.into(), -1));
        log_out(&provider, &tokens.access, Some(&tokens.refresh)).await.unwrap();
        assert_eq!(lives(&bench, &tokens), (false, false), "{client}");
    }
    let strange = bench.log_in_with(|login| (login.client, login.life) = ("stranger".into(), -1));
    let error = log_out(&provider, &strange.access, Some(&strange.refresh)).await.unwrap_err();
    assert_eq!((error.kind(), lives(&bench, &strange).1), (ErrorKind::InvalidInput, true));
}

#[tokio::test]
async fn a_refresh_token_of_the_tenants_other_client_ends_too() {
    let bench = Bench::start().await;
    let (shop, phone) = (bench.log_in(), bench.log_in_with(|login| login.client = "phone".into()));
    log_out(&bench.provider(|_, _| {}), &shop.access, Some(&phone.refresh)).await.unwrap();
    assert_eq!((lives(&bench, &shop), lives(&bench, &phone)), ((false, true), (false, false)));
}

#[tokio::test]
async fn what_the_document_lacks_is_not_supported() {
    let bench = Bench::start().await;
    bench.change(|issuer| {
        for name in ["revocation_endpoint", "end_session_endpoint"] {
            issuer.document.insert(name.into(), serde_json::Value::Null);
        }
    });
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let error = log_out(&provider, &tokens.access, Some(&tokens.refresh)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let end = EndSession {
        client_id: "shop",
        post_logout_redirect_uri: "https://shop.example/bye",
        id_token_hint: None,
        state: None,
    };
    assert_eq!(oauth(&provider).end_session_url(&scope(), &end).await.unwrap_err().kind(), ErrorKind::Unsupported);
}
