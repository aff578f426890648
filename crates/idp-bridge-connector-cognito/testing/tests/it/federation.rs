//! Tokens and logouts: scopes, refresh tokens of other logins, names equal to ids, and the proof of a logout.

use idp_bridge_conformance::fixture::{customer, email, scope};
use idp_bridge_conformance::{FederationHarness as _, SignIn};
use idp_bridge_connector_cognito::{Cognito, CognitoConfig};
use idp_bridge_connector_cognito_testing::fake::Status;
use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{
    Clock as _, Connector as _, ConnectorContext, Customer, EndSession, ErrorKind, FederationSettings, LoggedOut,
    LogoutFallback, Secret, SystemClock, TenantId,
};
use serde_json::json;

use crate::bench::{Bench, PASSWORD};

/// Sets the customer to a custom attribute.
pub(crate) fn custom(config: &mut CognitoConfig) {
    config.customer_attribute = "custom:customer_id".into();
    config.customer_lookup = None;
}

const ACTIVE: [Option<bool>; 2] = [Some(true); 2];
const ENDED: [Option<bool>; 2] = [Some(false); 2];

#[tokio::test]
async fn scopes_decide_the_claims() {
    let bench = Bench::with(custom).await;
    let readable = ["email", "email_verified", "custom:customer_id"].map(str::to_owned);
    bench.fake().with(|pool| pool.app_clients[0].readable = Some(readable.into()));
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    let own = Customer::One(customer("customer-of-ada"));
    for (scopes, customer, has_email) in [
        ("openid", own.clone(), true),
        ("openid profile", own.clone(), false),
        ("openid profile email", own, true),
        ("openid email", Customer::Absent, true),
        ("openid phone aws.cognito.signin.user.admin", Customer::Absent, false),
    ] {
        let token = bench.sign_changed(&tokens, json!({"scope": scopes}));
        let user = bench.oauth().validate(&scope(), &token).await.unwrap();
        assert_eq!((user.customer, user.email.is_some()), (customer, has_email), "{scopes}");
    }
    bench.fake().with(|pool| pool.app_clients[0].readable = None);
    let user = bench.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(user.customer, Customer::Absent);
    assert_eq!(user.identity.session.unwrap().as_str(), bench.harness.session(&tokens).unwrap().origin);
}

#[tokio::test]
async fn token_without_openid_can_only_log_out() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    // A token of `InitiateAuth`.
    let token = bench.sign_changed(&tokens, json!({"scope": "aws.cognito.signin.user.admin"}));
    bench.oauth().identify(&scope(), &token).await.unwrap();
    bench.requests();
    let error = bench.oauth().validate(&scope(), &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.message().contains("`openid`"), "{error}");
    assert_eq!(bench.requests(), [""; 0]);
    let ended = bench.log_out(&token, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(ended, LoggedOut::User { .. }), "a refusal by userInfo does not prove the logout");
    assert_eq!(bench.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn other_kinds_of_token_are_rejected() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    bench.oauth().identify(&scope(), &tokens.access).await.unwrap();
    bench.requests();
    let client = bench.harness.config().client_id;
    for claims in [
        json!({"token_use": "id"}),
        json!({"token_use": "refresh"}),
        json!({"token_use": null}),
        json!({"token_use": ["access"]}),
        json!({"username": null}),
        json!({"username": ""}),
        json!({"username": 7}),
        json!({"sub": client}),
        json!({"origin_jti": 7}),
        json!({"origin_jti": ""}),
        json!({"azp": "another"}),
    ] {
        let token = bench.sign_changed(&tokens, claims.clone());
        let identified = bench.oauth().identify(&scope(), &token).await.err().map(|error| error.kind());
        let validated = bench.oauth().validate(&scope(), &token).await.err().map(|error| error.kind());
        assert_eq!([identified, validated], [Some(ErrorKind::InvalidToken); 2], "{claims}");
    }
    assert_eq!(bench.requests(), [""; 0]);
}

#[tokio::test]
async fn refresh_token_ends_one_login() {
    let bench = Bench::new().await;
    let ((_, ended), other) = (bench.insert_and_sign_in("ada").await, bench.sign_in("ada").await);
    bench.requests();
    for _ in 0..2 {
        let outcome = bench.log_out(&ended.access, ended.refresh.as_ref()).await.unwrap();
        assert_eq!(outcome, LoggedOut::RefreshToken);
    }
    let requests = ["RevokeToken", "/oauth2/userInfo", "RevokeToken", "/oauth2/userInfo"];
    assert_eq!(bench.requests()[1..], requests);
    assert_eq!((bench.active(&ended).await, bench.active(&other).await), (ENDED, ACTIVE));
}

#[tokio::test]
async fn refresh_token_of_another_login_ends_all() {
    let bench = Bench::new().await;
    let ((_, ended), other) = (bench.insert_and_sign_in("ada").await, bench.sign_in("ada").await);
    bench.oauth().identify(&scope(), &ended.access).await.unwrap();
    bench.requests();
    let outcome = bench.log_out(&ended.access, other.refresh.as_ref()).await.unwrap();
    assert!(matches!(outcome, LoggedOut::User { .. }), "{outcome:?}");
    let [user_info, sign_out] = ["/oauth2/userInfo", "AdminUserGlobalSignOut ada"];
    assert_eq!(bench.requests(), ["RevokeToken", user_info, "AdminGetUser ada", sign_out, user_info]);
    assert_eq!((bench.active(&ended).await, bench.active(&other).await), (ENDED, ENDED));
}

#[tokio::test]
async fn logout_without_refresh_token_ends_all() {
    let bench = Bench::new().await;
    let ((_, first), second) = (bench.insert_and_sign_in("ada").await, bench.sign_in("ada").await);
    let (_, others) = bench.insert_and_sign_in("grace").await;
    let outcome = bench.log_out(&first.access, None).await.unwrap();
    let LoggedOut::User { ended_at } = outcome else { panic!("{outcome:?}") };
    let issued = bench.oauth().identify(&scope(), &second.access).await.unwrap().issued_at.unwrap();
    let later = ended_at.duration_since(issued);
    assert!(later >= SignedDuration::ZERO && later < SignedDuration::from_mins(1), "{later:?}");
    let active = [bench.active(&first).await, bench.active(&second).await, bench.active(&others).await];
    assert_eq!(active, [ENDED, ENDED, ACTIVE]);
}

#[tokio::test]
async fn expiring_token_does_not_prove_a_logout() {
    let bench = Bench::new().await;
    let ((_, tokens), other) = (bench.insert_and_sign_in("ada").await, bench.sign_in("ada").await);
    for left in [20, -60] {
        let token = bench.sign_changed(&tokens, json!({"exp": SystemClock.now().as_second() + left}));
        let outcome = bench.log_out(&token, other.refresh.as_ref()).await.unwrap();
        assert!(matches!(outcome, LoggedOut::User { .. }), "{left}: {outcome:?}");
    }
    assert_eq!(bench.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn refused_fallback_needs_a_proven_logout() {
    let mut bench = Bench::new().await;
    let ((_, tokens), other) = (bench.insert_and_sign_in("ada").await, bench.sign_in("ada").await);
    bench.rebuild(|_, settings| settings.fallback = LogoutFallback::Refuse);
    let third = bench.sign_in("ada").await;
    for refresh in [None, third.refresh.as_ref()] {
        let error = bench.log_out(&tokens.access, refresh).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(bench.active(&tokens).await, ACTIVE);
    bench.log_out(&tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert_eq!((bench.active(&tokens).await, bench.active(&other).await), (ENDED, ACTIVE));
}

#[tokio::test]
async fn irrevocable_tokens_end_all_logins() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    bench.fake().with(|pool| pool.app_clients[0].revokes_tokens = false);
    // The tokens of such a client have no `origin_jti`.
    let token = bench.sign_changed(&tokens, json!({"origin_jti": null}));
    assert_eq!(bench.oauth().identify(&scope(), &token).await.unwrap().session, None);
    let outcome = bench.log_out(&tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(outcome, LoggedOut::User { .. }), "{outcome:?}");
    assert_eq!(bench.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn wrong_secret_and_foreign_token_differ() {
    let mut bench = Bench::new().await;
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    let mut sign_in = SignIn::new(email("ada"), PASSWORD);
    sign_in.foreign_client = true;
    let foreign = bench.harness.sign_in(&sign_in).await.unwrap();
    let error = bench.log_out(&tokens.access, foreign.refresh.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    bench.rebuild(|_, settings| settings.clients[0].secret = Some(Secret::new("wrong")));
    let error = bench.log_out(&tokens.access, tokens.refresh.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.hint().is_some_and(|hint| hint.contains("secret")), "{error:?}");
    assert_eq!((bench.active(&tokens).await, bench.active(&foreign).await), (ACTIVE, ACTIVE));
}

#[tokio::test]
async fn still_active_token_fails_the_logout() {
    let bench = Bench::new().await;
    let (_, tokens) = bench.insert_and_sign_in("ada").await;
    bench.fake().with(|pool| pool.ends_late = true);
    for refresh in [None, tokens.refresh.as_ref()] {
        let error = bench.log_out(&tokens.access, refresh).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    bench.fake().with(|pool| pool.ends_late = false);
    bench.log_out(&tokens.access, None).await.unwrap();
}

#[tokio::test]
async fn federated_and_deleted_users_are_logged_out() {
    let bench = Bench::new().await;
    let (id, tokens) = bench.insert_and_sign_in("google_1").await;
    bench.fake().change(id.as_str(), |user| user.status = Status::ExternalProvider);
    bench.log_out(&tokens.access, None).await.unwrap();
    assert_eq!(bench.active(&tokens).await, ENDED);
    bench.fake().with(|pool| pool.remove(id.as_str()));
    assert!(matches!(bench.log_out(&tokens.access, None).await.unwrap(), LoggedOut::User { .. }));
}

#[tokio::test]
async fn logout_never_ends_another_users_logins() {
    let bench = Bench::new().await;
    let (victim, victim_tokens) = bench.insert_and_sign_in("ada").await;
    bench.insert_with(victim.as_str(), Status::Confirmed, "true", |thief| thief.set("email", "mallory@acme.example"));
    let thief_tokens = bench.sign_in("mallory").await;
    bench.fake().with(|pool| pool.ids_before_names = true);
    let error = bench.log_out(&thief_tokens.access, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert_eq!(bench.active(&victim_tokens).await, ACTIVE);
    // A logout with the refresh token needs no name.
    bench.log_out(&thief_tokens.access, thief_tokens.refresh.as_ref()).await.unwrap();
}

#[tokio::test]
async fn end_session_url_and_metadata_match_aws() {
    let bench = Bench::new().await;
    let url = bench.fake().url();
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "3fakeappclient",
        post_logout_redirect_uri: "https://app.acme.example/bye?a=b&c",
        id_token_hint: Some(&hint),
        state: Some("a&b=c"),
    };
    let end_url = bench.oauth().end_session_url(&scope(), &end).await.unwrap();
    let query = "client_id=3fakeappclient&logout_uri=https%3A%2F%2Fapp.acme.example%2Fbye%3Fa%3Db%26c&state=a%26b%3Dc";
    assert_eq!(end_url, format!("{url}/logout?{query}"));
    let metadata = bench.oauth().metadata(&scope()).await.unwrap();
    assert_eq!(metadata.issuer, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_FakePool1");
    assert_eq!(metadata.authorization_endpoint, format!("{url}/oauth2/authorize"));
    assert_eq!(metadata.jwks_uri, format!("{url}/eu-west-1_FakePool1/.well-known/jwks.json"));
    assert_eq!(metadata.customer_claim.as_deref(), Some("preferred_username"));
    assert_eq!(metadata.scopes, ["openid", "profile", "email"]);
    assert_eq!(bench.requests(), [""; 0]);
}

#[test]
fn federation_needs_the_domain() {
    let build = |domain: Option<&str>| {
        let mut config = CognitoConfig::new("eu-west-1_AbCdEfGhI");
        (config.access_key_id, config.secret_access_key) = (Some("AKIA".into()), Some(Secret::new("s")));
        config.domain = domain.map(str::to_owned);
        let context = ConnectorContext::new(TenantId::new("initech").unwrap());
        let federation = Some(FederationSettings::default());
        Cognito::build(config, &ConnectorContext { federation, ..context }).map(drop).map_err(|error| error.kind())
    };
    for domain in [None, Some(""), Some("auth.acme.example"), Some("http://auth.acme.example"), Some("https://a?b")] {
        assert_eq!(build(domain), Err(ErrorKind::Misconfigured), "{domain:?}");
    }
    assert_eq!(build(Some("https://auth.acme.example")), Ok(()));
}
