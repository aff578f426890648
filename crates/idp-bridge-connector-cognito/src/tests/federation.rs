//! Tokens and logouts: scopes that say nothing, refresh tokens of other logins, names that are others' ids, and proofs that are none.

use idp_bridge_conformance::{FederationHarness as _, Harness as _, SignIn, Tokens};
use idp_bridge_core::jiff::SignedDuration;
use idp_bridge_core::{
    AccessToken, Connector as _, ConnectorContext, Customer, EndSession, ErrorKind, Federation, FederationSettings,
    IdentityProvider as _, LoggedOut, Logout, LogoutFallback, Result, Secret, TenantId, UserId,
};
use serde_json::{Value, json};

use super::{Stage, customer, email, scope};
use crate::fake::Status;
use crate::harness::federation::settings;
use crate::{Cognito, CognitoConfig};

const PASSWORD: &str = "Correct-Horse-7";

impl Stage {
    pub(super) fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    /// A user with a password, who has signed in before.
    fn insert_resident(&self, name: &str) -> UserId {
        self.insert_with(name, Status::Confirmed, "true", |user| user.password = Some(PASSWORD.into()))
    }

    async fn sign_in(&self, name: &str) -> Tokens {
        self.harness.sign_in(&SignIn::new(email(name), PASSWORD)).await.unwrap()
    }

    /// Another access token of a login, with some claims changed.
    fn changed(&self, tokens: &Tokens, claims: Value) -> AccessToken {
        let session = self.harness.session(tokens).unwrap();
        self.harness.signed(&session, claims).unwrap()
    }

    fn with_scopes(&self, tokens: &Tokens, scopes: &str) -> AccessToken {
        self.changed(tokens, json!({"scope": scopes}))
    }

    async fn log_out(&self, access: &AccessToken, refresh: Option<&Secret>) -> Result<LoggedOut> {
        log_out(&self.provider, access, refresh).await
    }

    async fn lives(&self, tokens: &Tokens) -> [Option<bool>; 2] {
        let alive = self.harness.alive(&mut tokens.clone()).await.unwrap();
        [alive.userinfo, alive.refresh]
    }

    /// Another provider of the same pool.
    pub(super) fn provider_with(&self, settings: FederationSettings) -> Cognito {
        let context = ConnectorContext::new(TenantId::new("initech").unwrap());
        let context = ConnectorContext { federation: Some(settings), ..context };
        Cognito::build(self.harness.config(), &context).unwrap()
    }
}

async fn log_out(provider: &Cognito, access: &AccessToken, refresh: Option<&Secret>) -> Result<LoggedOut> {
    let logout = Logout { token: access, identity: None, refresh_token: refresh, id_token_hint: None };
    provider.federation().unwrap().log_out(&scope(), &logout).await
}

/// The customer in an attribute of the pool's own.
pub(super) fn custom(config: &mut CognitoConfig) {
    config.customer_attribute = "custom:customer_id".into();
    config.customer_lookup = None;
}

const LIVES: [Option<bool>; 2] = [Some(true); 2];
const DEAD: [Option<bool>; 2] = [Some(false); 2];

#[tokio::test]
async fn a_token_costs_one_request_and_its_user_is_told_by_texts() {
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
async fn the_scopes_decide_whether_userinfo_names_the_customer() {
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
async fn a_token_that_is_not_for_userinfo_is_refused_without_asking_and_can_still_be_logged_out() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    // As `InitiateAuth` gives it.
    let token = stage.with_scopes(&tokens, "aws.cognito.signin.user.admin");
    stage.oauth().identify(&scope(), &token).await.unwrap();
    stage.requests();
    let error = stage.oauth().validate(&scope(), &token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.message().contains("`openid`"), "{error}");
    assert_eq!(stage.requests(), [""; 0]);
    let ended = stage.log_out(&token, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(ended, LoggedOut::User { .. }), "its refusal by userInfo proves nothing");
    assert_eq!(stage.lives(&tokens).await, DEAD);
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused_whatever_else_it_says() {
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
        let token = stage.changed(&tokens, claims.clone());
        let told = stage.oauth().identify(&scope(), &token).await.map_err(|error| error.kind());
        assert_eq!(told.err(), Some(ErrorKind::InvalidToken), "{claims}");
        let told = stage.oauth().validate(&scope(), &token).await.map_err(|error| error.kind());
        assert_eq!(told.err(), Some(ErrorKind::InvalidToken), "{claims}");
    }
    assert_eq!(stage.requests(), [""; 0]);
}

#[tokio::test]
async fn the_refresh_token_ends_its_login_alone_and_userinfo_proves_it() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (ended, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    stage.requests();
    for _ in 0..2 {
        let told = stage.log_out(&ended.access, ended.refresh.as_ref()).await.unwrap();
        assert_eq!(told, LoggedOut::RefreshToken);
    }
    let requests = ["RevokeToken", "/oauth2/userInfo", "RevokeToken", "/oauth2/userInfo"];
    assert_eq!(stage.requests()[1..], requests);
    assert_eq!((stage.lives(&ended).await, stage.lives(&other).await), (DEAD, LIVES));
}

#[tokio::test]
async fn a_refresh_token_of_another_login_does_not_pass_for_the_tokens_own() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (ended, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    stage.oauth().identify(&scope(), &ended.access).await.unwrap();
    stage.requests();
    let told = stage.log_out(&ended.access, other.refresh.as_ref()).await.unwrap();
    assert!(matches!(told, LoggedOut::User { .. }), "{told:?}");
    let [user_info, sign_out] = ["/oauth2/userInfo", "AdminUserGlobalSignOut ada"];
    assert_eq!(stage.requests(), ["RevokeToken", user_info, "AdminGetUser ada", sign_out, user_info]);
    assert_eq!((stage.lives(&ended).await, stage.lives(&other).await), (DEAD, DEAD));
}

#[tokio::test]
async fn without_a_refresh_token_all_logins_end_at_a_time_of_cognitos() {
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
        (stage.lives(&first).await, stage.lives(&second).await, stage.lives(&others).await),
        (DEAD, DEAD, LIVES)
    );
}

#[tokio::test]
async fn a_token_about_to_expire_proves_nothing_by_its_refusal() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (tokens, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    for left in [20, -60] {
        let token = stage.changed(&tokens, json!({"exp": crate::harness::now() + left}));
        let told = stage.log_out(&token, other.refresh.as_ref()).await.unwrap();
        assert!(matches!(told, LoggedOut::User { .. }), "{left}: {told:?}");
    }
    assert_eq!(stage.lives(&tokens).await, DEAD);
}

#[tokio::test]
async fn where_all_logins_must_not_end_only_a_proven_end_of_one_is_a_logout() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let (tokens, other) = (stage.sign_in("ada").await, stage.sign_in("ada").await);
    let provider = stage.provider_with(FederationSettings { fallback: LogoutFallback::Refuse, ..settings() });
    let third = stage.sign_in("ada").await;
    for refresh in [None, third.refresh.as_ref()] {
        let error = log_out(&provider, &tokens.access, refresh).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(stage.lives(&tokens).await, LIVES);
    log_out(&provider, &tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert_eq!((stage.lives(&tokens).await, stage.lives(&other).await), (DEAD, LIVES));
}

#[tokio::test]
async fn a_client_whose_tokens_cannot_be_revoked_is_logged_out_as_without_one() {
    let stage = Stage::new().await;
    stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.fake().with(|pool| pool.app_clients[0].revokes_tokens = false);
    // Such a client's tokens name no login either.
    let token = stage.changed(&tokens, json!({"origin_jti": null}));
    assert_eq!(stage.oauth().identify(&scope(), &token).await.unwrap().session, None);
    let told = stage.log_out(&tokens.access, tokens.refresh.as_ref()).await.unwrap();
    assert!(matches!(told, LoggedOut::User { .. }), "{told:?}");
    assert_eq!(stage.lives(&tokens).await, DEAD);
}

#[tokio::test]
async fn a_wrong_secret_is_the_settings_fault_and_another_clients_token_the_callers() {
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
    assert_eq!((stage.lives(&tokens).await, stage.lives(&foreign).await), (LIVES, LIVES));
}

#[tokio::test]
async fn a_token_that_cognito_still_takes_is_no_logout() {
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
async fn a_user_of_another_identity_provider_is_logged_out_by_name() {
    let stage = Stage::new().await;
    let id = stage.insert_resident("google_1");
    let tokens = stage.sign_in("google_1").await;
    stage.fake().change(id.as_str(), |user| user.status = Status::ExternalProvider);
    stage.log_out(&tokens.access, None).await.unwrap();
    assert_eq!(stage.lives(&tokens).await, DEAD);
}

#[tokio::test]
async fn whoever_takes_the_id_of_another_for_a_name_ends_nobody_elses_logins() {
    let stage = Stage::new().await;
    let victim = stage.insert_resident("ada");
    let of_victim = stage.sign_in("ada").await;
    stage.insert_with(victim.as_str(), Status::Confirmed, "true", |thief| {
        thief.password = Some(PASSWORD.into());
        thief.set("email", "mallory@acme.example");
    });
    let of_thief = stage.harness.sign_in(&SignIn::new(email("mallory"), PASSWORD)).await.unwrap();
    stage.fake().with(|pool| pool.ids_before_names = true);
    let error = stage.log_out(&of_thief.access, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert_eq!(stage.lives(&of_victim).await, LIVES);
    // The thief's own refresh token needs no name.
    stage.log_out(&of_thief.access, of_thief.refresh.as_ref()).await.unwrap();
}

#[tokio::test]
async fn a_login_of_a_user_who_is_gone_has_ended() {
    let stage = Stage::new().await;
    let id = stage.insert_resident("ada");
    let tokens = stage.sign_in("ada").await;
    stage.fake().with(|pool| pool.remove(id.as_str()));
    assert!(matches!(stage.log_out(&tokens.access, None).await.unwrap(), LoggedOut::User { .. }));
}

#[tokio::test]
async fn a_browser_leaves_by_cognitos_own_parameters_and_an_application_is_told_where_to_begin() {
    let stage = Stage::new().await;
    let url = stage.fake().url();
    let hint = Secret::new("a.b.c");
    let end = EndSession {
        client_id: "app",
        post_logout_redirect_uri: "https://app.acme.example/bye?a=b&c",
        id_token_hint: Some(&hint),
        state: Some("a&b=c"),
    };
    let told = stage.oauth().end_session_url(&scope(), &end).await.unwrap();
    let query = "client_id=app&logout_uri=https%3A%2F%2Fapp.acme.example%2Fbye%3Fa%3Db%26c&state=a%26b%3Dc";
    assert_eq!(told, format!("{url}/logout?{query}"));
    let told = stage.oauth().metadata(&scope()).await.unwrap();
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_FakePool1";
    assert_eq!((told.issuer.as_str(), told.authorization_endpoint), (issuer, format!("{url}/oauth2/authorize")));
    assert_eq!(told.jwks_uri, format!("{url}/eu-west-1_FakePool1/.well-known/jwks.json"));
    assert_eq!(
        (told.customer_claim.as_deref(), told.scopes.as_slice()),
        (Some("preferred_username"), &["openid", "profile", "email"].map(str::to_owned)[..])
    );
    assert_eq!(stage.requests(), [""; 0]);
}

#[test]
fn federation_needs_the_pools_domain() {
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

#[tokio::test]
async fn without_settings_there_is_no_federation() {
    let stage = Stage::new().await;
    let provider = stage.harness.provider_without().await.unwrap();
    assert!(provider.federation().is_none());
    assert!(stage.harness.connector_capabilities().federation().is_some());
}
