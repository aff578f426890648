//! The federation harness of ministack: its hosted sign-in with PKCE, and several app clients.

use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::types::ExplicitAuthFlowsType::AllowUserPasswordAuth;
use aws_sdk_cognitoidentityprovider::types::{
    OAuthFlowType, ResourceServerScopeType, TimeUnitsType, TokenValidityUnitsType,
};
use idp_bridge_conformance::fixture::text_claim;
use idp_bridge_conformance::{
    FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens, async_trait,
};
use idp_bridge_core::{AccessToken, OauthClient, Secret, UserId};

use super::application::Application;
use super::stand_in::StandInHarness;

/// The callback URL.
const CALLBACK: &str = "https://app.conformance.example/back";
/// The sign-out URL.
const SIGNED_OUT: &str = "https://app.conformance.example/bye";
/// The scope of client credentials.
const API: &str = "api/read";
/// The age of tokens that are issued as expired, in minutes.
const EXPIRED_BY: i32 = 10;

/// The app clients of the pool.
pub(super) struct Apps {
    /// A client of the tenant. Unlike in Cognito, it allows both sign-ins and client credentials.
    pub(super) own: OauthClient,
    /// A client of the tenant with expired access tokens, which ministack 1.5.33 allows.
    pub(super) expired: OauthClient,
    /// A client that does not belong to the tenant.
    foreign: OauthClient,
}

impl Apps {
    /// Creates the app clients in a pool.
    pub(super) async fn create(sdk: &SdkClient, pool: &str) -> TestResult<Self> {
        let scope = ResourceServerScopeType::builder().scope_name("read").scope_description("Read").build()?;
        let server = sdk.create_resource_server().user_pool_id(pool).identifier("api").name("api").scopes(scope);
        server.send().await?;
        Ok(Self {
            own: create_app(sdk, pool, None).await?,
            expired: create_app(sdk, pool, Some(-EXPIRED_BY)).await?,
            foreign: create_app(sdk, pool, None).await?,
        })
    }
}

/// Creates an app client for sign-ins, with this lifetime of its access tokens in minutes.
async fn create_app(sdk: &SdkClient, pool: &str, minutes: Option<i32>) -> TestResult<OauthClient> {
    let scopes = ["openid", "profile", "email", API].map(str::to_owned);
    let request = sdk.create_user_pool_client().user_pool_id(pool).client_name("app").generate_secret(true);
    let request = request.explicit_auth_flows(AllowUserPasswordAuth).write_attributes("email");
    let request = request.allowed_o_auth_flows_user_pool_client(true).allowed_o_auth_flows(OAuthFlowType::Code);
    let request = request.allowed_o_auth_flows(OAuthFlowType::ClientCredentials);
    let request = request.set_allowed_o_auth_scopes(Some(scopes.into()));
    let request = request.callback_urls(CALLBACK).logout_urls(SIGNED_OUT).supported_identity_providers("COGNITO");
    let units = TokenValidityUnitsType::builder().access_token(TimeUnitsType::Minutes).build();
    let request = request.set_access_token_validity(minutes).token_validity_units(units);
    let created = request.send().await?.user_pool_client.ok_or("the response has no app client")?;
    let (id, secret) = created.client_id.zip(created.client_secret).ok_or("the app client has no id, or no secret")?;
    Ok(OauthClient { id, secret: Some(Secret::new(secret)) })
}

impl StandInHarness {
    fn application<'a>(&'a self, client: &'a OauthClient) -> Application<'a> {
        Application { http: &self.http, domain: &self.site.url, client, callback: CALLBACK }
    }

    /// Returns the app client of these tokens.
    fn find_app(&self, tokens: &Tokens) -> TestResult<&OauthClient> {
        let id = text_claim(tokens.access.expose(), "client_id")?;
        let Apps { own, expired, foreign } = &self.apps;
        let found = [own, expired, foreign].into_iter().find(|app| app.id == id);
        found.ok_or_else(|| "the token belongs to no app client of the harness".into())
    }
}

#[async_trait]
impl FederationHarness for StandInHarness {
    fn facts(&self) -> FederationFacts {
        self.site.facts()
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        let app = match sign_in {
            SignIn { foreign_client: true, .. } => &self.apps.foreign,
            SignIn { expired: true, .. } => &self.apps.expired,
            _ => &self.apps.own,
        };
        let username = self.name_of("email", sign_in.email.as_str()).await?;
        self.application(app).sign_in(&username, &sign_in.password).await
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        let app = self.application(self.find_app(tokens)?);
        let refresh = match &tokens.refresh {
            Some(token) => Some(app.accepts_refresh(token).await?),
            None => None,
        };
        Ok(TokenStatus { userinfo: Some(app.accepts(&tokens.access).await?), introspection: None, refresh })
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        match flaw {
            Flaw::AnotherIssuer => {
                let pool = self.sdk.create_user_pool().pool_name("another").send().await?.user_pool;
                let pool = pool.and_then(|pool| pool.id).ok_or("the response has no pool")?;
                let apps = Apps::create(&self.sdk, &pool).await?;
                self.create_confirmed(&pool, "ada", Vec::new(), &sign_in.password).await?;
                Ok(self.application(&apps.own).sign_in("ada", &sign_in.password).await?.access)
            }
            Flaw::ServiceAccount => self.application(&self.apps.own).client_credentials(API).await,
            other => Err(format!("the harness does not support the flaw {other:?}").into()),
        }
    }

    /// Revokes the refresh token, as an application does. The hosted page ends only the browser's session.
    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let OauthClient { id, secret } = self.find_app(tokens)?;
        let refresh = tokens.refresh.as_ref().ok_or("a login without a refresh token")?;
        let request = self.sdk.revoke_token().client_id(id).token(refresh.expose());
        request.set_client_secret(secret.as_ref().map(|secret| secret.expose().to_owned())).send().await?;
        Ok(None)
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        self.sdk.admin_disable_user().user_pool_id(&self.site.pool).username(name).send().await?;
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        self.sdk.admin_delete_user().user_pool_id(&self.site.pool).username(name).send().await?;
        Ok(())
    }
}
