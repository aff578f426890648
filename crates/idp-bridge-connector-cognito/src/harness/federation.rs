//! The federation harness of the fake: logins through its pages, and tokens signed with its key.

use std::sync::Arc;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::{
    ClaimNames, EndSessionForm, FederationFacts, FederationHarness, Flaw, SignIn, Staged, TokenStatus, Tokens,
    async_trait,
};
use idp_bridge_core::{
    AccessToken, Connector as _, ConnectorContext, FederationSettings, IdentityProvider, OauthClient, Secret, UserId,
};
use serde_json::{Value, json};

use super::application::Application;
use super::{APP_CLIENT, APP_SECRET, CognitoHarness, FOREIGN_CLIENT, PUBLIC_CLIENT, context};
use crate::Cognito;
use crate::fake::FakeCognito;
use crate::fake::oauth::{CALLBACK, Session};

/// The issuer of another pool.
const ANOTHER_ISSUER: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_OtherPool";

/// Returns the settings with the tenant's clients: one with a secret, and one without.
pub(crate) fn settings() -> FederationSettings {
    let confidential = OauthClient { id: APP_CLIENT.into(), secret: Some(Secret::new(APP_SECRET)) };
    let public = OauthClient { id: PUBLIC_CLIENT.into(), secret: None };
    FederationSettings { clients: vec![confidential, public], ..FederationSettings::default() }
}

/// Returns the facts that all pools share.
pub(super) fn facts(issuer: &str, domain: &str, clients: Vec<String>) -> FederationFacts {
    FederationFacts {
        clients,
        issuer: issuer.to_owned(),
        claims: ClaimNames { subject: "sub", client: "client_id", session: Some("origin_jti") },
        end_session: EndSessionForm {
            url: format!("{domain}/logout"),
            client: "client_id",
            redirect_uri: "logout_uri",
            hint: None,
            state: Some("state"),
        },
    }
}

impl CognitoHarness {
    /// Returns the login of these tokens.
    pub(crate) fn session(&self, tokens: &Tokens) -> Staged<Session> {
        let refresh = tokens.refresh.as_ref().ok_or("a login without a refresh token")?;
        let found = self.fake().with(|pool| pool.session(|own| own.refresh == refresh.expose()).cloned());
        found.ok_or_else(|| "the fake has no such login".into())
    }

    /// Signs a new access token of a login, with some claims changed.
    pub(crate) fn sign_access(&self, session: &Session, changes: Value) -> Staged<AccessToken> {
        let token = self.fake().with(|pool| {
            let (header, claims) = (pool.header(), pool.access_claims(session));
            pool.sign(&header, &changed(claims, changes))
        });
        Ok(AccessToken::new(token?)?)
    }

    fn build_with(&self, context: &ConnectorContext) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(Cognito::build(self.config(), context)?))
    }
}

#[async_trait]
impl FederationHarness for CognitoHarness {
    fn facts(&self) -> FederationFacts {
        facts(FakeCognito::ISSUER, &self.fake().url(), vec![APP_CLIENT.into(), PUBLIC_CLIENT.into()])
    }

    async fn sign_in(&self, sign_in: &SignIn) -> Staged<Tokens> {
        let url = self.fake().url();
        let client_id = if sign_in.foreign_client { FOREIGN_CLIENT } else { APP_CLIENT };
        let app =
            Application { http: &self.http, domain: &url, client_id, secret: Some(APP_SECRET), callback: CALLBACK };
        let username = self.fake().with(|pool| pool.username_of(sign_in.email.as_str()));
        let mut tokens = app.sign_in(&username.ok_or("no user has this address")?, &sign_in.password).await?;
        let session = self.session(&tokens)?;
        if let Some(claim) = sign_in.customer_claim.clone() {
            let claimed = (self.config().customer_attribute, claim);
            self.fake().with(|pool| {
                pool.change_sessions(|own| own.origin == session.origin, |own| own.claimed = Some(claimed.clone()));
            });
        }
        if sign_in.expired {
            let now = super::now();
            tokens.access =
                self.sign_access(&session, json!({"iat": now - 4200, "auth_time": now - 4200, "exp": now - 600}))?;
        }
        Ok(tokens)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> Staged<TokenStatus> {
        Ok(self.fake().with(|pool| TokenStatus {
            userinfo: Some(pool.accepts_access_token(tokens.access.expose())),
            introspection: None,
            refresh: tokens.refresh.as_ref().map(|token| pool.accepts_refresh_token(token.expose())),
        }))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> Staged<AccessToken> {
        let session = self.session(&self.sign_in(sign_in).await?)?;
        match flaw {
            Flaw::AnotherIssuer => {
                let key = SigningKey::rs256("another-pools-1")?;
                let claims = self.fake().with(|pool| pool.access_claims(&session));
                let claims = changed(claims, json!({"iss": ANOTHER_ISSUER}));
                let token = key.sign(&json!({"kid": key.kid(), "alg": "RS256"}), &claims)?;
                Ok(AccessToken::new(token)?)
            }
            // In Cognito no app client has both sign-ins and client credentials.
            Flaw::ServiceAccount => {
                let own = json!({"sub": APP_CLIENT, "username": null, "origin_jti": null, "scope": "api/read"});
                self.sign_access(&session, own)
            }
            // A trigger of the pool can add the claim. Cognito itself does not bind tokens.
            Flaw::SenderConstrained => self.sign_access(&session, json!({"cnf": {"jkt": "a"}})),
            other => Err(format!("the harness does not support the flaw {other:?}").into()),
        }
    }

    async fn sign(&self, header: &Value, claims: &Value) -> Staged<String> {
        Ok(self.fake().with(|pool| pool.sign(header, claims))?)
    }

    /// Revokes the refresh token, as an application does. Cognito's page ends only the browser's session.
    async fn end_login(&self, tokens: &Tokens) -> Staged<Option<AccessToken>> {
        let session = self.session(tokens)?;
        self.fake().with(|pool| pool.end(&session.refresh));
        Ok(None)
    }

    async fn block(&self, id: &UserId) -> Staged<()> {
        self.fake().change(id.as_str(), |user| user.enabled = false);
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> Staged<()> {
        self.fake().with(|pool| pool.remove(id.as_str()));
        Ok(())
    }

    async fn provider_with_wrong_client_secret(&self) -> Staged<Arc<dyn IdentityProvider>> {
        let mut context = context()?;
        context.federation = Some(with_wrong_secret(settings()));
        self.build_with(&context)
    }

    async fn provider_without_federation(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build_with(&ConnectorContext { federation: None, ..context()? })
    }
}

/// Replaces claims; null removes one.
fn changed(mut claims: Value, changes: Value) -> Value {
    if let (Some(members), Value::Object(changes)) = (claims.as_object_mut(), changes) {
        members.extend(changes);
        members.retain(|_, value| !value.is_null());
    }
    claims
}

/// Replaces the secret of the first client.
pub(crate) fn with_wrong_secret(mut settings: FederationSettings) -> FederationSettings {
    if let Some(first) = settings.clients.first_mut() {
        first.secret = Some(Secret::new("wrong"));
    }
    settings
}
