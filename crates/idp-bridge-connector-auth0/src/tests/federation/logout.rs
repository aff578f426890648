//! Logouts: what they end, and what stays valid.

use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{
    AccessToken, Clock as _, EndSession, Ended, ErrorKind, LoggedOut, Logout, LogoutFallback, OutboundPolicy, Outcome,
    Secret, SystemClock,
};
use idp_bridge_http::{BaseUrl, Client, HeaderValue, Request, header};
use serde_json::{Value, json};

use super::{IN_BROWSER, OPAQUE, set};
use crate::harness::federation::{Login, claims_of};
use crate::tests::{Stage, scope};

/// Returns a tenant on an Enterprise plan, and a provider with the setting for it.
async fn enterprise() -> Stage {
    let mut stage = Stage::new().await;
    stage.harness.allow_sessions();
    stage.rebuild(|config, _| config.enterprise_sessions = true);
    stage
}

fn is_now(ended: LoggedOut) -> bool {
    let LoggedOut::User { ended_at } = ended else { return false };
    SystemClock.now().duration_since(ended_at).abs() <= SignedDuration::from_secs(5)
}

#[tokio::test]
async fn refresh_token_is_revoked_as_its_client() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    for login in [Login::ORDINARY, IN_BROWSER] {
        let (tokens, other) = (stage.log_in("ada", login).await, stage.log_in("ada", login).await);
        stage.exchanges();
        let ended = stage.log_out(&tokens, tokens.refresh.as_ref(), tokens.id.as_ref()).await.unwrap();
        assert_eq!(ended, LoggedOut::RefreshToken);
        assert!(!stage.is_refreshable(&tokens) && stage.is_refreshable(&other), "{login:?}");
        let exchanges = stage.exchanges();
        let last = exchanges.last().unwrap();
        assert_eq!(last.request.path(), "/oauth/revoke");
        assert_eq!(last.request.form().unwrap()["client_id"], login.client_id);
        // Once more, with a token that has ended.
        assert_eq!(stage.log_out(&tokens, tokens.refresh.as_ref(), None).await.unwrap(), LoggedOut::RefreshToken);
    }
}

#[tokio::test]
async fn a_rotated_token_ends_its_family() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    let mut tokens = stage.log_in("ada", IN_BROWSER).await;
    let first = tokens.refresh.clone().unwrap();
    let next = stage.harness.refresh("browser-application", &first).await.unwrap();
    tokens.refresh = Some(Secret::new(next["refresh_token"].as_str().unwrap()));
    assert!(stage.is_refreshable(&tokens));
    stage.log_out(&tokens, Some(&first), None).await.unwrap();
    assert!(!stage.is_refreshable(&tokens));
}

#[tokio::test]
async fn logout_without_refresh_token_ends_all_logins() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    stage.create_login("grace").await;
    let mut own = Vec::new();
    for login in [Login::ORDINARY, Login::ORDINARY, IN_BROWSER] {
        own.push(stage.log_in("ada", login).await);
    }
    let other = stage.log_in("grace", IN_BROWSER).await;
    assert!(is_now(stage.log_out(&own[0], None, None).await.unwrap()));
    assert!(own.iter().all(|tokens| !stage.is_refreshable(tokens)));
    assert!(stage.is_refreshable(&other));
    // Without an Enterprise plan the sessions stay active.
    assert!(own.iter().all(|tokens| stage.has_session(tokens)));
    assert!(is_now(stage.log_out(&own[0], None, None).await.unwrap()));
}

#[tokio::test]
async fn more_refresh_tokens_than_a_page_end() {
    let stage = Stage::new().await;
    let id = stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.fake().with(|tenant| tenant.make_refresh_tokens(id.as_str(), "application", 120));
    assert!(is_now(stage.log_out(&tokens, None, None).await.unwrap()));
    let lists = stage.requests().iter().filter(|request| request.starts_with("GET device-credentials")).count();
    assert_eq!(lists, 4);
    assert!(!stage.is_refreshable(&tokens));
}

#[tokio::test]
async fn a_user_wide_logout_can_be_refused() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.rebuild(|_, settings| settings.fallback = LogoutFallback::Refuse);
    stage.identity(&tokens).await;
    stage.exchanges();
    let error = stage.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("refresh_token"), "{error:?}");
    assert!(stage.requests().is_empty() && stage.is_refreshable(&tokens));
    assert_eq!(stage.log_out(&tokens, tokens.refresh.as_ref(), None).await.unwrap(), LoggedOut::RefreshToken);
}

#[tokio::test]
async fn failed_logouts_change_nothing() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    for secret in [Some(Secret::new("wrong")), None] {
        stage.rebuild(|_, settings| settings.clients[0].secret = secret);
        let error = stage.log_out(&tokens, tokens.refresh.as_ref(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(error.hint().unwrap().contains("Client Secret"), "{error:?}");
    }
    stage.rebuild(|config, _| config.client_id = "read-only".into());
    let error = stage.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!((error.kind(), error.context("scope")), (ErrorKind::PermissionDenied, Some("read:device_credentials")));
    stage.harness.allow_sessions();
    stage.fake().with(|tenant| tenant.is_enterprise = false);
    stage.rebuild(|config, _| config.enterprise_sessions = true);
    let error = stage.log_out(&tokens, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.hint().unwrap().contains("enterprise_sessions"), "{error:?}");
    assert!(stage.is_refreshable(&tokens));
}

#[tokio::test]
async fn enterprise_logout_ends_the_hinted_session() {
    let stage = enterprise().await;
    stage.create_login("ada").await;
    let (tokens, other) = (stage.log_in("ada", Login::ORDINARY).await, stage.log_in("ada", IN_BROWSER).await);
    for refresh in [None, tokens.refresh.as_ref()] {
        let ended = stage.log_out(&tokens, refresh, tokens.id.as_ref()).await.unwrap();
        assert_eq!(ended, LoggedOut::Session);
        assert!(!stage.has_session(&tokens) && !stage.is_refreshable(&tokens));
        assert!(stage.has_session(&other) && stage.is_refreshable(&other));
    }
}

#[tokio::test]
async fn enterprise_logout_without_hint_ends_all() {
    let stage = enterprise().await;
    stage.create_login("ada").await;
    stage.create_login("grace").await;
    let (one, two) = (stage.log_in("ada", Login::ORDINARY).await, stage.log_in("ada", IN_BROWSER).await);
    let other = stage.log_in("grace", Login::ORDINARY).await;
    assert!(is_now(stage.log_out(&one, None, None).await.unwrap()));
    for tokens in [&one, &two] {
        assert!(!stage.has_session(tokens) && !stage.is_refreshable(tokens));
    }
    assert!(stage.has_session(&other) && stage.is_refreshable(&other));
}

#[tokio::test]
async fn hint_of_another_login_is_invalid_input() {
    let stage = enterprise().await;
    stage.create_login("ada").await;
    stage.create_login("grace").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    let others = [stage.log_in("grace", Login::ORDINARY).await, stage.log_in("ada", IN_BROWSER).await];
    let altered = |change: fn(&mut Value)| {
        Secret::new(stage.harness.altered(tokens.id.as_ref().unwrap().expose(), change).unwrap())
    };
    let expired = |claims: &mut Value| set(claims, "exp", json!(1_790_000_000));
    let bad = [
        others[0].id.clone().unwrap(),
        others[1].id.clone().unwrap(),
        Secret::new(tokens.access.expose()),
        Secret::new("garbage"),
        Secret::new(format!("{}x", tokens.id.as_ref().unwrap().expose())),
        altered(|claims| set(claims, "iss", json!("https://other.eu.auth0.com/"))),
        altered(|claims| set(claims, "sid", json!(".."))),
        altered(|claims| set(claims, "sub", json!("application@clients"))),
    ];
    for hint in &bad {
        let error = stage.log_out(&tokens, tokens.refresh.as_ref(), Some(hint)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    }
    assert!(stage.has_session(&tokens) && stage.is_refreshable(&tokens));
    assert!(others.iter().all(|tokens| stage.has_session(tokens) && stage.is_refreshable(tokens)));
    let ended = stage.log_out(&tokens, None, Some(&altered(expired))).await.unwrap();
    assert_eq!(ended, LoggedOut::Session);
}

#[tokio::test]
async fn unknown_opaque_token_ends_the_refresh_token() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    let token = AccessToken::new("opaque--unknown").unwrap();
    for login in [OPAQUE, Login { audience: None, ..IN_BROWSER }] {
        let tokens = stage.log_in("ada", login).await;
        let logout =
            Logout { token: &token, identity: None, refresh_token: tokens.refresh.as_ref(), id_token_hint: None };
        assert_eq!(stage.oauth().log_out(&scope(), &logout).await.unwrap(), LoggedOut::RefreshToken);
        assert!(!stage.is_refreshable(&tokens));
    }
    let logout = Logout { token: &token, identity: None, refresh_token: None, id_token_hint: None };
    stage.exchanges();
    assert_eq!(stage.oauth().log_out(&scope(), &logout).await.unwrap(), LoggedOut::RefreshToken);
    assert!(stage.requests().is_empty());
}

#[tokio::test]
async fn refused_revocation_is_recorded_as_not_applied() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.rebuild(|_, settings| settings.clients[0].secret = Some(Secret::new("wrong")));
    let identity = stage.identity(&tokens).await;
    let logout = Logout {
        token: &tokens.access,
        identity: Some(&identity),
        refresh_token: tokens.refresh.as_ref(),
        id_token_hint: None,
    };
    let scope = scope();
    stage.oauth().log_out(&scope, &logout).await.unwrap_err();
    assert_eq!(scope.recorder().outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn end_session_url_is_at_the_issuer() {
    let mut stage = Stage::new().await;
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "application",
        post_logout_redirect_uri: "https://shop.acme.example/?a=b&c",
        id_token_hint: Some(&hint),
        state: Some("x y&z"),
    };
    let query = "client_id=application&post_logout_redirect_uri=https%3A%2F%2Fshop.acme.example%2F%3Fa%3Db%26c\
                 &id_token_hint=a.b.c&state=x+y%26z";
    let url = stage.oauth().end_session_url(&scope(), &end).await.unwrap();
    assert_eq!(url, format!("https://fake.eu.auth0.com/oidc/logout?{query}"));
    stage.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    let url = stage.oauth().end_session_url(&scope(), &end).await.unwrap();
    assert_eq!(url, format!("https://login.acme.example/oidc/logout?{query}"));
    assert!(stage.requests().is_empty());
}

#[tokio::test]
async fn logout_token_ends_all_of_the_user() {
    let stage = Stage::new().await;
    let id = stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    let sid = claims_of(tokens.id.as_ref().unwrap().expose()).unwrap()["sid"].clone();
    let token = stage.fake().with(|tenant| tenant.end_session(sid.as_str().unwrap(), "application")).unwrap().unwrap();
    let check = async |token: String| {
        let token = AccessToken::new(token).unwrap();
        stage.oauth().check_logout_token(&scope(), &token).await
    };
    let notice = check(token.clone()).await.unwrap();
    assert_eq!(notice.ended, Ended::User(id));
    // The type of the specification is accepted too.
    let claims = claims_of(&token).unwrap();
    let typed = stage.fake().with(|tenant| tenant.sign(&tenant.header("logout+jwt"), &claims)).unwrap();
    assert!(check(typed).await.is_ok());
    let without = |name: &str| {
        let change = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove(name));
        stage.harness.altered(&token, change).unwrap()
    };
    for bad in [
        without("sub"),
        without("events"),
        without("iat"),
        stage.harness.altered(&token, |claims| set(claims, "nonce", json!("n"))).unwrap(),
        stage.harness.altered(&token, |claims| set(claims, "aud", json!("foreign-application"))).unwrap(),
        tokens.id.as_ref().unwrap().expose().to_owned(),
        tokens.access.expose().to_owned(),
    ] {
        assert_eq!(check(bad).await.unwrap_err().kind(), ErrorKind::InvalidToken);
    }
}

/// Opens the fake's logout page with the browser's session, and returns where it redirects.
async fn open_logout_page(stage: &Stage, session: &str, hint: Option<&Secret>) -> String {
    let policy = OutboundPolicy::default();
    let (http, base) = (Client::new(&policy).unwrap(), BaseUrl::parse(&stage.fake().url(), &policy).unwrap());
    let mut query = vec![
        ("client_id", "application"),
        ("post_logout_redirect_uri", "https://shop.acme.example/"),
        ("state", "s 1"),
    ];
    query.extend(hint.map(|hint| ("id_token_hint", hint.expose())));
    let cookie = HeaderValue::from_str(&format!("auth0={session}")).unwrap();
    let request = Request::get(base.join(&["oidc", "logout"]).unwrap()).query(&query).header(header::COOKIE, cookie);
    let answer = http.send(&scope(), request).await.unwrap();
    answer.header(&header::LOCATION).unwrap().to_owned()
}

#[tokio::test]
async fn logout_page_needs_a_hint_of_its_user() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    stage.create_login("grace").await;
    let (ada, grace) = (stage.log_in("ada", Login::ORDINARY).await, stage.log_in("grace", Login::ORDINARY).await);
    let claims = claims_of(ada.id.as_ref().unwrap().expose()).unwrap();
    let session = claims["sid"].as_str().unwrap();
    for hint in [None, grace.id.as_ref(), Some(&Secret::new("garbage"))] {
        assert_eq!(open_logout_page(&stage, session, hint).await, "/u/logout-confirmation");
        assert!(stage.has_session(&ada));
    }
    let target = open_logout_page(&stage, session, ada.id.as_ref()).await;
    assert_eq!(target, "https://shop.acme.example/?state=s+1");
    assert!(!stage.has_session(&ada) && stage.is_refreshable(&ada));
}
