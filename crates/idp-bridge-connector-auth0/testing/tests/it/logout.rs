//! Logouts: what they end, and what stays valid.

use std::sync::Arc;

use idp_bridge_conformance::fixture::{decode_jwt, scope};
use idp_bridge_conformance::run_only;
use idp_bridge_connector_auth0_testing::harness::Auth0Harness;
use idp_bridge_connector_auth0_testing::harness::federation::Login;
use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{
    AccessToken, Clock as _, EndSession, Ended, ErrorKind, LoggedOut, Logout, LogoutFallback, Secret, SystemClock,
};
use serde_json::{Value, json};

use crate::bench::{Bench, IN_BROWSER, OPAQUE, assert_not_applied, session_of};

/// Returns a tenant on an Enterprise plan, and a provider with the setting for it.
async fn enterprise() -> Bench {
    let mut bench = Bench::new().await;
    bench.harness.allow_sessions();
    bench.rebuild(|config, _| config.enterprise_sessions = true);
    bench
}

fn is_now(ended: LoggedOut) -> bool {
    let LoggedOut::User { ended_at } = ended else { return false };
    SystemClock.now().duration_since(ended_at).abs() <= SignedDuration::from_secs(5)
}

#[tokio::test]
async fn logout_cases_pass_with_enterprise_sessions() {
    let harness = Auth0Harness::start().await.unwrap().with(|config| config.enterprise_sessions = true);
    harness.allow_sessions();
    run_only(Arc::new(harness), |name| name.starts_with("federation_logout")).await.unwrap().assert_ok();
}

#[tokio::test]
async fn refresh_token_is_revoked_as_its_client() {
    let bench = Bench::new().await;
    bench.create("ada", &[]).await;
    for login in [Login::ORDINARY, IN_BROWSER] {
        let (tokens, other) = (bench.log_in("ada", login).await, bench.log_in("ada", login).await);
        bench.exchanges();
        let ended = bench.log_out(&tokens, tokens.refresh.as_ref(), tokens.id.as_ref()).await.unwrap();
        assert_eq!(ended, LoggedOut::RefreshToken);
        assert!(!bench.is_refreshable(&tokens) && bench.is_refreshable(&other), "{login:?}");
        let exchanges = bench.exchanges();
        let last = exchanges.last().unwrap();
        assert_eq!(last.request.path(), "/oauth/revoke");
        assert_eq!(last.request.form().unwrap()["client_id"], login.client_id);
        // Once more, with a token that has ended.
        assert_eq!(bench.log_out(&tokens, tokens.refresh.as_ref(), None).await.unwrap(), LoggedOut::RefreshToken);
    }
}

#[tokio::test]
async fn a_rotated_token_ends_its_family() {
    let bench = Bench::new().await;
    let (_, mut tokens) = bench.create_and_log_in("ada", IN_BROWSER).await;
    let first = tokens.refresh.clone().unwrap();
    tokens.refresh = bench.fake().with(|tenant| tenant.rotate(first.expose())).map(Secret::new);
    assert!(bench.is_refreshable(&tokens));
    bench.log_out(&tokens, Some(&first), None).await.unwrap();
    assert!(!bench.is_refreshable(&tokens));
}

#[tokio::test]
async fn logout_without_tokens_ends_all_logins() {
    for (bench, ends_sessions) in [(Bench::new().await, false), (enterprise().await, true)] {
        bench.create("ada", &[]).await;
        let (_, other) = bench.create_and_log_in("grace", IN_BROWSER).await;
        let mut own = Vec::new();
        for login in [Login::ORDINARY, Login::ORDINARY, IN_BROWSER] {
            own.push(bench.log_in("ada", login).await);
        }
        assert!(is_now(bench.log_out(&own[0], None, None).await.unwrap()));
        assert!(own.iter().all(|tokens| !bench.is_refreshable(tokens)));
        assert!(own.iter().all(|tokens| bench.has_session(tokens) != ends_sessions));
        assert!(bench.is_refreshable(&other) && bench.has_session(&other));
        assert!(is_now(bench.log_out(&own[0], None, None).await.unwrap()));
    }
}

#[tokio::test]
async fn more_refresh_tokens_than_a_page_end() {
    let bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    bench.fake().with(|tenant| tenant.make_refresh_tokens(id.as_str(), "application", 120));
    assert!(is_now(bench.log_out(&tokens, None, None).await.unwrap()));
    let lists = bench.requests().iter().filter(|request| request.starts_with("GET device-credentials")).count();
    assert_eq!(lists, 4);
    assert!(!bench.is_refreshable(&tokens));
}

#[tokio::test]
async fn endless_list_of_refresh_tokens_fails() {
    let bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    bench.fake().with(|tenant| tenant.keeps_credentials = true);
    bench.fake().with(|tenant| tenant.make_refresh_tokens(id.as_str(), "application", 1));
    let error = bench.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let lists = bench.requests().iter().filter(|request| request.starts_with("GET device-credentials")).count();
    assert_eq!(lists, 11, "Auth0 keeps a thousand refresh tokens, and lists a hundred at once");
}

#[tokio::test]
async fn a_user_wide_logout_can_be_refused() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    bench.rebuild(|_, settings| settings.fallback = LogoutFallback::Refuse);
    bench.identity(&tokens).await;
    bench.exchanges();
    let error = bench.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("refresh_token"), "{error:?}");
    assert!(bench.requests().is_empty() && bench.is_refreshable(&tokens));
    assert_eq!(bench.log_out(&tokens, tokens.refresh.as_ref(), None).await.unwrap(), LoggedOut::RefreshToken);
}

#[tokio::test]
async fn failed_logouts_change_nothing() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    for secret in [Some(Secret::new("wrong")), None] {
        bench.rebuild(|_, settings| settings.clients[0].secret = secret);
        let (identity, scope) = (bench.identity(&tokens).await, scope());
        let logout = Logout {
            token: &tokens.access,
            identity: Some(&identity),
            refresh_token: tokens.refresh.as_ref(),
            id_token_hint: None,
        };
        let error = bench.oauth().log_out(&scope, &logout).await.unwrap_err();
        assert!(error.hint().unwrap().contains("Client Secret"), "{error:?}");
        assert_not_applied::<()>(&scope, Err(error), ErrorKind::Unauthenticated);
    }
    bench.rebuild(|config, _| config.client_id = "read-only".into());
    let error = bench.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!((error.kind(), error.context("scope")), (ErrorKind::PermissionDenied, Some("read:device_credentials")));
    bench.harness.allow_sessions();
    bench.fake().with(|tenant| tenant.is_enterprise = false);
    bench.rebuild(|config, _| config.enterprise_sessions = true);
    let error = bench.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("enterprise_sessions"), "{error:?}");
    assert!(bench.is_refreshable(&tokens));
}

#[tokio::test]
async fn enterprise_logout_ends_the_hinted_session() {
    let bench = enterprise().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let other = bench.log_in("ada", IN_BROWSER).await;
    for refresh in [None, tokens.refresh.as_ref()] {
        let ended = bench.log_out(&tokens, refresh, tokens.id.as_ref()).await.unwrap();
        assert_eq!(ended, LoggedOut::Session);
        assert!(!bench.has_session(&tokens) && !bench.is_refreshable(&tokens));
        assert!(bench.has_session(&other) && bench.is_refreshable(&other));
    }
}

#[tokio::test]
async fn hint_of_another_login_is_invalid_input() {
    let bench = enterprise().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let (_, grace) = bench.create_and_log_in("grace", Login::ORDINARY).await;
    let others = [grace, bench.log_in("ada", IN_BROWSER).await];
    let id_token = tokens.id.as_ref().unwrap().expose();
    let altered = |claims| bench.altered(id_token, claims);
    for hint in [
        others[0].id.as_ref().unwrap().expose().to_owned(),
        others[1].id.as_ref().unwrap().expose().to_owned(),
        tokens.access.expose().to_owned(),
        "garbage".to_owned(),
        format!("{id_token}x"),
        altered(json!({"iss": "https://other.eu.auth0.com/"})),
        altered(json!({"sid": ".."})),
        altered(json!({"sub": "application@clients"})),
    ] {
        let error = bench.log_out(&tokens, tokens.refresh.as_ref(), Some(&Secret::new(hint))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    }
    for tokens in [&tokens, &others[0], &others[1]] {
        assert!(bench.has_session(tokens) && bench.is_refreshable(tokens));
    }
    let expired = Secret::new(altered(json!({"exp": 1_790_000_000})));
    assert_eq!(bench.log_out(&tokens, None, Some(&expired)).await.unwrap(), LoggedOut::Session);
}

#[tokio::test]
async fn unknown_opaque_token_ends_the_refresh_token() {
    let bench = Bench::new().await;
    bench.create("ada", &[]).await;
    let token = AccessToken::new("opaque--unknown").unwrap();
    let log_out = async |refresh_token: Option<&Secret>| {
        let logout = Logout { token: &token, identity: None, refresh_token, id_token_hint: None };
        bench.oauth().log_out(&scope(), &logout).await.unwrap()
    };
    for login in [OPAQUE, Login { audience: None, ..IN_BROWSER }] {
        let tokens = bench.log_in("ada", login).await;
        assert_eq!(log_out(tokens.refresh.as_ref()).await, LoggedOut::RefreshToken);
        assert!(!bench.is_refreshable(&tokens));
    }
    bench.exchanges();
    assert_eq!(log_out(None).await, LoggedOut::RefreshToken);
    assert!(bench.requests().is_empty());
}

#[tokio::test]
async fn logout_token_ends_all_of_the_user() {
    let bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let session = session_of(&tokens);
    let token = bench.fake().with(|tenant| tenant.end_session(&session, "application")).unwrap().unwrap();
    let check = async |token: &str| {
        let token = AccessToken::new(token).unwrap();
        bench.oauth().check_logout_token(&scope(), &token).await
    };
    assert_eq!(check(&token).await.unwrap().ended, Ended::User(id));
    // The type of the specification is accepted too.
    let claims = decode_jwt(&token).unwrap().1;
    let typed = bench.fake().with(|tenant| tenant.sign(&tenant.header("logout+jwt"), &claims)).unwrap();
    assert!(check(&typed).await.is_ok());
    let without = |name: &str| {
        let remove = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(name));
        bench.harness.altered(&token, remove).unwrap()
    };
    for bad in [
        without("sub"),
        without("events"),
        without("iat"),
        bench.altered(&token, json!({"nonce": "n"})),
        bench.altered(&token, json!({"aud": "foreign-application"})),
        tokens.id.as_ref().unwrap().expose().to_owned(),
        tokens.access.expose().to_owned(),
    ] {
        assert_eq!(check(&bad).await.unwrap_err().kind(), ErrorKind::InvalidToken);
    }
}

#[tokio::test]
async fn end_session_url_is_at_the_issuer() {
    let mut bench = Bench::new().await;
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "application",
        post_logout_redirect_uri: "https://shop.acme.example/?a=b&c",
        id_token_hint: Some(&hint),
        state: Some("x y&z"),
    };
    let query = "client_id=application&post_logout_redirect_uri=https%3A%2F%2Fshop.acme.example%2F%3Fa%3Db%26c\
                 &id_token_hint=a.b.c&state=x+y%26z";
    for (custom_domain, host) in [(None, "fake.eu.auth0.com"), (Some("login.acme.example"), "login.acme.example")] {
        bench.rebuild(|config, _| config.custom_domain = custom_domain.map(str::to_owned));
        let url = bench.oauth().end_session_url(&scope(), &end).await.unwrap();
        assert_eq!(url, format!("https://{host}/oidc/logout?{query}"));
    }
    assert!(bench.requests().is_empty());
}
