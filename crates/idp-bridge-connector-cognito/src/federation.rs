//! The OAuth side of one user pool: its access tokens prove whose they are, and its domain says whether they live.
//!
//! Whom a token of Cognito belongs to, and to which login, is in the token itself. That the login was ended is not: only userInfo
//! knows, and only for tokens with the scope `openid` that came by the domain's token endpoint.

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
use idp_bridge_http::{BaseUrl, Client};

use crate::client::UserPool;
use crate::config::CognitoConfig;
use diagnose::Diagnosis;
use domain::Domain;
use token::PoolToken;

/// How long ago a token may have expired whose login is to be ended.
const LATEST_LOGOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of its life a token must have left for its refusal to prove that the login has ended, and not the token by itself.
const PROVING: SignedDuration = SignedDuration::from_secs(30);

/// The scopes to ask for: `profile` is what lets custom attributes through beside `email`.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// One user pool as an OpenID Provider.
pub(crate) struct PoolFederation {
    pool: Arc<UserPool>,
    pool_id: String,
    issuer: OpenIdProvider,
    keys: String,
    domain: Domain,
    settings: FederationSettings,
    customer_claim: String,
    customer_attribute: String,
    clock: Arc<dyn Clock>,
}

/// What Cognito can promise.
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
    /// The OAuth side, if the tenant has it switched on.
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
        let url =
            |setting, text| BaseUrl::parse(text, &context.outbound).map_err(|error| error.with("setting", setting));
        let domain = url("domain", domain)?;
        let own = config.region_endpoint();
        let documents = url("issuer_endpoint", config.issuer_endpoint.as_deref().unwrap_or(&own))?;
        let document = |name| documents.join(&[&config.user_pool_id, ".well-known", name]);
        let issuer = format!("{own}/{}", config.user_pool_id);
        let keys = document("jwks.json")?;
        let open_id = OpenIdSettings {
            discovery: Some(document("openid-configuration")?),
            jwks: Some(keys.clone()),
            hosts: domain.as_url().host_str().map(str::to_owned).into_iter().collect(),
            ..OpenIdSettings::new(issuer, &context.outbound)
        };
        Ok(Some(Self {
            pool,
            pool_id: config.user_pool_id.clone(),
            issuer: OpenIdProvider::new(http, open_id, Arc::clone(&context.clock))?,
            keys: keys.into(),
            domain: Domain::new(&domain)?,
            // The name of an attribute is that of its claim.
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| config.customer_attribute.clone()),
            customer_attribute: config.customer_attribute.clone(),
            settings,
            clock: Arc::clone(&context.clock),
        }))
    }

    /// Reads a token that expired at most so long ago, and asks for nothing but keys.
    async fn read(&self, scope: &CallScope, token: &AccessToken, expired_by: Duration) -> Result<PoolToken> {
        let rules = Rules { algorithms: vec![Algorithm::Rs256], ..Rules::access_token() }.expired_by(expired_by);
        let claims = self.issuer.verify(scope, token.expose(), &rules).await?;
        PoolToken::read(&claims, |id| self.settings.client(id).is_some())
    }

    /// Ends what came of a refresh token of the same client; false if the client's tokens cannot be revoked.
    async fn revoke(&self, scope: &CallScope, client: &OauthClient, refresh: &Secret) -> Result<bool> {
        let refused = match self.pool.revoke(scope, client, refresh).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        match refused.kind() {
            ErrorKind::Unsupported => Ok(false),
            // Cognito has one word for a wrong secret and for another client's token: the domain tells them apart.
            ErrorKind::Unauthenticated
                if self.domain.check_secret(scope, &self.issuer, client).await? != SecretCheck::Wrong =>
            {
                let message = "the refresh token was not issued to the access token's client";
                Err(Error::upstream(ErrorKind::InvalidInput, message).with_source(refused))
            }
            _ => Err(refused),
        }
    }

    /// Ends all of the user's logins, and tells when, by Cognito's clock.
    async fn end_all(&self, scope: &CallScope, token: &PoolToken) -> Result<Timestamp> {
        if self.settings.fallback == LogoutFallback::Refuse {
            return Err(Error::unsupported("cognito can end this login only together with all others of the user")
                .with_hint("send the refresh token of the same login, or set `logout.fallback = \"user\"`"));
        }
        // Names and ids share one space: only the user's own name surely means the user.
        let named = if_found(self.pool.user(scope, &token.username).await)?;
        if named.is_some_and(|user| user.id != token.identity.subject) {
            return Err(Error::upstream(ErrorKind::InvalidResponse, "cognito answered another user than the token's"));
        }
        self.pool.end_all(scope, &token.username).await
    }

    /// Whether Cognito takes the token; nothing if its refusal would prove nothing.
    async fn lives(&self, scope: &CallScope, token: &AccessToken, read: &PoolToken) -> Result<Option<bool>> {
        let left = read.expires_at.duration_since(self.clock.now());
        if left <= PROVING || !read.is_for_user_info() {
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
        Ok(self.read(scope, token, LATEST_LOGOUT).await?.identity)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let read = self.read(scope, token, Duration::ZERO).await?;
        if !read.is_for_user_info() {
            return Err(Error::invalid_token(
                "the token lacks the scope `openid`, without which cognito tells nobody of its user",
            ));
        }
        let told = self.domain.user_info(scope, &self.issuer, token).await?;
        if told.text("sub") != Some(read.identity.subject.as_str()) {
            return Err(Error::upstream(ErrorKind::InvalidResponse, "cognito told of another user than the token's"));
        }
        Ok(TokenUser {
            identity: read.identity,
            email: told.text("email").and_then(|email| Email::new(email).ok()),
            email_verified: told.bool_or_string("email_verified"),
            customer: told.customer(&self.customer_claim),
            record: None,
        })
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let read = self.read(scope, logout.token, LATEST_LOGOUT).await?;
        if let Some(refresh) = logout.refresh_token
            && self.revoke(scope, read.client(&self.settings)?, refresh).await?
            // The refresh token may be that of another login.
            && self.lives(scope, logout.token, &read).await? == Some(false)
        {
            return Ok(LoggedOut::RefreshToken);
        }
        let ended_at = self.end_all(scope, &read).await?;
        if self.lives(scope, logout.token, &read).await? == Some(true) {
            return Err(Error::upstream(ErrorKind::Unavailable, "cognito still takes a token whose login was ended"));
        }
        Ok(LoggedOut::User { ended_at })
    }

    async fn end_session_url(&self, _: &CallScope, end: &EndSession<'_>) -> Result<String> {
        Ok(self.domain.end_session(end))
    }

    /// What AWS documents where these lie needs no discovery.
    async fn metadata(&self, _: &CallScope) -> Result<FederationMetadata> {
        Ok(FederationMetadata {
            issuer: self.issuer.issuer().to_owned(),
            authorization_endpoint: self.domain.authorize.to_string(),
            token_endpoint: self.domain.token.to_string(),
            jwks_uri: self.keys.clone(),
            customer_claim: Some(self.customer_claim.clone()),
            scopes: SCOPES.map(str::to_owned).to_vec(),
        })
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        Diagnosis::of(self).run(scope).await
    }
}
