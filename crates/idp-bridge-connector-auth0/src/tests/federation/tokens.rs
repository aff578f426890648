//! Token validation: the peculiarities of Auth0's tokens.

use idp_bridge_core::{AccessToken, Customer, CustomerId, ErrorKind, IdentityProvider as _};
use serde_json::{Value, json};

use super::{IN_BROWSER, OPAQUE, set};
use crate::fake::{FakeAuth0, Tenant};
use crate::harness::federation::{API, CUSTOMER_CLAIM, Login};
use crate::tests::{Stage, customer, email, scope};

const REFUSED: Option<ErrorKind> = Some(ErrorKind::InvalidToken);

fn userinfo() -> String {
    format!("https://{}/userinfo", FakeAuth0::DOMAIN)
}

#[tokio::test]
async fn validation_is_one_request_with_a_record() {
    let stage = Stage::new().await;
    let id = stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    stage.exchanges();
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(stage.requests(), [format!("GET users/{}", id.as_str().replace('|', "%7C"))]);
    assert_eq!(user.customer, Customer::One(customer("ada")));
    assert_eq!((user.email, user.email_verified), (Some(email("ada")), Some(false)));
    let record = user.record.unwrap();
    assert_eq!((record.id, record.customer), (id, Customer::One(customer("ada"))));
    assert_eq!(user.identity.client.as_deref(), Some("application"));
}

#[tokio::test]
async fn record_has_the_customer_without_a_claim() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.rebuild(|_, settings| settings.customer_claim = None);
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(user.customer, Customer::Absent);
    assert_eq!(user.record.unwrap().customer, Customer::One(customer("ada")));
}

#[tokio::test]
async fn all_token_profiles_and_applications_are_accepted() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    for profile in [false, true] {
        stage.fake().with(|tenant| tenant.apis.insert(API.into(), profile));
        for login in [Login::ORDINARY, IN_BROWSER] {
            let tokens = stage.log_in("ada", login).await;
            assert_eq!(stage.verdict(tokens.access.expose()).await, None, "{profile} {login:?}");
            assert_eq!(stage.identity(&tokens).await.client.as_deref(), Some(login.client_id));
        }
    }
}

#[tokio::test]
async fn audience_is_userinfo_or_a_configured_api() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let with_openid = stage.log_in("ada", Login::ORDINARY).await;
    let without = stage.log_in("ada", Login { scope: "offline_access", ..Login::ORDINARY }).await;
    assert_eq!(stage.verdict(with_openid.access.expose()).await, None);
    assert_eq!(stage.verdict(without.access.expose()).await, REFUSED);
    stage.rebuild(|config, _| config.audiences = vec!["https://other.acme.example".into(), API.into()]);
    assert_eq!(stage.verdict(with_openid.access.expose()).await, None);
    assert_eq!(stage.verdict(without.access.expose()).await, None);
    stage.rebuild(|config, _| config.audiences = vec!["https://other.acme.example".into()]);
    assert_eq!(stage.verdict(with_openid.access.expose()).await, REFUSED);
    for odd in [json!(null), json!(7), json!([]), json!({}), json!([userinfo(), 7]), json!(format!("{}/", userinfo()))]
    {
        assert_eq!(stage.verdict_with(&with_openid, |claims| set(claims, "aud", odd.clone())).await, REFUSED, "{odd}");
    }
}

#[tokio::test]
async fn disguised_id_tokens_are_rejected() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    let id_token = tokens.id.as_ref().unwrap().expose();
    assert_eq!(stage.verdict(id_token).await, REFUSED);
    let disguise = |claims: &mut Value, audience: Value| {
        set(claims, "azp", json!("application"));
        set(claims, "scope", json!("openid"));
        set(claims, "aud", audience);
        claims.as_object_mut().unwrap().remove("nonce");
    };
    for audience in [json!("application"), json!(["application", userinfo()])] {
        let disguised = stage.harness.altered(id_token, |claims| disguise(claims, audience.clone())).unwrap();
        assert_eq!(stage.verdict(&disguised).await, REFUSED, "{audience}");
    }
    for name in ["nonce", "at_hash", "c_hash", "s_hash"] {
        assert_eq!(stage.verdict_with(&tokens, |claims| set(claims, name, json!("x"))).await, REFUSED, "{name}");
    }
}

#[tokio::test]
async fn tokens_of_others_are_rejected() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    for subject in [json!("application@clients"), json!("application"), json!(""), json!(7), json!("|"), json!("a\n|b")]
    {
        assert_eq!(
            stage.verdict_with(&tokens, |claims| set(claims, "sub", subject.clone())).await,
            REFUSED,
            "{subject}"
        );
    }
    for grant in [json!("client-credentials"), json!(["client-credentials"])] {
        assert_eq!(stage.verdict_with(&tokens, |claims| set(claims, "gty", grant.clone())).await, REFUSED, "{grant}");
    }
    assert_eq!(stage.verdict_with(&tokens, |claims| set(claims, "gty", json!("password"))).await, None);
    assert_eq!(
        stage.verdict_with(&tokens, |claims| set(claims, "client_id", json!("foreign-application"))).await,
        REFUSED
    );
    assert_eq!(stage.verdict_with(&tokens, |claims| set(claims, "cnf", json!({}))).await, REFUSED);
    assert_eq!(stage.verdict_with(&tokens, |claims| set(claims, "sid", json!(""))).await, REFUSED);
    // Only a request shows that the user is missing.
    let missing = stage.harness.altered(tokens.access.expose(), |claims| set(claims, "sub", json!("auth0|missing")));
    let missing = AccessToken::new(missing.unwrap()).unwrap();
    let error = stage.oauth().validate(&scope(), &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn custom_domain_is_the_only_issuer() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    assert_eq!(stage.verdict(tokens.access.expose()).await, REFUSED);
    let at_custom = |claims: &mut Value| set(claims, "iss", json!("https://login.acme.example/"));
    assert_eq!(stage.verdict_with(&tokens, at_custom).await, None);
    let both = |claims: &mut Value| {
        at_custom(claims);
        set(claims, "aud", json!([API, "https://login.acme.example/userinfo"]));
    };
    assert_eq!(stage.verdict_with(&tokens, both).await, None);
}

#[tokio::test]
async fn keys_rotate_without_a_restart() {
    let stage = Stage::new().await;
    stage.create_login("ada").await;
    let before = stage.log_in("ada", Login::ORDINARY).await;
    assert_eq!(stage.verdict(before.access.expose()).await, None);
    stage.fake().with(Tenant::rotate_key).unwrap();
    let after = stage.log_in("ada", Login::ORDINARY).await;
    assert_eq!(stage.verdict(after.access.expose()).await, None);
    assert_eq!(stage.verdict(before.access.expose()).await, None);
}

#[tokio::test]
async fn opaque_tokens_need_the_setting() {
    let mut stage = Stage::new().await;
    let id = stage.create_login("ada").await;
    let tokens = stage.log_in("ada", OPAQUE).await;
    assert!(!tokens.access.is_jwt());
    assert_eq!(stage.verdict(tokens.access.expose()).await, REFUSED);
    assert!(stage.requests().is_empty());
    assert!(!stage.provider.capabilities().federation().unwrap().opaque_tokens);

    stage.rebuild(|config, _| config.accept_opaque = true);
    assert!(stage.provider.capabilities().federation().unwrap().opaque_tokens);
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    let paths: Vec<String> = stage.exchanges().iter().map(|exchange| exchange.request.path().to_owned()).collect();
    assert_eq!(paths, ["/userinfo".to_owned(), format!("/api/v2/users/{}", id.as_str().replace('|', "%7C"))]);
    assert_eq!((&user.identity.subject, &user.identity.client), (&id, &None));
    assert_eq!(user.customer, Customer::One(customer("ada")));
    stage.fake().change(id.as_str(), |user| set(user, "blocked", json!(true)));
    let error = stage.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert_eq!(stage.verdict("opaque--unknown").await, REFUSED);
}

#[tokio::test]
async fn opaque_token_without_openid_is_rejected() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login { scope: "email", ..OPAQUE }).await;
    stage.rebuild(|config, _| config.accept_opaque = true);
    let error = stage.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.to_string().contains("`openid`"), "{error}");
}

#[tokio::test]
async fn rate_limited_userinfo_is_no_invalid_token() {
    let mut stage = Stage::new().await;
    stage.create_login("ada").await;
    let tokens = stage.log_in("ada", OPAQUE).await;
    stage.rebuild(|config, _| config.accept_opaque = true);
    for _ in 0..10 {
        stage.oauth().identify(&scope(), &tokens.access).await.unwrap();
    }
    let error = stage.oauth().identify(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.retry_after().unwrap().as_secs() >= 58, "{error:?}");
}

#[tokio::test]
async fn unusual_values_are_parsed() {
    let stage = Stage::new().await;
    let id = stage.create_login("ada").await;
    let tokens = stage.log_in("ada", Login::ORDINARY).await;
    stage.fake().change(id.as_str(), |user| {
        set(user, "email_verified", json!("ada@acme.example"));
        set(user, "updated_at", json!({"$date": 0}));
    });
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(user.email_verified, Some(false));
    for (claim, expected) in [
        (json!(42), Customer::One(customer_of("42"))),
        (json!(["a", "b"]), Customer::Several),
        (json!({"id": "a"}), Customer::Unusable),
        (json!(null), Customer::Absent),
    ] {
        let altered =
            stage.harness.altered(tokens.access.expose(), |claims| set(claims, CUSTOMER_CLAIM, claim.clone()));
        let token = AccessToken::new(altered.unwrap()).unwrap();
        let user = stage.oauth().validate(&scope(), &token).await.unwrap();
        assert_eq!(user.customer, expected, "{claim}");
    }
}

fn customer_of(text: &str) -> CustomerId {
    CustomerId::new(text).unwrap()
}
