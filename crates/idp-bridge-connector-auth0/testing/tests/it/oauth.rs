//! Token validation: the peculiarities of Auth0's tokens.

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_connector_auth0_testing::fake::FakeAuth0;
use idp_bridge_connector_auth0_testing::harness::federation::{API, CUSTOMER_CLAIM, Login};
use idp_bridge_core::{AccessToken, Customer, ErrorKind, IdentityProvider as _};
use serde_json::{Value, json};

use crate::bench::{Bench, IN_BROWSER, OPAQUE, read_of, set_all};

const REFUSED: Option<ErrorKind> = Some(ErrorKind::InvalidToken);

fn userinfo() -> String {
    format!("https://{}/userinfo", FakeAuth0::DOMAIN)
}

#[tokio::test]
async fn validation_is_one_request_with_a_record() {
    let mut bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    bench.oauth().validate(&scope(), &tokens.access).await.unwrap();
    bench.exchanges();
    let user = bench.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(bench.requests(), [read_of(&id)]);
    let ada = Customer::One(customer("ada"));
    assert_eq!((user.email, user.email_verified), (Some(email("ada")), Some(false)));
    assert_eq!(user.identity.client.as_deref(), Some("application"));
    let record = user.record.unwrap();
    assert_eq!((record.id, record.customer, user.customer), (id, ada.clone(), ada.clone()));
    bench.rebuild(|_, settings| settings.customer_claim = None);
    let user = bench.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!((user.customer, user.record.unwrap().customer), (Customer::Absent, ada));
}

#[tokio::test]
async fn all_token_profiles_and_applications_are_accepted() {
    let bench = Bench::new().await;
    bench.create("ada", &[]).await;
    for profile in [false, true] {
        bench.fake().with(|tenant| tenant.apis.insert(API.into(), profile));
        for login in [Login::ORDINARY, IN_BROWSER] {
            let tokens = bench.log_in("ada", login).await;
            assert_eq!(bench.verdict(tokens.access.expose()).await, None, "{profile} {login:?}");
            assert_eq!(bench.identity(&tokens).await.client.as_deref(), Some(login.client_id));
        }
    }
}

#[tokio::test]
async fn audience_is_userinfo_or_a_configured_api() {
    let mut bench = Bench::new().await;
    let (_, with_openid) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let without = bench.log_in("ada", Login { scope: "offline_access", ..Login::ORDINARY }).await;
    let other = "https://other.acme.example";
    for (audiences, expected) in
        [(vec![], [None, REFUSED]), (vec![other, API], [None, None]), (vec![other], [REFUSED, REFUSED])]
    {
        bench.rebuild(|config, _| config.audiences = audiences.iter().map(|own| (*own).to_owned()).collect());
        let verdicts = [bench.verdict(with_openid.access.expose()).await, bench.verdict(without.access.expose()).await];
        assert_eq!(verdicts, expected, "{audiences:?}");
    }
    for odd in [json!(null), json!(7), json!([]), json!({}), json!([userinfo(), 7]), json!(format!("{}/", userinfo()))]
    {
        assert_eq!(bench.verdict_with(&with_openid, json!({"aud": odd})).await, REFUSED, "{odd}");
    }
}

#[tokio::test]
async fn disguised_id_tokens_are_rejected() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let id_token = tokens.id.as_ref().unwrap().expose();
    assert_eq!(bench.verdict(id_token).await, REFUSED);
    for audience in [json!("application"), json!(["application", userinfo()])] {
        let disguise = |claims: &mut Value| {
            set_all(claims, json!({"azp": "application", "scope": "openid", "aud": audience}));
            claims.as_object_mut().unwrap().remove("nonce");
        };
        let disguised = bench.harness.altered(id_token, disguise).unwrap();
        assert_eq!(bench.verdict(&disguised).await, REFUSED, "{audience}");
    }
    for name in ["nonce", "at_hash", "c_hash", "s_hash"] {
        assert_eq!(bench.verdict_with(&tokens, json!({name: "x"})).await, REFUSED, "{name}");
    }
}

#[tokio::test]
async fn tokens_of_others_are_rejected() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    for claims in [
        json!({"sub": "application@clients"}),
        json!({"sub": "application"}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "|"}),
        json!({"sub": "a\n|b"}),
        json!({"gty": "client-credentials"}),
        json!({"gty": ["client-credentials"]}),
        json!({"client_id": "foreign-application"}),
        json!({"cnf": {}}),
        json!({"sid": ""}),
    ] {
        assert_eq!(bench.verdict_with(&tokens, claims.clone()).await, REFUSED, "{claims}");
    }
    assert_eq!(bench.verdict_with(&tokens, json!({"gty": "password"})).await, None);
    // Only a request shows that the user is missing.
    let missing = AccessToken::new(bench.altered(tokens.access.expose(), json!({"sub": "auth0|missing"}))).unwrap();
    let error = bench.oauth().validate(&scope(), &missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn custom_domain_is_the_only_issuer() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    bench.rebuild(|config, _| config.custom_domain = Some("login.acme.example".into()));
    let issuer = "https://login.acme.example/";
    for (claims, expected) in [
        (json!({}), REFUSED),
        (json!({"iss": issuer}), None),
        (json!({"iss": issuer, "aud": [API, format!("{issuer}userinfo")]}), None),
    ] {
        assert_eq!(bench.verdict_with(&tokens, claims.clone()).await, expected, "{claims}");
    }
}

#[tokio::test]
async fn opaque_tokens_need_the_setting() {
    let mut bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", OPAQUE).await;
    assert!(!tokens.access.is_jwt());
    assert_eq!(bench.verdict(tokens.access.expose()).await, REFUSED);
    assert!(bench.requests().is_empty());
    assert!(!bench.provider.capabilities().federation().unwrap().opaque_tokens);

    bench.rebuild(|config, _| config.accept_opaque = true);
    assert!(bench.provider.capabilities().federation().unwrap().opaque_tokens);
    let user = bench.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(bench.requests(), ["GET /userinfo".to_owned(), read_of(&id)]);
    assert_eq!((&user.identity.subject, &user.identity.client), (&id, &None));
    assert_eq!(user.customer, Customer::One(customer("ada")));
    bench.fake().change(id.as_str(), |user| set_all(user, json!({"blocked": true})));
    let error = bench.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert_eq!(bench.verdict("opaque--unknown").await, REFUSED);
}

#[tokio::test]
async fn opaque_token_without_openid_is_rejected() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", Login { scope: "email", ..OPAQUE }).await;
    bench.rebuild(|config, _| config.accept_opaque = true);
    let error = bench.oauth().validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.to_string().contains("`openid`"), "{error}");
}

#[tokio::test]
async fn rate_limited_userinfo_is_no_invalid_token() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.create_and_log_in("ada", OPAQUE).await;
    bench.rebuild(|config, _| config.accept_opaque = true);
    for _ in 0..10 {
        bench.identity(&tokens).await;
    }
    let error = bench.oauth().identify(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.retry_after().unwrap().as_secs() >= 58, "{error:?}");
}

#[tokio::test]
async fn unusual_values_are_parsed() {
    let bench = Bench::new().await;
    let (id, tokens) = bench.create_and_log_in("ada", Login::ORDINARY).await;
    let unusual = json!({"email_verified": "ada@acme.example", "updated_at": {"$date": 0}});
    bench.fake().change(id.as_str(), |user| set_all(user, unusual));
    for (claim, expected) in [
        (json!(42), Customer::One(customer("42"))),
        (json!(["a", "b"]), Customer::Several),
        (json!({"id": "a"}), Customer::Unusable),
        (json!(null), Customer::Absent),
    ] {
        let token = bench.altered(tokens.access.expose(), json!({CUSTOMER_CLAIM: claim}));
        let user = bench.oauth().validate(&scope(), &AccessToken::new(token).unwrap()).await.unwrap();
        assert_eq!((user.customer, user.email_verified), (expected, Some(false)), "{claim}");
    }
}
