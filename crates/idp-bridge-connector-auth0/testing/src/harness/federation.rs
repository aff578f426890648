//! The OAuth side of the harness: logins at the fake, with the requests of an application and a browser.

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fixture::decode_jwt;
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{AccessToken, FederationSettings, OauthClient, Secret, UserId};
use serde_json::{Value, json};

use super::{APPLICATION, Auth0Harness, BRIDGE, SECRET, extend};
use crate::fake::{Application, Tenant};

/// A public application.
pub const BROWSER_APPLICATION: &str = "browser-application";
/// An application of the Auth0 tenant that is not in `federation.clients`.
const FOREIGN_APPLICATION: &str = "foreign-application";
/// The audience of access tokens.
pub const API: &str = "https://api.acme.example";
/// The claim that the Action sets.
pub const CUSTOMER_CLAIM: &str = "https://acme.example/customer_id";
/// The logout URL of the applications.
const LOGGED_OUT: &str = "https://shop.acme.example/";

/// Creates applications, an API and an Action.
pub(super) fn set_up(tenant: &mut Tenant) {
    let (web, mut browser) = (Application::web(APPLICATION, SECRET), Application::public(BROWSER_APPLICATION));
    browser.rotates = true;
    for mut application in [web, browser, Application::web(FOREIGN_APPLICATION, SECRET)] {
        application.logout_urls = vec![LOGGED_OUT.into()];
        tenant.applications.push(application);
    }
    tenant.apis.insert(API.into(), false);
    tenant.customer_claim = Some(CUSTOMER_CLAIM.into());
}

/// Returns the federation settings of all providers.
pub fn settings() -> FederationSettings {
    let client = |id: &str, secret: Option<&str>| OauthClient { id: id.into(), secret: secret.map(Secret::new) };
    FederationSettings {
        clients: vec![client(APPLICATION, Some(SECRET)), client(BROWSER_APPLICATION, None)],
        customer_claim: Some(CUSTOMER_CLAIM.into()),
        ..FederationSettings::default()
    }
}

/// The parameters of a login.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    /// The application.
    pub client_id: &'a str,
    /// The requested scopes.
    pub scope: &'a str,
    /// The API. Without one the access token is opaque.
    pub audience: Option<&'a str>,
}

impl Login<'_> {
    /// A login to a confidential application and its API.
    pub const ORDINARY: Self =
        Self { client_id: APPLICATION, scope: "openid profile email offline_access", audience: Some(API) };
}

impl Auth0Harness {
    /// Logs a user in.
    pub fn log_in_as(&self, email: &str, password: &str, login: Login<'_>) -> TestResult<Tokens> {
        let Login { client_id, scope, audience } = login;
        let issued = self.fake.with(|tenant| tenant.log_in((email, password), client_id, scope, audience))?;
        let (refresh, id) = (issued.refresh.map(Secret::new), issued.id.map(Secret::new));
        Ok(Tokens { access: AccessToken::new(issued.access)?, refresh, id })
    }

    /// Enables ending sessions: an Enterprise plan for the tenant, and the scopes for the bridge's application.
    pub fn allow_sessions(&self) {
        self.fake.with(|tenant| {
            tenant.is_enterprise = true;
            for scope in ["delete:sessions", "delete:refresh_tokens"] {
                tenant.set_scope(BRIDGE, scope, true);
            }
        });
    }

    /// Signs a token with changed claims.
    pub fn altered(&self, token: &str, change: impl FnOnce(&mut Value)) -> TestResult<String> {
        let (header, mut claims) = decode_jwt(token)?;
        change(&mut claims);
        Ok(self.fake.with(|tenant| tenant.sign(&header, &claims))?)
    }
}

#[async_trait]
impl FederationHarness for Auth0Harness {
    fn facts(&self) -> FederationFacts {
        FederationFacts {
            clients: settings().clients.into_iter().map(|client| client.id).collect(),
            issuer: Tenant::issuer(),
            claims: ClaimNames { subject: "sub", client: "azp", session: None },
            end_session: EndSessionForm {
                url: format!("{}oidc/logout", Tenant::issuer()),
                client: "client_id",
                redirect_uri: "post_logout_redirect_uri",
                hint: Some("id_token_hint"),
                state: Some("state"),
            },
        }
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        let client_id = if sign_in.foreign_client { FOREIGN_APPLICATION } else { APPLICATION };
        let login = Login { client_id, ..Login::ORDINARY };
        let mut tokens = self.log_in_as(sign_in.email.as_str(), &sign_in.password, login)?;
        let access = self.altered(tokens.access.expose(), |claims| {
            if let Some(customer) = &sign_in.customer_claim {
                extend(claims, json!({CUSTOMER_CLAIM: customer}));
            }
            if sign_in.expired {
                let now = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
                extend(claims, json!({"iat": now - 90_000, "exp": now - 1800}));
            }
        })?;
        tokens.access = AccessToken::new(access)?;
        Ok(tokens)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        Ok(self.fake.with(|tenant| TokenStatus {
            userinfo: Some(tenant.accepts_access_token(tokens.access.expose())),
            introspection: None,
            refresh: tokens.refresh.as_ref().map(|token| tenant.is_refreshable(token.expose())),
        }))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        let token = self.sign_in(sign_in).await?.access;
        let altered = |members| self.altered(token.expose(), |claims| extend(claims, members));
        let token = match flaw {
            Flaw::AnotherIssuer => {
                let ((_, mut claims), key) = (decode_jwt(token.expose())?, SigningKey::rs256("another-tenant")?);
                extend(&mut claims, json!({"iss": "https://other.eu.auth0.com/"}));
                key.sign(&key.header("JWT"), &claims)?
            }
            Flaw::ServiceAccount => {
                altered(json!({"sub": format!("{APPLICATION}@clients"), "gty": "client-credentials"}))?
            }
            Flaw::SenderConstrained => altered(json!({"cnf": {"jkt": "thumbprint"}}))?,
            other => return Err(format!("the harness does not support the flaw {other:?}").into()),
        };
        Ok(AccessToken::new(token)?)
    }

    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        Ok(self.fake.with(|tenant| tenant.sign(header, claims))?)
    }

    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let (_, claims) = decode_jwt(tokens.id.as_ref().ok_or("the login has no ID token")?.expose())?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let token = self.fake.with(|tenant| tenant.end_session(text("sid"), text("aud")))?;
        Ok(token.map(AccessToken::new).transpose()?)
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        self.fake.change(id.as_str(), |user| extend(user, json!({"blocked": true})));
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        self.fake.with(|tenant| tenant.remove(id.as_str()));
        Ok(())
    }
}
