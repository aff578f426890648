//! Validation of signed and opaque tokens, with and without introspection.

use idp_bridge_conformance::Tokens;
use idp_bridge_connector_oidc::Oidc;
use idp_bridge_connector_oidc_testing::harness::build;
use idp_bridge_core::{AccessToken, Customer, CustomerId, Ended, ErrorKind, IdentityProvider as _};
use serde_json::json;

use crate::bench::{Bench, federation, scope};

fn c_1() -> Customer {
    Customer::One(CustomerId::new("c-1").unwrap())
}

/// Returns the refresh token as an access token.
fn refresh_token(tokens: &Tokens) -> AccessToken {
    AccessToken::new(tokens.refresh.as_ref().unwrap().expose()).unwrap()
}

#[tokio::test]
async fn introspection_validates_opaque_tokens() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.access_type = None);
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let user = federation(&provider).validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!((user.identity.subject, user.identity.client.as_deref()), (bench.user(), Some("shop")));
    assert_eq!((user.customer, user.email_verified), (c_1(), Some(true)));
    assert_eq!(bench.take_paths(), ["/.well-known/openid-configuration", "/introspect"]);
    for login in
        [bench.log_in_with(|login| login.client = "stranger".into()), bench.log_in_with(|login| login.lifetime = -1)]
    {
        for token in [refresh_token(&login), login.access] {
            let error = federation(&provider).identify(&scope(), &token).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidToken);
        }
    }
    let refresh = federation(&provider).validate(&scope(), &refresh_token(&tokens)).await.unwrap_err();
    assert_eq!(refresh.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn without_introspection_opaque_tokens_are_rejected_unsent() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.access_type = None);
    let (provider, tokens) = (bench.userinfo_provider(), bench.log_in());
    for error in [
        federation(&provider).identify(&scope(), &tokens.access).await.map(drop).unwrap_err(),
        federation(&provider).validate(&scope(), &tokens.access).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }
    assert!(bench.take_paths().is_empty());
    assert!(!provider.capabilities().federation().unwrap().opaque_tokens);
}

#[tokio::test]
async fn without_introspection_userinfo_validates_signed_tokens() {
    let bench = Bench::start().await;
    let (provider, tokens) = (bench.userinfo_provider(), bench.log_in());
    for _ in 0..2 {
        let user = federation(&provider).validate(&scope(), &tokens.access).await.unwrap();
        assert_eq!((user.customer, user.identity.subject), (c_1(), bench.user()));
    }
    let mut paths = bench.take_paths();
    paths.sort();
    assert_eq!(paths, ["/.well-known/openid-configuration", "/jwks", "/userinfo", "/userinfo"]);
    bench.harness.fake().with(|issuer| issuer.end_login(&tokens)).unwrap();
    let error = federation(&provider).validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn userinfo_has_the_customer_that_introspection_lacks() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.introspection_has_claims = false);
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let user = federation(&provider).validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!((user.customer, user.email.unwrap().as_str()), (c_1(), "ada@acme.example"));
    assert_eq!(bench.take_paths()[2..], ["/introspect", "/userinfo"]);
}

#[tokio::test]
async fn a_customer_in_the_token_needs_no_userinfo() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.introspection_has_claims = false);
    let provider = bench.provider(|_, settings| settings.customer_claim = Some("scope".into()));
    let user = federation(&provider).validate(&scope(), &bench.log_in().access).await.unwrap();
    assert_eq!(user.customer, Customer::One(CustomerId::new("openid email").unwrap()));
    assert_eq!(bench.take_paths()[2..], ["/introspect"]);
}

#[tokio::test]
async fn signed_refresh_tokens_are_rejected() {
    let bench = Bench::start().await;
    bench.change(|issuer| (issuer.access_type, issuer.refresh_type) = (Some("JWT"), Some("JWT")));
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let error = federation(&provider).validate(&scope(), &refresh_token(&tokens)).await.unwrap_err();
    assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::InvalidToken, true));
    assert_eq!(federation(&provider).validate(&scope(), &tokens.access).await.unwrap().customer, c_1());
    bench.change(|issuer| issuer.introspection_has_type = false);
    let error = federation(&provider).validate(&scope(), &tokens.access).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    bench.change(|issuer| issuer.access_type = Some("at+jwt"));
    let typed = bench.log_in().access;
    assert_eq!(federation(&provider).validate(&scope(), &typed).await.unwrap().customer, c_1());
}

#[tokio::test]
async fn logout_token_without_session_ends_the_user() {
    let bench = Bench::start().await;
    let tokens = bench.log_in();
    let logout = bench.harness.fake().with(|issuer| issuer.end_login(&tokens)).unwrap().unwrap();
    let ended = async |provider: Oidc| federation(&provider).check_logout_token(&scope(), &logout).await.unwrap().ended;
    let by_session = ended(bench.provider(|_, _| {})).await;
    assert!(matches!(by_session, Ended::Session(_)), "{by_session:?}");
    let by_user = ended(bench.provider(|config, _| config.session_claim = None)).await;
    assert_eq!(by_user, Ended::User(bench.user()));
}

#[tokio::test]
async fn disabled_federation_is_found_by_the_diagnosis() {
    let bench = Bench::start().await;
    let provider = build(bench.harness.config(), None, Default::default()).unwrap();
    assert!(provider.federation().is_none() && provider.capabilities().federation().is_none());
    let findings = provider.diagnose(&scope()).await;
    assert!(findings.iter().any(|finding| finding.fix.as_deref().is_some_and(|fix| fix.contains(".federation]"))));
    let metadata = federation(&bench.provider(|_, _| {})).metadata(&scope()).await.unwrap();
    assert_eq!(json!(metadata)["scopes"], json!(["openid", "email"]));
}
