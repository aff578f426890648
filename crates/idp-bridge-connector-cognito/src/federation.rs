//! Federation with one user pool: verifies access tokens, checks at the pool's domain that they are active, and ends logins.
//!
//! A token of Cognito contains its user and its login. Only userInfo shows whether the login has ended, and only for tokens
//! with the scope `openid` from the domain's token endpoint.

mod diagnose;
mod domain;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::jiff::{SignedDuration, Timestamp};
use idp_bridge_core::{
    AccessToken, CallScope, Clock, ConnectorContext, Email, EndSession, Error, ErrorKind, Federation,
    FederationCapabilities, FederationMetadata, FederationSettings, Finding, Liveness, LoggedOut, Logout,
    LogoutFallback, LogoutReach, OauthClient, Result, Secret, Support, TokenIdentity, TokenUser, if_found,
};
use idp_bridge_http::oidc::{Algorithm, OpenIdProvider, OpenIdSettings, Rules, SecretCheck};
use idp_bridge_http::{BaseUrl, Client, Url};

use crate::client::UserPool;
use crate::config::CognitoConfig;
use diagnose::Diagnosis;
use domain::Domain;
use token::PoolToken;

/// The maximum time since a token's expiry at a logout.
const MAX_EXPIRED: Duration = Duration::from_secs(24 * 60 * 60);

/// The minimum time to a token's expiry for its refusal to prove that the login has ended.
const MIN_LIFETIME: SignedDuration = SignedDuration::from_secs(30);

/// The scopes that applications request. With `email` custom attributes need `profile` too.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// A user pool as an OpenID Provider.
pub(crate) struct PoolFederation {
    pool: Arc<UserPool>,
    issuer: OpenIdProvider,
    jwks_uri: String,
    domain: Domain,
    settings: FederationSettings,
    customer_claim: String,
    customer_attribute: String,
    clock: Arc<dyn Clock>,
}

/// Returns the features that Cognito supports.
pub(crate) fn capabilities() -> FederationCapabilities {
    FederationCapabilities {
        liveness: Liveness::IdentityProvider,
        logout: LogoutReach::RefreshTokenOrUser,
        back_channel: Support::unsupported("Cognito sends no logout tokens"),
        opaque_tokens: false,
        cache_seconds: 0,
    }
}

impl PoolFederation {
    /// Creates the federation of a tenant, or `None` if it is off.
    pub(crate) fn new(
        config: &CognitoConfig,
        context: &ConnectorContext,
        pool: Arc<UserPool>,
        http: Client,
    ) -> Result<Option<Self>> {
        let Some(settings) = context.federation.clone() else { return Ok(None) };
        let domain = config.domain.as_deref().ok_or_else(|| {
            Error::misconfigured("federation needs the pool's `domain`").with_hint(
                "User pools → the pool → Domain: it looks like `https://acme.auth.eu-west-1.amazoncognito.com`",
            )
        })?;
        let url = |setting, text| BaseUrl::parse_setting(setting, text, &context.outbound);
        let domain = url("domain", domain)?;
        let endpoint = config.region_endpoint();
        let documents = url("issuer_endpoint", config.issuer_endpoint.as_deref().unwrap_or(&endpoint))?;
        let document = |name| documents.join(&[&config.user_pool_id, ".well-known", name]).map(Url::from);
        let issuer = format!("{endpoint}/{}", config.user_pool_id);
        let jwks = document("jwks.json")?;
        let open_id = OpenIdSettings {
            discovery: Some(document("openid-configuration")?),
            jwks: Some(jwks.clone()),
            hosts: domain.as_url().host_str().map(str::to_owned).into_iter().collect(),
            ..OpenIdSettings::new(issuer, &context.outbound)
        };
        Ok(Some(Self {
            pool,
            issuer: OpenIdProvider::new(http, open_id, Arc::clone(&context.clock))?,
            jwks_uri: jwks.into(),
            domain: Domain::new(&domain)?,
            // Cognito names a claim like its attribute.
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| config.customer_attribute.clone()),
            customer_attribute: config.customer_attribute.clone(),
            settings,
            clock: Arc::clone(&context.clock),
        }))
    }

    /// Verifies a token that expired at most `expired_by` ago. Requests only keys.
    async fn verify(&self, scope: &CallScope, token: &AccessToken, expired_by: Duration) -> Result<PoolToken> {
        let rules =
            Rules { algorithms: vec![Algorithm::Rs256], ..Rules::access_token() }.with_expiry_tolerance(expired_by);
        let claims = self.issuer.verify(scope, token.expose(), &rules).await?;
        PoolToken::from_claims(&claims, |id| self.settings.client(id).is_some())
    }

    /// Revokes a refresh token of this client. Returns false if the client's tokens cannot be revoked.
    async fn revoke(&self, scope: &CallScope, client: &OauthClient, refresh: &Secret) -> Result<bool> {
        let refused = match self.pool.revoke(scope, client, refresh).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        match refused.kind() {
            ErrorKind::Unsupported => Ok(false),
            // Cognito returns one code for a wrong secret and for another client's token. The domain distinguishes them.
            ErrorKind::Unauthenticated
                if self.domain.check_secret(scope, &self.issuer, client).await? != SecretCheck::Wrong =>
            {
                let message = "the refresh token was not issued to the access token's client";
                Err(Error::upstream(ErrorKind::InvalidInput, message).with_source(refused))
            }
            _ => Err(refused),
        }
    }

    /// Ends all of the user's logins. Returns the time by Cognito's clock.
    async fn end_all_logins(&self, scope: &CallScope, token: &PoolToken) -> Result<Timestamp> {
        if self.settings.fallback == LogoutFallback::Refuse {
            return Err(Error::unsupported("cognito can end this login only together with the user's other logins")
                .with_hint("send the refresh token of this login, or set `logout.fallback = \"user\"`"));
        }
        // Names and ids share one space, so the name may address another user.
        let named = if_found(self.pool.user(scope, &token.username).await)?;
        if named.is_some_and(|user| user.id != token.identity.subject) {
            return Err(Error::another_user());
        }
        self.pool.sign_out_everywhere(scope, &token.username).await
    }

    /// Returns whether userInfo accepts the token, or `None` if a refusal would not prove that the login has ended.
    async fn is_active(&self, scope: &CallScope, token: &AccessToken, parsed: &PoolToken) -> Result<Option<bool>> {
        let left = parsed.expires_at.duration_since(self.clock.now());
        if left <= MIN_LIFETIME || !parsed.is_for_user_info() {
            return Ok(None);
        }
        match self.domain.user_info(scope, &self.issuer, token).await {
            Ok(_) => Ok(Some(true)),
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Federation for PoolFederation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        Ok(self.verify(scope, token, MAX_EXPIRED).await?.identity)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let parsed = self.verify(scope, token, Duration::ZERO).await?;
        if !parsed.is_for_user_info() {
            return Err(Error::invalid_token("the token lacks the scope `openid`, which cognito's userInfo requires"));
        }
        let claims = self.domain.user_info(scope, &self.issuer, token).await?;
        if claims.text("sub") != Some(parsed.identity.subject.as_str()) {
            return Err(Error::another_user());
        }
        Ok(TokenUser {
            identity: parsed.identity,
            email: claims.text("email").and_then(|email| Email::new(email).ok()),
            email_verified: claims.bool_or_string("email_verified"),
            customer: claims.customer(&self.customer_claim),
            record: None,
        })
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let parsed = self.verify(scope, logout.token, MAX_EXPIRED).await?;
        if let Some(refresh) = logout.refresh_token
            && self.revoke(scope, parsed.client(&self.settings)?, refresh).await?
            // The refresh token may belong to another login.
            && self.is_active(scope, logout.token, &parsed).await? == Some(false)
        {
            return Ok(LoggedOut::RefreshToken);
        }
        let ended_at = self.end_all_logins(scope, &parsed).await?;
        if self.is_active(scope, logout.token, &parsed).await? == Some(true) {
            return Err(Error::upstream(
                ErrorKind::Unavailable,
                "cognito still accepts the token after the end of its login",
            ));
        }
        Ok(LoggedOut::User { ended_at })
    }

    async fn end_session_url(&self, _: &CallScope, end: &EndSession<'_>) -> Result<String> {
        Ok(self.domain.end_session_url(end))
    }

    /// Returns the endpoints without discovery: AWS documents them.
    async fn metadata(&self, _: &CallScope) -> Result<FederationMetadata> {
        Ok(FederationMetadata {
            issuer: self.issuer.issuer().to_owned(),
            authorization_endpoint: self.domain.authorize.to_string(),
            token_endpoint: self.domain.token.to_string(),
            jwks_uri: self.jwks_uri.clone(),
            customer_claim: Some(self.customer_claim.clone()),
            scopes: SCOPES.map(str::to_owned).to_vec(),
        })
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::new(self).run(scope).await
    }
}
