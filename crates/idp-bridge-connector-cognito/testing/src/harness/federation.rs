//! The federation harness of the fake: logins in its memory, and tokens signed with its key.

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::{
    FederationFacts, FederationHarness, Flaw, SignIn, TestResult, TokenStatus, Tokens, async_trait,
};
use idp_bridge_core::{AccessToken, Clock as _, Secret, SystemClock, UserId};
use serde_json::{Value, json};

use super::{APP_CLIENT, CognitoHarness, FOREIGN_CLIENT};
use crate::fake::Session;

/// The issuer of another pool.
const ANOTHER_ISSUER: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_OtherPool";

impl CognitoHarness {
    /// Returns the login of these tokens.
    pub fn session(&self, tokens: &Tokens) -> TestResult<Session> {
        let refresh = tokens.refresh.as_ref().ok_or("a login without a refresh token")?;
        let found = self.fake.with(|pool| pool.session(|own| own.refresh == refresh.expose()).cloned());
        found.ok_or_else(|| "the fake has no such login".into())
    }

    /// Signs a new access token of a login, with some claims changed; null removes one.
    pub fn sign_access(&self, session: &Session, changes: Value) -> TestResult<AccessToken> {
        let token = self.fake.with(|pool| {
            let (header, claims) = (pool.header(), pool.access_claims(session));
            pool.sign(&header, &changed(claims, changes))
        });
        Ok(AccessToken::new(token?)?)
    }
}

#[async_trait]
impl FederationHarness for CognitoHarness {
    fn facts(&self) -> FederationFacts {
        self.site.facts()
    }

    async fn sign_in(&self, sign_in: &SignIn) -> TestResult<Tokens> {
        let client_id = if sign_in.foreign_client { FOREIGN_CLIENT } else { APP_CLIENT };
        let (session, access, id) = self.fake.with(|pool| -> TestResult<_> {
            let name = pool.username_of(sign_in.email.as_str()).ok_or("no user has this address")?;
            Ok(pool.sign_in(&name, &sign_in.password, client_id)?)
        })?;
        let (refresh, id) = (Some(Secret::new(session.refresh.as_str())), Some(Secret::new(id)));
        let mut tokens = Tokens { access: AccessToken::new(access)?, refresh, id };
        if let Some(claim) = sign_in.customer_claim.clone() {
            let claimed = (self.config().customer_attribute, claim);
            self.fake.with(|pool| {
                pool.change_sessions(|own| own.origin == session.origin, |own| own.claimed = Some(claimed.clone()));
            });
        }
        if sign_in.expired {
            let now = SystemClock.now().as_second();
            let times = json!({"iat": now - 4200, "auth_time": now - 4200, "exp": now - 600});
            tokens.access = self.sign_access(&session, times)?;
        }
        Ok(tokens)
    }

    async fn check_tokens(&self, tokens: &mut Tokens) -> TestResult<TokenStatus> {
        Ok(self.fake.with(|pool| TokenStatus {
            userinfo: Some(pool.accepts_access_token(tokens.access.expose())),
            introspection: None,
            refresh: tokens.refresh.as_ref().map(|token| pool.accepts_refresh_token(token.expose())),
        }))
    }

    async fn issue_flawed(&self, flaw: Flaw, sign_in: &SignIn) -> TestResult<AccessToken> {
        let session = self.session(&self.sign_in(sign_in).await?)?;
        match flaw {
            Flaw::AnotherIssuer => {
                let key = SigningKey::rs256("another-pools-1")?;
                let claims = self.fake.with(|pool| pool.access_claims(&session));
                let claims = changed(claims, json!({"iss": ANOTHER_ISSUER}));
                Ok(AccessToken::new(key.sign(&json!({"kid": key.kid(), "alg": "RS256"}), &claims)?)?)
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

    async fn sign(&self, header: &Value, claims: &Value) -> TestResult<String> {
        Ok(self.fake.with(|pool| pool.sign(header, claims))?)
    }

    /// Revokes the refresh token, as an application does. Cognito's page ends only the browser's session.
    async fn end_login(&self, tokens: &Tokens) -> TestResult<Option<AccessToken>> {
        let session = self.session(tokens)?;
        self.fake.with(|pool| pool.end(&session.refresh));
        Ok(None)
    }

    async fn block(&self, id: &UserId) -> TestResult<()> {
        self.fake.change(id.as_str(), |user| user.enabled = false);
        Ok(())
    }

    async fn delete(&self, id: &UserId) -> TestResult<()> {
        self.fake.with(|pool| pool.remove(id.as_str()));
        Ok(())
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
