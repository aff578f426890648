//! The OAuth side of the harness: logins at the fake, with the requests of an application and a browser.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Staged, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{AccessToken, FederationSettings, IdentityProvider, OauthClient, Secret, UserId};
use idp_bridge_http::{Request, Url, header};
use serde_json::{Value, json};

use super::{APPLICATION, Auth0Harness, BRIDGE, SECRET, extend, scope, text};
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
pub const LOGGED_OUT: &str = "https://shop.acme.example/";
/// The redirect URI of logins.
const CALLBACK: &str = "https://shop.acme.example/callback";
/// The PKCE verifier.
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

/// Creates applications, an API and an Action.
pub(super) fn set_up(tenant: &mut Tenant) {
    let (web, mut browser) = (Application::web(APPLICATION, SECRET), Application::public(BROWSER_APPLICATION));
    browser.rotates = true;
    for mut application in [web, browser, Application::web(FOREIGN_APPLICATION, SECRET)] {
        (application.callbacks, application.logout_urls) = (vec![CALLBACK.into()], vec![LOGGED_OUT.into()]);
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
    /// Logs a user in with the authorization code flow.
    pub async fn log_in_as(&self, email: &str, password: &str, login: Login<'_>) -> Staged<Tokens> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", login.client_id),
            ("redirect_uri", CALLBACK),
            ("scope", login.scope),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        query.extend(login.audience.map(|audience| ("audience", audience)));
        let page = self.browse(Request::get(self.base.join(&["authorize"])?).query(&query)).await?;
        let form = [("username", email), ("password", password), ("state", &parameter(&page, "state")?)];
        let callback = self.browse(Request::post(self.base.join(&["u", "login"])?).form(&form)).await?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &parameter(&callback, "code")?),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.token(login.client_id, &form).await?.json::<Value>()?;
        let secret = |name: &str| text(&answer, name).ok().map(Secret::new);
        let access = AccessToken::new(text(&answer, "access_token")?)?;
        Ok(Tokens { access, refresh: secret("refresh_token"), id: secret("id_token") })
    }

    /// Exchanges a refresh token for the next one.
    pub async fn refresh(&self, client_id: &str, token: &Secret) -> Staged<Secret> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
        let answer = self.token(client_id, &form).await?.json::<Value>()?;
        Ok(Secret::new(text(&answer, "refresh_token")?))
    }

    /// Sends a browser's request and returns the redirect target.
    pub async fn browse(&self, request: Request) -> Staged<Url> {
        let answer = self.http.send(&scope(), request).await?;
        let location = answer.header(&header::LOCATION);
        let location = location.ok_or_else(|| format!("{}: {}", answer.status, answer.text().unwrap_or_default()))?;
        Ok(self.base.as_url().join(location)?)
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
    pub fn altered(&self, token: &str, change: impl FnOnce(&mut Value)) -> Staged<String> {
        let (header, mut claims) = (part(token, 0)?, claims_of(token)?);
        change(&mut claims);
        Ok(self.fake.with(|tenant| tenant.sign(&header, &claims))?)
    }
}

fn parameter(url: &Url, name: &str) -> Staged<String> {
    let found = url.query_pairs().find(|(own, _)| own == name);
    Ok(found.ok_or_else(|| format!("the fake's redirect has no parameter `{name}`"))?.1.into_owned())
}

fn part(token: &str, number: usize) -> Staged<Value> {
    let part = token.split('.').nth(number).ok_or("the token has too few parts")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
}

/// Returns the claims of a signed token without verification.
pub fn claims_of(token: &str) -> Staged<Value> {
    part(token, 1)
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

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        let client_id = if sign_in.foreign_client { FOREIGN_APPLICATION } else { APPLICATION };
        let login = Login { client_id, ..Login::ORDINARY };
        let mut tokens = self.log_in_as(sign_in.email.as_str(), &sign_in.password, login).await?;
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

    /// Checks the access token with userinfo, and the refresh token in the fake's state, since a rotating one ends with its use.
    async fn check_tokens(&self, tokens: &mut Tokens) -> Staged<TokenStatus> {
        let request = Request::get(self.base.join(&["userinfo"])?).bearer(&Secret::new(tokens.access.expose()))?;
        let answer = self.http.send(&scope(), request).await?;
        let refresh = tokens.refresh.as_ref();
        let refresh = refresh.map(|token| self.fake.with(|tenant| tenant.is_refreshable(token.expose())));
        Ok(TokenStatus { userinfo: Some(answer.status.is_success()), introspection: None, refresh })
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        let token = self.sign_in(sign_in).await?.access;
        let altered = |members| self.altered(token.expose(), |claims| extend(claims, members));
        let token = match flaw {
            Flaw::AnotherIssuer => {
                let (mut claims, key) = (claims_of(token.expose())?, SigningKey::rs256("another-tenant")?);
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

    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        Ok(self.fake.with(|tenant| tenant.sign(header, claims))?)
    }

    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let claims = claims_of(tokens.id.as_ref().ok_or("the login has no ID token")?.expose())?;
        let (session, client_id) = (text(&claims, "sid")?, text(&claims, "aud")?);
        let token = self.fake.with(|tenant| tenant.end_session(&session, &client_id))?;
        Ok(token.map(AccessToken::new).transpose()?)
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        self.fake.change(id.as_str(), |user| extend(user, json!({"blocked": true})));
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        self.fake.with(|tenant| tenant.remove(id.as_str()));
        Ok(())
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        let mut settings = settings();
        if let Some(client) = settings.clients.first_mut() {
            client.secret = Some(Secret::new("wrong"));
        }
        Ok(Arc::new(self.build_with(self.config(), Some(settings))?))
    }

    async fn provider_without_federation(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build_with(self.config(), None)?))
    }
}
