//! The OAuth side of the stand-in for the suite: its hosted sign-in with PKCE, and app clients of several kinds.

use std::sync::Arc;

use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::types::{
    OAuthFlowType, ResourceServerScopeType, TimeUnitsType, TokenValidityUnitsType,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::{Alive, FederationFacts, FederationHarness, Flaw, SignIn, Staged, Tokens, async_trait};
use idp_bridge_core::{
    AccessToken, ConnectorContext, FederationSettings, IdentityProvider, OauthClient, Secret, UserId,
};

use serde_json::Value;

use super::application::Application;
use super::context;
use super::federation::{facts, with_wrong_secret};
use super::stand_in::StandInHarness;

/// Where codes come back to.
const CALLBACK: &str = "https://app.conformance.example/back";
/// Where browsers return to after a logout.
const SIGNED_OUT: &str = "https://app.conformance.example/bye";
/// What an application may ask for itself.
const API: &str = "api/read";
/// How long ago the tokens of the client for expired logins ended when they were made, in minutes.
const EXPIRED_BY: i32 = 10;

/// An app client: its id and its secret.
pub(super) type App = (String, String);

/// The app clients of the pool.
pub(super) struct Apps {
    /// The tenant's. Unlike Cognito's, it may both sign people in and act for itself.
    pub(super) own: App,
    /// The tenant's as well; its access tokens have ended when they are made, which ministack 1.5.33 allows.
    pub(super) expired: App,
    /// None of the tenant's.
    foreign: App,
}

impl Apps {
    /// Makes them in a pool.
    pub(super) async fn make(sdk: &SdkClient, pool: &str) -> Staged<Self> {
        let scope = ResourceServerScopeType::builder().scope_name("read").scope_description("Read").build()?;
        let server = sdk.create_resource_server().user_pool_id(pool).identifier("api").name("api").scopes(scope);
        server.send().await?;
        Ok(Self {
            own: app(sdk, pool, None).await?,
            expired: app(sdk, pool, Some(-EXPIRED_BY)).await?,
            foreign: app(sdk, pool, None).await?,
        })
    }

    /// The tenant's settings.
    pub(super) fn settings(&self) -> FederationSettings {
        let client = |(id, secret): &App| OauthClient { id: id.clone(), secret: Some(Secret::new(secret.as_str())) };
        FederationSettings { clients: [&self.own, &self.expired].map(client).into(), ..FederationSettings::default() }
    }
}

/// Makes an app client by which people sign in, with a password too, and whose access tokens live for so many minutes.
async fn app(sdk: &SdkClient, pool: &str, minutes: Option<i32>) -> Staged<App> {
    use aws_sdk_cognitoidentityprovider::types::ExplicitAuthFlowsType::AllowUserPasswordAuth;
    let scopes = ["openid", "profile", "email", API].map(str::to_owned);
    let request = sdk.create_user_pool_client().user_pool_id(pool).client_name("app").generate_secret(true);
    let request = request.explicit_auth_flows(AllowUserPasswordAuth).write_attributes("email");
    let request = request.allowed_o_auth_flows_user_pool_client(true).allowed_o_auth_flows(OAuthFlowType::Code);
    let request = request.allowed_o_auth_flows(OAuthFlowType::ClientCredentials);
    let request = request.set_allowed_o_auth_scopes(Some(scopes.into()));
    let request = request.callback_urls(CALLBACK).logout_urls(SIGNED_OUT).supported_identity_providers("COGNITO");
    let units = TokenValidityUnitsType::builder().access_token(TimeUnitsType::Minutes).build();
    let request = request.set_access_token_validity(minutes).token_validity_units(units);
    let made = request.send().await?.user_pool_client.ok_or("the answer names no app client")?;
    Ok(made.client_id.zip(made.client_secret).ok_or("the app client has no id, or no secret")?)
}

impl StandInHarness {
    fn application<'a>(&'a self, (client_id, secret): &'a App) -> Application<'a> {
        let domain = &self.stand_in.url;
        Application { http: &self.http, domain, client_id, secret: Some(secret), callback: CALLBACK }
    }

    /// The app client that got these tokens.
    fn app_of(&self, tokens: &Tokens) -> Staged<&App> {
        let claims = tokens.access.expose().split('.').nth(1).unwrap_or_default();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        let id = claims.get("client_id").and_then(Value::as_str);
        let Apps { own, expired, foreign } = &self.apps;
        let found = [own, expired, foreign].into_iter().find(|app| id == Some(&app.0));
        found.ok_or_else(|| "the token is of no app client of the harness".into())
    }

    pub(super) fn context_with(&self, federation: Option<FederationSettings>) -> Staged<ConnectorContext> {
        Ok(ConnectorContext { federation, ..context()? })
    }
}

#[async_trait]
impl FederationHarness for StandInHarness {
    fn facts(&self) -> FederationFacts {
        let issuer = format!("https://cognito-idp.{}.amazonaws.com/{}", self.stand_in.region, self.pool);
        facts(&issuer, &self.stand_in.url, vec![self.apps.own.0.clone(), self.apps.expired.0.clone()])
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        let app = match sign_in {
            SignIn { foreign_client: true, .. } => &self.apps.foreign,
            SignIn { expired: true, .. } => &self.apps.expired,
            _ => &self.apps.own,
        };
        let username = self.name_of("email", sign_in.email.as_str()).await?;
        self.application(app).sign_in(&username, &sign_in.password).await
    }

    async fn alive(&self, tokens: &mut Tokens) -> Staged<Alive> {
        let app = self.application(self.app_of(tokens)?);
        let refresh = match &tokens.refresh {
            Some(token) => Some(app.refreshes(token).await?),
            None => None,
        };
        Ok(Alive { userinfo: Some(app.admits(&tokens.access).await?), introspection: None, refresh })
    }

    async fn flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        match flaw {
            Flaw::AnotherIssuer => {
                let pool = self.sdk.create_user_pool().pool_name("another").send().await?.user_pool;
                let pool = pool.and_then(|pool| pool.id).ok_or("the answer names no pool")?;
                let apps = Apps::make(&self.sdk, &pool).await?;
                self.confirmed_in(&pool, "ada", Vec::new(), &sign_in.password).await?;
                Ok(self.application(&apps.own).sign_in("ada", &sign_in.password).await?.access)
            }
            Flaw::ServiceAccount => self.application(&self.apps.own).for_itself(API).await,
            other => Err(format!("the harness does not know the flaw {other:?}").into()),
        }
    }

    /// As an application does it that revokes its refresh token: the hosted page itself ends nothing but the browser's session.
    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let (id, secret) = self.app_of(tokens)?;
        let refresh = tokens.refresh.as_ref().ok_or("a login without a refresh token")?;
        self.sdk.revoke_token().client_id(id).client_secret(secret).token(refresh.expose()).send().await?;
        Ok(None)
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        self.sdk.admin_disable_user().user_pool_id(&self.pool).username(name).send().await?;
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        self.sdk.admin_delete_user().user_pool_id(&self.pool).username(name).send().await?;
        Ok(())
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), &self.context_with(Some(with_wrong_secret(self.apps.settings())))?)
    }

    async fn provider_without(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), &self.context_with(None)?)
    }
}
