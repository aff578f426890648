//! Tokens and logouts: scopes, refresh tokens of other logins, names equal to ids, and the proof of a logout.

use idp_bridge_conformance::{FederationHarness as _, SignIn, Tokens};
use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{
    AccessToken, Connector as _, ConnectorContext, Customer, Directory, EndSession, ErrorKind, Federation,
    FederationSettings, IdentityProvider as _, LoggedOut, Logout, LogoutFallback, Result, Secret, TenantId, UserId,
};
use serde_json::{Value, json};

use super::{Stage, customer, email, scope};
use crate::fake::Status;
use crate::harness::federation::settings;
use crate::{Cognito, CognitoConfig, CognitoStore};

const PASSWORD: &str = "Correct-Horse-7";

impl Stage {
    pub(super) fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    /// Creates a user with a password.
    fn insert_resident(&self, name: &str) -> UserId {
        self.insert_with(name, Status::Confirmed, "true", |user| user.password = Some(PASSWORD.into()))
    }

    async fn sign_in(&self, name: &str) -> Tokens {
        self.harness.sign_in(&SignIn::new(email(name), PASSWORD)).await.unwrap()
    }

    /// Signs another access token of a login, with some claims changed.
    fn sign_changed(&self, tokens: &Tokens, claims: Value) -> AccessToken {
        let session = self.harness.session(tokens).unwrap();
        self.harness.sign_access(&session, claims).unwrap()
    }

    fn with_scopes(&self, tokens: &Tokens, scopes: &str) -> AccessToken {
        self.sign_changed(tokens, json!({"scope": scopes}))
    }

    async fn log_out(&self, access: &AccessToken, refresh: Option<&Secret>) -> Result<LoggedOut> {
        log_out(&self.provider, access, refresh).await
    }

    /// Returns whether the access token and the refresh token are active.
    async fn active(&self, tokens: &Tokens) -> [Option<bool>; 2] {
        let alive = self.harness.check_tokens(&mut tokens.clone()).await.unwrap();
        [alive.userinfo, alive.refresh]
    }

    /// Builds another provider for the pool.
    pub(super) fn provider_with(&self, settings: FederationSettings) -> Directory<CognitoStore> {
        let context = ConnectorContext::new(TenantId::new("initech").unwrap());
        let context = ConnectorContext { federation: Some(settings), ..context };
        Cognito::build(self.harness.config(), &context).unwrap()
    }
}

async fn log_out(
    provider: &Directory<CognitoStore>,
    access: &AccessToken,
    refresh: Option<&Secret>,
) -> Result<LoggedOut> {
    let logout = Logout { token: access, identity: None, refresh_token: refresh, id_token_hint: None };
    provider.federation().unwrap().log_out(&scope(), &logout).await
}

/// Sets the customer to a custom attribute.
pub(super) fn custom(config: &mut CognitoConfig) {
    config.customer_attribute = "custom:customer_id".into();
    config.customer_lookup = None;
}

const ACTIVE: [Option<bool>; 2] = [Some(true); 2];
const ENDED: [Option<bool>; 2] = [Some(false); 2];

#[tokio::test]
async fn validation_costs_one_request() {
    let stage = Stage::new().await;
    let id = stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.requests();
    for _ in 0..2 {
        let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
        assert_eq!((&user.identity.subject, user.email, user.email_verified), (&id, Some(email("ada")), Some(true)));
        assert_eq!(user.identity.session.unwrap().as_str(), stage.harness.session(&tokens).unwrap().origin);
    }
    let keys = "/eu-west-1_FakePool1/.well-known/jwks.json";
    assert_eq!(stage.requests(), [keys, "/oauth2/userInfo", "/oauth2/userInfo"]);
}

#[tokio::test]
async fn scopes_decide_the_claims() {
    let stage = Stage::with(custom).await;
    let readable = ["email", "email_verified", "custom:customer_id"].map(str::to_owned);
    stage.fake().with(|pool| pool.app_clients[0].readable = Some(readable.into()));
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    let own = Customer::One(customer("customer-of-ada"));
    for (scopes, customer, has_email) in [
        ("openid", own.clone(), true),
        ("openid profile", own.clone(), false),
        ("openid profile email", own, true),
        ("openid email", Customer::Absent, true),
        ("openid phone aws.cognito.signin.user.admin", Customer::Absent, false),
    ] {
        let token = stage.with_scopes(&tokens, scopes);
        let user = stage.oauth().validate(&scope(), &token).await.unwrap();
        assert_eq!((user.customer, user.email.is_some()), (customer, has_email), "{scopes}");
    }
    stage.fake().with(|pool| pool.app_clients[0].readable = None);
    let user = stage.oauth().validate(&scope(), &tokens.access).await.unwrap();
    assert_eq!(user.customer, Customer::Absent);
}

#[tokio::test]
async fn token_without_openid_can_only_log_out() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    // A token of `InitiateAuth`.
    let token = stage.with_scopes(&tokens, "aws.cognito.signin.user.admin");
    stage.oauth().identify(&scope(), &token).await.unwrap();
    stage.requests();
    let error = stage.oauth().validate(&scope(), &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.message().contains("`openid`"), "{error}");
    assert_eq!(stage.requests(), [""; 0]);
    let ended = stage.log_out(&token, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(ended, LoggedOut::User { .. }), "a refusal by userInfo does not prove the logout");
    assert_eq!(stage.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn other_kinds_of_token_are_rejected() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.oauth().identify(&scope(), &tokens.access).await.unwrap();
    stage.requests();
    let client = settings().clients[0].id.clone();
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
        let token = stage.sign_changed(&tokens, claims.clone());
        let outcome = stage.oauth().identify(&scope(), &token).await.map_err(|error| error.kind());
        assert_eq!(outcome.err(), Some(ErrorKind::InvalidToken), "{claims}");
        let outcome = stage.oauth().validate(&scope(), &token).await.map_err(|error| error.kind());
        assert_eq!(outcome.err(), Some(ErrorKind::InvalidToken), "{claims}");
    }
    assert_eq!(stage.requests(), [""; 0]);
}

#[tokio::test]
async fn refresh_token_ends_one_login() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (ended, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    stage.requests();
    for _ in 0..2 {
        let outcome = stage.log_out(&ended.access, ended.refresh.as_ref()).await.unwrap();
        assert_eq!(outcome, LoggedOut::RefreshToken);
    }
    let requests = ["RevokeToken", "/oauth2/userInfo", "RevokeToken", "/oauth2/userInfo"];
    assert_eq!(stage.requests()[1..], requests);
    assert_eq!((stage.active(&ended).await, stage.active(&other).await), (ENDED, ACTIVE));
}

#[tokio::test]
async fn refresh_token_of_another_login_ends_all() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (ended, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    stage.oauth().identify(&scope(), &ended.access).await.unwrap();
    stage.requests();
    let outcome = stage.log_out(&ended.access, other.refresh.as_ref()).await.unwrap();
    assert!(matches!(outcome, LoggedOut::User { .. }), "{outcome:?}");
    let [user_info, sign_out] = ["/oauth2/userInfo", "AdminUserGlobalSignOut ada"];
    assert_eq!(stage.requests(), ["RevokeToken", user_info, "AdminGetUser ada", sign_out, user_info]);
    assert_eq!((stage.active(&ended).await, stage.active(&other).await), (ENDED, ENDED));
}

#[tokio::test]
async fn logout_without_refresh_token_ends_all() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    stage.insert_resident("grace");
    let (first, second) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    let others = stage.sign_in("grace").await;
    let LoggedOut::User { ended_at } = stage.log_out(&first.access, None).await.unwrap() else {
        panic!("not the user")
    };
    let issued = stage.oauth().identify(&scope(), &second.access).await.unwrap().issued_at.unwrap();
    let later = ended_at.duration_since(issued);
    assert!(later >= SignedDuration::ZERO && later < SignedDuration::from_mins(1), "{later:?}");
    assert_eq!(
        (stage.active(&first).await, stage.active(&second).await, stage.active(&others).await),
        (ENDED, ENDED, ACTIVE)
    );
}

#[tokio::test]
async fn expiring_token_does_not_prove_a_logout() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (tokens, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    for left in [20, -60] {
        let token = stage.sign_changed(&tokens, json!({"exp": crate::harness::now() + left}));
        let outcome = stage.log_out(&token, other.refresh.as_ref()).await.unwrap();
        assert!(matches!(outcome, LoggedOut::User { .. }), "{left}: {outcome:?}");
    }
    assert_eq!(stage.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn refused_fallback_needs_a_proven_logout() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (tokens, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    let provider = stage.provider_with(FederationSettings { fallback: LogoutFallback::Refuse, ..settings() });
    let third = stage.sign_in("ada").await;
    for refresh in [None, third.refresh.as_ref()] {
        let error = log_out(&provider, &tokens.access, refresh).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(stage.active(&tokens).await, ACTIVE);
    log_out(&provider, &tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert_eq!((stage.active(&tokens).await, stage.active(&other).await), (ENDED, ACTIVE));
}

#[tokio::test]
async fn irrevocable_tokens_end_all_logins() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.fake().with(|pool| pool.app_clients[0].revokes_tokens = false);
    // The tokens of such a client have no `origin_jti`.
    let token = stage.sign_changed(&tokens, json!({"origin_jti": null}));
    assert_eq!(stage.oauth().identify(&scope(), &token).await.unwrap().session, None);
    let outcome = stage.log_out(&tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(outcome, LoggedOut::User { .. }), "{outcome:?}");
    assert_eq!(stage.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn wrong_secret_and_foreign_token_differ() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    let sign_in = SignIn::new(email("ada"), PASSWORD);
    let mut foreign = sign_in.clone();
    foreign.foreign_client = true;
    let foreign = stage.harness.sign_in(&foreign).await.unwrap();
    let error = stage.log_out(&tokens.access, foreign.refresh.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let wrong = stage.provider_with(crate::harness::federation::with_wrong_secret(settings()));
    let error = log_out(&wrong, &tokens.access, tokens.refresh.as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.hint().is_some_and(|hint| hint.contains("secret")), "{error:?}");
    assert_eq!((stage.active(&tokens).await, stage.active(&foreign).await), (ACTIVE, ACTIVE));
}

#[tokio::test]
async fn still_active_token_fails_the_logout() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.fake().with(|pool| pool.ends_late = true);
    for refresh in [None, tokens.refresh.as_ref()] {
        let error = stage.log_out(&tokens.access, refresh).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    stage.fake().with(|pool| pool.ends_late = false);
    stage.log_out(&tokens.access, None).await.unwrap();
}

#[tokio::test]
async fn federated_user_is_logged_out_by_name() {
    let stage = Stage::new().await;
    let id = stage.insert_resident("google_1");
    let tokens = stage.sign_in("google_1").await;
    stage.fake().change(id.as_str(), |user| user.status = Status::ExternalProvider);
    stage.log_out(&tokens.access, None).await.unwrap();
    assert_eq!(stage.active(&tokens).await, ENDED);
}

#[tokio::test]
async fn logout_never_ends_another_users_logins() {
    let stage = Stage::new().await;
    let victim = stage.insert_resident("ada");
    let victim_tokens = stage.sign_in("ada").await;
    stage.insert_with(victim.as_str(), Status::Confirmed, "true", |thief| {
        thief.password = Some(PASSWORD.into());
        thief.set("email", "mallory@acme.example");
    });
    let thief_tokens = stage.harness.sign_in(&SignIn::new(email("mallory"), PASSWORD)).await.unwrap();
    stage.fake().with(|pool| pool.ids_before_names = true);
    let error = stage.log_out(&thief_tokens.access, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert_eq!(stage.active(&victim_tokens).await, ACTIVE);
    // A logout with the refresh token needs no name.
    stage.log_out(&thief_tokens.access, thief_tokens.refresh.as_ref()).await.unwrap();
}

#[tokio::test]
async fn deleted_user_is_logged_out() {
    let stage = Stage::new().await;
    let id = stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.fake().with(|pool| pool.remove(id.as_str()));
    assert!(matches!(stage.log_out(&tokens.access, None).await.unwrap(), LoggedOut::User { .. }));
}

#[tokio::test]
async fn end_session_url_and_metadata_match_aws() {
    let stage = Stage::new().await;
    let url = stage.fake().url();
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "app",
        post_logout_redirect_uri: "https://app.acme.example/bye?a=b&c",
        id_token_hint: Some(&hint),
        state: Some("a&b=c"),
    };
    let end_url = stage.oauth().end_session_url(&scope(), &end).await.unwrap();
    let query = "client_id=app&logout_uri=https%3A%2F%2Fapp.acme.example%2Fbye%3Fa%3Db%26c&state=a%26b%3Dc";
    assert_eq!(end_url, format!("{url}/logout?{query}"));
    let metadata = stage.oauth().metadata(&scope()).await.unwrap();
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_FakePool1";
    assert_eq!(
        (metadata.issuer.as_str(), metadata.authorization_endpoint),
        (issuer, format!("{url}/oauth2/authorize"))
    );
    assert_eq!(metadata.jwks_uri, format!("{url}/eu-west-1_FakePool1/.well-known/jwks.json"));
    assert_eq!(
        (metadata.customer_claim.as_deref(), metadata.scopes.as_slice()),
        (Some("preferred_username"), &["openid", "profile", "email"].map(str::to_owned)[..])
    );
    assert_eq!(stage.requests(), [""; 0]);
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
