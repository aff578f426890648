//! Federation with an OpenID Provider according to the standards: token validation and logout.

mod diagnose;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallScope, Clock, Customer, Email, EndSession, Error, ErrorKind, Federation, FederationMetadata,
    FederationSettings, Finding, LoggedOut, Logout, LogoutFallback, LogoutNotice, OauthClient, Result, Secret,
    SessionId, TokenIdentity, TokenUser, UserId,
};

use super::{
    AssertionAudience, Claims, ClientAuthentication, ClientCredentials, EndSessionParameters, OpenIdProvider, Rules,
    TokenKind, end_session_url,
};
use crate::AssertionSigner;

/// The default claim of the customer id.
const CUSTOMER_CLAIM: &str = "customer_id";
/// The maximum age of an expired access token that can still end its login.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The choices that OpenID Connect leaves to the provider.
#[derive(Debug)]
pub struct StandardChoices {
    /// The client for introspection. Without one, userinfo validates tokens.
    pub introspection_client: Option<IntrospectionClient>,
    /// The authentication method of clients with a secret.
    pub authentication: ClientAuthentication<'static>,
    /// The scopes that applications must request.
    pub scopes: Vec<String>,
    /// The claim that identifies the login in tokens.
    pub session_claim: Option<String>,
}

/// The bridge's client for introspection.
#[derive(Debug)]
pub struct IntrospectionClient {
    /// The client.
    pub client: OauthClient,
    /// The signer of its assertions, if it has a private key.
    pub signer: Option<AssertionSigner>,
    /// The audience of its assertions.
    pub audience: AssertionAudience,
}

impl IntrospectionClient {
    /// Returns the credentials, with this authentication method for a secret.
    fn credentials<'a>(&'a self, secret: ClientAuthentication<'a>) -> ClientCredentials<'a> {
        let key = self.signer.as_ref().map(|signer| ClientAuthentication::PrivateKey(signer, self.audience));
        ClientCredentials { client: &self.client, authentication: key.unwrap_or(secret) }
    }
}

/// Federation with one OpenID Provider, by the standards alone.
pub struct StandardFederation {
    openid: OpenIdProvider,
    settings: FederationSettings,
    introspection_client: Option<IntrospectionClient>,
    authentication: ClientAuthentication<'static>,
    customer_claim: String,
    scopes: Vec<String>,
    session_claim: Option<String>,
    clock: Arc<dyn Clock>,
}

impl StandardFederation {
    /// Creates the federation of a tenant's clients.
    pub fn new(
        openid: OpenIdProvider,
        choices: StandardChoices,
        settings: FederationSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            openid,
            introspection_client: choices.introspection_client,
            authentication: choices.authentication,
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| CUSTOMER_CLAIM.into()),
            scopes: choices.scopes,
            session_claim: choices.session_claim,
            settings,
            clock,
        }
    }

    /// Checks the discovery document and the keys of the issuer.
    pub async fn check_issuer(openid: &OpenIdProvider, scope: &CallScope) -> Vec<Finding> {
        diagnose::check_issuer(openid, scope).await
    }

    /// Checks the issuer, and that the bridge's client may introspect tokens, if there is one.
    pub async fn check_access(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = diagnose::check_issuer(&self.openid, scope).await;
        findings.extend(diagnose::check_introspection(self, scope).await);
        findings
    }

    /// Checks that an access token is inactive, after its login has ended.
    pub async fn check_ended(&self, scope: &CallScope, token: &AccessToken) -> Result<()> {
        match self.active_claims(scope, token).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::upstream(
                ErrorKind::Unavailable,
                "the access token is active after its login has ended",
            )
            .with_hint(
                "configure the identity provider to end access tokens on revocation, or with their refresh token",
            )),
        }
    }

    /// Introspects a token as the bridge's client.
    async fn introspect(&self, scope: &CallScope, token: &AccessToken, client: &IntrospectionClient) -> Result<Claims> {
        self.openid.introspect(scope, token, client.credentials(self.authentication)).await
    }

    /// Returns the credentials of a client, with the configured authentication method.
    fn credentials<'a>(&self, client: &'a OauthClient) -> ClientCredentials<'a> {
        ClientCredentials { client, authentication: self.authentication }
    }

    /// Verifies a signed token. Sends no request if the keys are cached.
    async fn verify(&self, scope: &CallScope, token: &AccessToken, rules: &Rules) -> Result<(Claims, TokenIdentity)> {
        let claims = self.openid.verify(scope, token.expose(), rules).await?;
        let identity = self.identity(&claims)?;
        claims.check_not_id_token(identity.client.as_deref().unwrap_or_default())?;
        Ok((claims, identity))
    }

    /// Introspects an opaque token.
    async fn introspect_opaque(&self, scope: &CallScope, token: &AccessToken) -> Result<(Claims, TokenIdentity)> {
        let client = self.introspection_client.as_ref().ok_or_else(|| {
            Error::invalid_token("the token is opaque, and its client is unknown without introspection")
        })?;
        let claims = self.introspect(scope, token, client).await?;
        // Introspection also accepts refresh tokens. Only the type distinguishes them (RFC 7662, section 2.2).
        if !claims.text("token_type").is_some_and(is_bearer) {
            return Err(Error::invalid_token("introspection does not report the token as a bearer token"));
        }
        if claims.has("iss") && claims.text("iss") != Some(self.openid.issuer()) {
            return Err(Error::invalid_token("the token belongs to another issuer"));
        }
        let identity = self.identity(&claims)?;
        if identity.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(Error::invalid_token("the token has expired"));
        }
        Ok((claims, identity))
    }

    /// Returns the claims of an active token from introspection or userinfo. `InvalidToken` if the token is not active.
    async fn active_claims(&self, scope: &CallScope, token: &AccessToken) -> Result<Claims> {
        match &self.introspection_client {
            Some(client) => self.introspect(scope, token, client).await,
            None => self.openid.userinfo(scope, token).await,
        }
    }

    fn identity(&self, claims: &Claims) -> Result<TokenIdentity> {
        let client = claims.check_client(|id| self.settings.client(id).is_some())?;
        claims.check_unbound()?;
        let subject = claims.text("sub").and_then(|text| UserId::new(text).ok());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token has no usable `sub`"))?;
        // RFC 9068, section 2.2: without a user, the subject is the client itself.
        if subject.as_str() == client {
            return Err(Error::invalid_token("the token belongs to a client and not to a user"));
        }
        let session = self.session_claim.as_deref().and_then(|name| claims.text(name)).map(SessionId::new);
        let session =
            session.transpose().map_err(|_| Error::invalid_token("the token's session claim is not a usable id"))?;
        Ok(TokenIdentity {
            client: Some(client.to_owned()),
            issued_at: claims.timestamp("iat"),
            expires_at: claims.timestamp("exp"),
            subject,
            session,
        })
    }

    /// Returns the user of an active token. Each claim comes from the first source that has it.
    fn user(&self, identity: TokenIdentity, sources: &[Claims]) -> TokenUser {
        let with = |name: &str| sources.iter().find(|claims| claims.has(name));
        let email = with("email").and_then(|claims| Email::new(claims.text("email")?).ok());
        TokenUser {
            email_verified: with("email_verified").and_then(|claims| claims.bool_or_string("email_verified")),
            customer: with(&self.customer_claim)
                .map_or(Customer::Absent, |claims| claims.customer(&self.customer_claim)),
            email,
            identity,
            record: None,
        }
    }

    /// Revokes a refresh token. Tries the client of the access token first, then the tenant's other clients.
    ///
    /// A successful response does not prove the revocation: for an unknown token or that of another client, some providers return
    /// the response of a revoked one (RFC 7009, section 2.2).
    async fn revoke_refresh_token(&self, scope: &CallScope, token: &Secret, client: Option<&str>) -> Result<()> {
        let own_client = client.and_then(|id| self.settings.client(id));
        let others = self.settings.clients.iter().filter(|other| client != Some(&other.id));
        let mut may_be_revoked = false;
        for client in own_client.into_iter().chain(others) {
            match self.openid.revoke(scope, token, TokenKind::Refresh, self.credentials(client)).await {
                Ok(_) => match self.is_revoked(scope, token).await? {
                    Some(true) => return Ok(()),
                    Some(false) => {}
                    None if own_client.is_some() => return Ok(()),
                    None => may_be_revoked = true,
                },
                Err(error) if error.kind() == ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        if may_be_revoked {
            return Ok(());
        }
        Err(Error::upstream(ErrorKind::InvalidInput, "the refresh token does not belong to a client of the tenant"))
    }

    /// Returns whether introspection reports a refresh token as inactive. `None` without introspection.
    async fn is_revoked(&self, scope: &CallScope, refresh_token: &Secret) -> Result<Option<bool>> {
        let Some(client) = &self.introspection_client else { return Ok(None) };
        // A text that is not a token cannot be active.
        let Ok(token) = AccessToken::new(refresh_token.expose()) else { return Ok(Some(true)) };
        match self.introspect(scope, &token, client).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(Some(true)),
            Err(error) => Err(error),
            Ok(_) => Ok(Some(false)),
        }
    }

    /// Ends a login without its refresh token.
    ///
    /// No standard identifies the other tokens of the login, so the bridge must reject all tokens issued to the user until now.
    async fn end_user(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        if self.settings.fallback == LogoutFallback::Refuse {
            return Err(Error::unsupported("without the refresh token all logins of the user would end")
                .with_hint("send the refresh token of the same login, or set `logout.fallback = \"user\"`"));
        }
        let identity = logout
            .identity
            .ok_or_else(|| Error::invalid_token("the token is not active, and the request has no refresh token"))?;
        let ended_at = self.revoke_access_token(scope, logout.token, identity).await?;
        // The issuer's clock may be ahead of ours.
        let ended_at = identity.issued_at.map_or(ended_at, |issued_at| issued_at.max(ended_at));
        Ok(LoggedOut::User { ended_at })
    }

    /// Revokes an access token, checks that it is inactive, and returns the time of the revocation by the issuer's clock, if the
    /// response has it.
    async fn revoke_access_token(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        identity: &TokenIdentity,
    ) -> Result<Timestamp> {
        let mut ended_at = self.clock.now();
        if identity.expires_at.is_some_and(|end| end <= ended_at) {
            return Ok(ended_at);
        }
        let secret = Secret::new(token.expose());
        if let Some(client) = identity.client.as_deref().and_then(|id| self.settings.client(id)) {
            let ended = self.openid.revoke(scope, &secret, TokenKind::Access, self.credentials(client)).await;
            match ended {
                Ok(at) => ended_at = at.unwrap_or(ended_at),
                // Some providers cannot revoke signed tokens, or revoked them with their refresh token. The check below
                // decides.
                Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {}
                Err(error) => return Err(error),
            }
        }
        self.check_ended(scope, token).await.map(|()| ended_at)
    }
}

#[async_trait]
impl Federation for StandardFederation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        let (_, identity) = if token.is_jwt() {
            self.verify(scope, token, &Rules::access_token().with_expiry_tolerance(DAY)).await?
        } else {
            self.introspect_opaque(scope, token).await?
        };
        Ok(identity)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let (mut sources, identity) = if token.is_jwt() {
            let (claims, identity) = self.verify(scope, token, &Rules::access_token()).await?;
            let response = self.active_claims(scope, token).await?;
            check_same_token(&response, &claims)?;
            if self.introspection_client.is_some() {
                check_access_token(&response, &claims)?;
            }
            (vec![response, claims], identity)
        } else {
            let (claims, identity) = self.introspect_opaque(scope, token).await?;
            (vec![claims], identity)
        };
        // Introspection may lack claims that userinfo has.
        if self.introspection_client.is_some() && !sources.iter().any(|claims| claims.has(&self.customer_claim)) {
            let response = self.openid.userinfo(scope, token).await?;
            if response.text("sub") != Some(identity.subject.as_str()) {
                return Err(another_token());
            }
            sources.push(response);
        }
        Ok(self.user(identity, &sources))
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let Some(token) = logout.refresh_token else { return self.end_user(scope, logout).await };
        let client = logout.identity.and_then(|identity| identity.client.as_deref());
        self.revoke_refresh_token(scope, token, client).await?;
        if let Some(identity) = logout.identity {
            self.revoke_access_token(scope, logout.token, identity).await?;
        }
        Ok(LoggedOut::RefreshToken)
    }

    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String> {
        let discovery = self.openid.discovery(scope).await?;
        let endpoint = discovery
            .end_session_endpoint
            .as_ref()
            .ok_or_else(|| Error::unsupported("the identity provider has no `end_session_endpoint`"))?;
        Ok(end_session_url(endpoint, end, EndSessionParameters::OPENID))
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        let token = self.openid.check_logout_token(scope, token, &self.settings).await?;
        // Without the claim, tokens cannot be assigned to a session.
        if self.session_claim.is_some() { Ok(token.into_notice()) } else { token.into_user_notice() }
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        Ok(self.openid.discovery(scope).await?.metadata(Some(&self.customer_claim), &self.scopes))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        diagnose::check_federation(self, scope).await
    }
}

fn is_bearer(token_type: &str) -> bool {
    token_type.eq_ignore_ascii_case("bearer")
}

/// Checks that a response is about the token with these verified claims.
fn check_same_token(response: &Claims, verified: &Claims) -> Result<()> {
    let agrees = |name| !response.has(name) || !verified.has(name) || response.get(name) == verified.get(name);
    if !response.has("sub") || !["sub", "client_id", "azp", "iss", "jti", "exp"].into_iter().all(agrees) {
        return Err(another_token());
    }
    if response.text("token_type").is_some_and(|token_type| !is_bearer(token_type)) {
        return Err(Error::invalid_token("the token is not a bearer token"));
    }
    response.check_unbound()
}

/// Checks that the type of the token or its introspection identifies it as an access token.
///
/// Introspection also reports refresh tokens as active, and a signed one may look like an access token (RFC 7662, section 2.2).
fn check_access_token(introspected: &Claims, verified: &Claims) -> Result<()> {
    if verified.has_type("at+jwt") || introspected.text("token_type").is_some_and(is_bearer) {
        return Ok(());
    }
    Err(Error::invalid_token("neither the token nor its introspection identifies it as an access token")
        .with_hint("configure introspection to return `token_type`, or issue access tokens of the type `at+jwt`"))
}

fn another_token() -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "the identity provider's response is about another token")
}
