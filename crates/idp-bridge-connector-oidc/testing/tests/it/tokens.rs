//! Whose a token is, with and without introspection, signed and opaque.

use idp_bridge_connector_oidc::Oidc;
use idp_bridge_connector_oidc_testing::fake::Login;
use idp_bridge_core::{Customer, CustomerId, ErrorKind, IdentityProvider as _};
use serde_json::json;

use crate::bench::{Bench, oauth, scope, token};

fn c_1() -> Customer {
    Customer::One(CustomerId::new("c-1").unwrap())
}

#[tokio::test]
async fn an_opaque_token_is_the_users_by_introspection_alone() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.opaque = true);
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let user = oauth(&provider).validate(&scope(), &token(&tokens.access)).await.unwrap();
    assert_eq!((user.identity.subject, user.identity.client.as_deref()), (bench.user(), Some("shop")));
    assert_eq!((user.customer, user.email_verified), (c_1(), Some(true)));
    assert_eq!(bench.asked(), ["/.well-known/openid-configuration", "/introspect"]);
    for login in
        [bench.log_in_with(|login| login.client = "stranger".into()), bench.log_in_with(|login| login.life = -1)]
    {
        for text in [login.access, login.refresh] {
            let error = oauth(&provider).identify(&scope(), &token(&text)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidToken);
        }
    }
    let refresh = oauth(&provider).validate(&scope(), &token(&tokens.refresh)).await.unwrap_err();
    assert_eq!(refresh.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn without_introspection_an_opaque_token_is_refused_and_not_shown_to_anyone() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.opaque = true);
    let (provider, tokens) = (bench.without_introspection(), bench.log_in());
    for error in [
        oauth(&provider).identify(&scope(), &token(&tokens.access)).await.map(drop).unwrap_err(),
        oauth(&provider).validate(&scope(), &token(&tokens.access)).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }
    assert!(bench.asked().is_empty());
    assert!(!provider.capabilities().federation().unwrap().opaque_tokens);
}

#[tokio::test]
async fn without_introspection_a_signed_token_lives_by_userinfo() {
    let bench = Bench::start().await;
    let (provider, tokens) = (bench.without_introspection(), bench.log_in());
    for _ in 0..2 {
        let user = oauth(&provider).validate(&scope(), &token(&tokens.access)).await.unwrap();
        assert_eq!((user.customer, user.identity.subject), (c_1(), bench.user()));
    }
    let mut asked = bench.asked();
    asked.sort();
    assert_eq!(asked, ["/.well-known/openid-configuration", "/jwks", "/userinfo", "/userinfo"]);
    bench.harness.fake().with(|issuer| issuer.end_session(&tokens.access)).unwrap();
    let error = oauth(&provider).validate(&scope(), &token(&tokens.access)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn a_customer_that_introspection_does_not_tell_is_asked_of_userinfo() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.introspection_has_claims = false);
    let (provider, tokens) = (bench.provider(|_, _| {}), bench.log_in());
    let user = oauth(&provider).validate(&scope(), &token(&tokens.access)).await.unwrap();
    assert_eq!((user.customer, user.email.unwrap().as_str()), (c_1(), "ada@acme.example"));
    assert_eq!(bench.asked()[2..], ["/introspect", "/userinfo"]);
}

#[tokio::test]
async fn a_claim_in_the_token_itself_says_the_customer_without_a_second_request() {
    let bench = Bench::start().await;
    bench.change(|issuer| issuer.introspection_has_claims = false);
    let provider = bench.provider(|_, settings| settings.customer_claim = Some("scope".into()));
    let user = oauth(&provider).validate(&scope(), &token(&bench.log_in().access)).await.unwrap();
    assert_eq!(user.customer, Customer::One(CustomerId::new("openid email").unwrap()));
    assert_eq!(bench.asked()[2..], ["/introspect"]);
}

#[tokio::test]
async fn signed_refresh_token_is_refused() {
    let bench = Bench::start().await;
    let [refresh, access] = [false, true].map(|is_access| {
        bench.harness.fake().with(|issuer| issuer.signed_token(Login::new(&bench.user, "shop"), is_access)).unwrap()
    });
    let provider = bench.provider(|_, _| {});
    let error = oauth(&provider).validate(&scope(), &token(&refresh)).await.unwrap_err();
    assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::InvalidToken, true));
    assert_eq!(oauth(&provider).validate(&scope(), &token(&access)).await.unwrap().customer, c_1());
    bench.change(|issuer| issuer.introspection_has_type = false);
    let error = oauth(&provider).validate(&scope(), &token(&access)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    let typed = bench.log_in().access;
    assert_eq!(oauth(&provider).validate(&scope(), &token(&typed)).await.unwrap().customer, c_1());
}

#[tokio::test]
async fn where_no_claim_names_the_session_a_logout_token_is_of_the_user() {
    let bench = Bench::start().await;
    let tokens = bench.log_in();
    let logout = bench.harness.fake().with(|issuer| issuer.end_session(&tokens.access)).unwrap().unwrap();
    let ended =
        async |provider: Oidc| oauth(&provider).check_logout_token(&scope(), &token(&logout)).await.unwrap().ended;
    let by_session = ended(bench.provider(|_, _| {})).await;
    assert!(matches!(by_session, idp_bridge_core::Ended::Session(_)), "{by_session:?}");
    let by_user = ended(bench.provider(|config, _| config.session_claim = None)).await;
    assert_eq!(by_user, idp_bridge_core::Ended::User(bench.user()));
}

#[tokio::test]
async fn without_federation_there_is_none_and_the_diagnosis_says_so() {
    let bench = Bench::start().await;
    let provider = bench.harness.build(bench.harness.config(), None, Default::default()).unwrap();
    assert!(provider.federation().is_none() && provider.capabilities().federation().is_none());
    let findings = provider.diagnose(&scope()).await;
    assert!(findings.iter().any(|finding| finding.fix.as_deref().is_some_and(|fix| fix.contains(".federation]"))));
    let metadata = oauth(&bench.provider(|_, _| {})).metadata(&scope()).await.unwrap();
    assert_eq!(json!(metadata)["scopes"], json!(["openid", "email"]));
}
