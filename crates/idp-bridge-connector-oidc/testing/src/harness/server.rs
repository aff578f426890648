//! The harness of the conformance suite for a real OpenID Provider, which the lab runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_conformance::{FederationHarness, Flaw, Harness, Need, NewUser, Setup, TestResult, Tokens, async_trait};
use idp_bridge_connector_oidc::{Oidc, OidcConfig};
use idp_bridge_core::{
    Capabilities, Connector, FederationSettings, IdentityProvider, OauthClient, OutboundPolicy, Secret, UserId,
};
use idp_bridge_http::{BaseUrl, Client, Request, Response, Url};
use serde_json::{Value, json};

use super::browser::Browser;
use super::logins::text;
use super::scope;

/// A running provider, with its clients. All applications have the same redirect URIs.
#[derive(Debug, Clone)]
pub struct Server {
    /// The name for the report, such as `oidc (node-oidc-provider)`.
    pub name: String,
    /// The issuer. Paths below `/lab` create and change users.
    pub issuer: String,
    /// The bearer token of those paths.
    pub control_key: Secret,
    /// The tenant's confidential application.
    pub app: OauthClient,
    /// The tenant's public application.
    pub public_app: OauthClient,
    /// An application that does not belong to the tenant.
    pub stranger: OauthClient,
    /// The bridge's client.
    pub bridge: OauthClient,
    /// The redirect URI of a login.
    pub redirect_uri: String,
    /// The redirect URI of a logout.
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
    /// Creates a harness, without a request.
    pub fn new(server: Server) -> TestResult<Self> {
        let policy = OutboundPolicy::default();
        let (http, base) = (Client::new(&policy)?, BaseUrl::parse(&server.issuer, &policy)?);
        Ok(Self { server, http, base, browsers: Mutex::default() })
    }

    /// Returns working settings.
    pub fn config(&self) -> OidcConfig {
        let mut config = OidcConfig::new(&self.server.issuer);
        config.client_id = Some(self.server.bridge.id.clone());
        config.client_secret.clone_from(&self.server.bridge.secret);
        config.session_claim = Some("sid".to_owned());
        config.scopes = ["openid", "email", "customer"].map(str::to_owned).into();
        config
    }

    /// Returns working federation settings.
    pub fn settings(&self) -> FederationSettings {
        let clients = vec![self.server.app.clone(), self.server.public_app.clone()];
        FederationSettings { clients, ..FederationSettings::default() }
    }

    /// Returns a URL below the issuer.
    pub(super) fn at(&self, segments: &[&str]) -> TestResult<Url> {
        Ok(self.base.join(segments)?.into())
    }

    /// Sends a request to one of the paths below `/lab`.
    pub(super) async fn send_control(&self, request: Request) -> TestResult<Response> {
        Ok(self.http.send(&scope(), request.bearer(&self.server.control_key)?).await?)
    }

    /// Changes a user.
    pub(super) async fn change(&self, id: &str, change: &Value) -> TestResult<()> {
        let response = self.send_control(Request::post(self.at(&["lab", "users", id])?).json(change)?).await?;
        if response.status.is_success() {
            Ok(())
        } else {
            Err(format!("the user cannot be changed: {}", response.status).into())
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
                Some("its access tokens are opaque: it neither introspects nor revokes signed ones".into())
            }
            Need::ExpiredLogin => Some("an expired opaque token cannot be assigned to a user".into()),
            Need::Flawed(Flaw::AnotherIssuer) => {
                Some("an opaque token of another issuer is unknown, like a made-up one".into())
            }
            other => super::never_applicable(other),
        }
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        super::build_for(setup, self.config(), self.settings())
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let body = json!({
            "email": user.email.as_ref().map(|email| email.as_str()),
            "email_verified": user.email_verified,
            "blocked": user.blocked,
            "password": user.password,
            "customer": super::customer_claim(&user),
        });
        let user = self.send_control(Request::post(self.at(&["lab", "users"])?).json(&body)?).await?.json::<Value>()?;
        Ok(UserId::new(text(&user, "id")?)?)
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.server.issuer.clone())
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
