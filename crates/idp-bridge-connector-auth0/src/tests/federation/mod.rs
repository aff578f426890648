//! Tests of the OAuth side that are specific to Auth0.

mod diagnosis;
mod logout;
mod tokens;

use idp_bridge_conformance::{Harness as _, NewUser, Tokens};
use idp_bridge_core::{
    AccessToken, ErrorKind, Federation, FederationSettings, IdentityProvider, LoggedOut, Logout, Result, Secret,
    TokenIdentity, UserId,
};
use serde_json::Value;
use std::sync::Arc;

use super::{Stage, customer, email, scope};
use crate::Auth0Config;
use crate::harness::Auth0Harness;
use crate::harness::federation::{BROWSER_APPLICATION, Login, claims_of, settings};

const PASSWORD: &str = "Correct-Horse-7-Battery";
/// A login of a public application with rotating refresh tokens.
const IN_BROWSER: Login<'_> = Login { client_id: BROWSER_APPLICATION, ..Login::ORDINARY };
/// A login without an API.
const OPAQUE: Login<'_> = Login { audience: None, ..Login::ORDINARY };

impl Stage {
    fn oauth(&self) -> &dyn Federation {
        self.provider.federation().unwrap()
    }

    /// Replaces the provider by one with changed settings.
    fn rebuild(&mut self, change: impl FnOnce(&mut Auth0Config, &mut FederationSettings)) {
        let (mut config, mut federation) = (self.harness.config(), settings());
        change(&mut config, &mut federation);
        self.provider = self.harness.build_with(config, Some(federation)).unwrap();
    }

    /// Creates a user with a password.
    async fn create_login(&self, name: &str) -> UserId {
        let mut user = NewUser::person(email(name));
        user.customers = vec![customer(name)];
        user.password = Some(PASSWORD.into());
        self.harness.create(user).await.unwrap()
    }

    async fn log_in(&self, name: &str, login: Login<'_>) -> Tokens {
        let tokens = self.harness.log_in_as(email(name).as_str(), PASSWORD, login).await.unwrap();
        self.fake().take_exchanges();
        tokens
    }

    /// Returns the kind of error of both methods, `None` if the token is valid.
    async fn verdict(&self, token: &str) -> Option<ErrorKind> {
        let token = AccessToken::new(token).unwrap();
        let identified = self.oauth().identify(&scope(), &token).await.map(drop).map_err(|error| error.kind());
        let validated = self.oauth().validate(&scope(), &token).await.map(drop).map_err(|error| error.kind());
        assert_eq!(identified, validated);
        validated.err()
    }

    /// Returns the verdict on an access token with changed claims.
    async fn verdict_with(&self, tokens: &Tokens, change: impl FnOnce(&mut Value)) -> Option<ErrorKind> {
        let altered = self.harness.altered(tokens.access.expose(), change).unwrap();
        self.verdict(&altered).await
    }

    async fn identity(&self, tokens: &Tokens) -> TokenIdentity {
        self.oauth().identify(&scope(), &tokens.access).await.unwrap()
    }

    /// Logs out with the access token and these other tokens.
    async fn log_out(&self, tokens: &Tokens, refresh: Option<&Secret>, hint: Option<&Secret>) -> Result<LoggedOut> {
        let identity = self.identity(tokens).await;
        let logout =
            Logout { token: &tokens.access, identity: Some(&identity), refresh_token: refresh, id_token_hint: hint };
        self.oauth().log_out(&scope(), &logout).await
    }

    fn is_refreshable(&self, tokens: &Tokens) -> bool {
        let token = tokens.refresh.as_ref().unwrap();
        self.fake().with(|tenant| tenant.is_refreshable(token.expose()))
    }

    /// Returns whether the session of a login is active.
    fn has_session(&self, tokens: &Tokens) -> bool {
        let claims = claims_of(tokens.id.as_ref().unwrap().expose()).unwrap();
        self.fake().with(|tenant| tenant.has_session(claims["sid"].as_str().unwrap()))
    }
}

fn set(claims: &mut Value, name: &str, value: Value) {
    claims.as_object_mut().unwrap().insert(name.into(), value);
}

/// Returns whether a provider has no federation.
fn is_off(provider: &dyn IdentityProvider) -> bool {
    provider.federation().is_none() && provider.capabilities().federation().is_none()
}

#[tokio::test]
async fn federation_needs_its_settings() {
    let stage = Stage::new().await;
    assert!(is_off(&stage.harness.build_with(stage.harness.config(), None).unwrap()));
    assert!(!is_off(&stage.provider));
}

#[tokio::test]
async fn logout_cases_pass_with_enterprise_sessions() {
    let harness = Auth0Harness::start().await.unwrap().with(|config| config.enterprise_sessions = true);
    harness.allow_sessions();
    let report =
        idp_bridge_conformance::run_only(Arc::new(harness), |name| name.starts_with("federation_logout")).await;
    report.unwrap().assert_ok();
}
