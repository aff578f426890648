//! The harness of the conformance suite for a real OpenID Provider: the one that the lab runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, Staged, Tokens, async_trait};
use idp_bridge_connector_oidc::{Oidc, OidcConfig};
use idp_bridge_core::{
    Capabilities, Connector, ConnectorContext, FederationSettings, IdentityProvider, OauthClient, OutboundPolicy,
    Secret, TenantId, UserId,
};
use idp_bridge_http::{BaseUrl, Client, Request, Response, Url};
use serde_json::{Value, json};

use super::browser::Browser;
use super::logins::text;
use super::scope;

/// Where the provider is, and who is who there. Every application has the same addresses.
#[derive(Debug, Clone)]
pub struct Server {
    /// What it is, such as `oidc (node-oidc-provider)`.
    pub name: String,
    /// The issuer, which has paths below `/lab` to stage users with.
    pub issuer: String,
    /// The bearer token of those paths.
    pub control_key: Secret,
    /// The tenant's application, with its secret.
    pub app: OauthClient,
    /// The tenant's application without a secret.
    pub public_app: OauthClient,
    /// An application that is none of the tenant's.
    pub stranger: OauthClient,
    /// The bridge's client.
    pub bridge: OauthClient,
    /// Where a login ends.
    pub redirect_uri: String,
    /// Where a logout ends.
    pub post_logout_redirect_uri: String,
}

/// A real OpenID Provider under test.
pub struct ServerHarness {
    pub(super) server: Server,
    pub(super) http: Client,
    base: BaseUrl,
    /// The browser of each login, by its access token.
    pub(super) browsers: Mutex<BTreeMap<String, Browser>>,
}

impl ServerHarness {
    /// Finds the server; it asks nothing yet.
    pub fn new(server: Server) -> Staged<Self> {
        let policy = OutboundPolicy::default();
        let (http, base) = (Client::new(&policy)?, BaseUrl::parse(&server.issuer, &policy)?);
        Ok(Self { server, http, base, browsers: Mutex::default() })
    }

    /// The settings of the right provider.
    pub fn config(&self) -> OidcConfig {
        let mut config = OidcConfig::new(&self.server.issuer);
        config.client_id = Some(self.server.bridge.id.clone());
        config.client_secret.clone_from(&self.server.bridge.secret);
        config.session_claim = Some("sid".to_owned());
        config.scopes = ["openid", "email", "customer"].map(str::to_owned).into();
        config
    }

    /// The settings of federation of the right provider.
    pub fn settings(&self) -> FederationSettings {
        let clients = vec![self.server.app.clone(), self.server.public_app.clone()];
        FederationSettings { clients, ..FederationSettings::default() }
    }

    pub(super) fn build(
        &self,
        config: OidcConfig,
        federation: Option<FederationSettings>,
        outbound: OutboundPolicy,
    ) -> Staged<Arc<dyn IdentityProvider>> {
        let context = ConnectorContext { federation, outbound, ..ConnectorContext::new(TenantId::new("conformance")?) };
        Ok(Arc::new(Oidc::build(config, &context)?))
    }

    pub(super) fn at(&self, segments: &[&str]) -> Staged<Url> {
        Ok(self.base.join(segments)?)
    }

    /// Sends a request to one of the paths that stage something.
    pub(super) async fn stage(&self, request: Request) -> Staged<Response> {
        Ok(self.http.send(&scope(), request.bearer(&self.server.control_key)?).await?)
    }

    /// Changes a user.
    pub(super) async fn change(&self, id: &str, change: &Value) -> Staged<()> {
        let answer = self.stage(Request::post(self.at(&["lab", "users", id])?).json(change)?).await?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(format!("the user cannot be changed: {}", answer.status).into())
        }
    }

    pub(super) fn browser_of(&self, tokens: &Tokens) -> Option<Browser> {
        let browsers = self.browsers.lock().unwrap_or_else(PoisonError::into_inner);
        browsers.get(tokens.access.expose()).cloned()
    }
}

#[async_trait]
impl Harness for ServerHarness {
    fn name(&self) -> &str {
        &self.server.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Oidc as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        match need {
            Need::SignedToken | Need::Signing => {
                Some("its access tokens are opaque: those that are signed it neither introspects nor revokes".into())
            }
            Need::ExpiredLogin => Some("an opaque token that has expired is no one's".into()),
            Need::Flawed(idp_bridge_conformance::Flaw::AnotherIssuer) => {
                Some("an opaque token of another issuer is as unknown as a made-up one".into())
            }
            other => super::never_applicable(other),
        }
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), Some(self.settings()), OutboundPolicy::default())
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let made = json!({
            "email": user.email.as_ref().map(|email| email.as_str()),
            "email_verified": user.email_verified,
            "blocked": user.blocked,
            "password": user.password,
            "customer": super::customer_claim(&user),
        });
        let answer = self.stage(Request::post(self.at(&["lab", "users"])?).json(&made)?).await?.json::<Value>()?;
        Ok(UserId::new(text(&answer, "id")?)?)
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        super::break_settings(&mut config, control)?;
        self.build(config, Some(self.settings()), OutboundPolicy::default())
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.server.issuer.clone())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), Some(self.settings()), super::through(base_url))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
