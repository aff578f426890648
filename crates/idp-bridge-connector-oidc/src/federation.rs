//! Whose a token is, whether it lives, and how its login ends, by what the standards say.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    AccessToken, CallScope, Clock, Customer, Email, EndSession, Error, ErrorKind, Federation, FederationMetadata,
    FederationSettings, Finding, LoggedOut, Logout, LogoutFallback, LogoutNotice, OauthClient, Result, Secret,
    SessionId, TokenIdentity, TokenUser, UserId,
};
use idp_bridge_http::oidc::{
    Claims, ClientAuthentication, ClientCredentials, EndSessionParameters, OpenIdProvider, Rules, TokenKind,
    end_session_url,
};

use crate::config::OidcConfig;
use crate::diagnose;

/// The claim that names the customer, if the settings name no other.
const CUSTOMER_CLAIM: &str = "customer_id";
/// How long ago a token may have expired whose login is to be ended.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The OAuth side of one OpenID Provider.
pub(crate) struct OidcFederation {
    pub(crate) openid: OpenIdProvider,
    pub(crate) settings: FederationSettings,
    /// The client that asks introspection; userinfo is asked without one.
    pub(crate) bridge: Option<OauthClient>,
    authentication: ClientAuthentication,
    pub(crate) customer_claim: String,
    pub(crate) scopes: Vec<String>,
    session_claim: Option<String>,
    clock: Arc<dyn Clock>,
}

impl OidcFederation {
    pub(crate) fn new(
        openid: OpenIdProvider,
        config: &OidcConfig,
        settings: FederationSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Ok(Self {
            openid,
            bridge: config.client()?,
            authentication: config.authentication(),
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| CUSTOMER_CLAIM.into()),
            scopes: config.scopes.clone(),
            session_claim: config.session_claim.clone(),
            settings,
            clock,
        })
    }

    /// Returns the credentials of a client, sent in the configured way.
    pub(crate) fn credentials<'a>(&self, client: &'a OauthClient) -> ClientCredentials<'a> {
        ClientCredentials { client, authentication: self.authentication }
    }

    /// What a signed token proves by itself: nobody is asked, once the keys are known.
    async fn proven(&self, scope: &CallScope, token: &AccessToken, rules: &Rules) -> Result<(Claims, TokenIdentity)> {
        let claims = self.openid.verify(scope, token.expose(), rules).await?;
        let identity = self.identity(&claims)?;
        claims.check_not_id_token(identity.client.as_deref().unwrap_or_default())?;
        Ok((claims, identity))
    }

    /// What introspection says of an opaque token, which proves nothing by itself.
    async fn introspected(&self, scope: &CallScope, token: &AccessToken) -> Result<(Claims, TokenIdentity)> {
        let bridge = self.bridge.as_ref().ok_or_else(|| {
            Error::invalid_token("the token is opaque, and only introspection could tell which client's it is")
        })?;
        let claims = self.openid.introspect(scope, token, self.credentials(bridge)).await?;
        // Introspection takes refresh tokens as well, and only this tells them apart (RFC 7662, section 2.2).
        if !claims.text("token_type").is_some_and(is_bearer) {
            return Err(Error::invalid_token("introspection does not say that the token is a bearer token"));
        }
        if claims.has("iss") && claims.text("iss") != Some(self.openid.issuer()) {
            return Err(Error::invalid_token("the token is another issuer's"));
        }
        let identity = self.identity(&claims)?;
        if identity.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(Error::invalid_token("the token has expired"));
        }
        Ok((claims, identity))
    }

    /// What the identity provider says of a token that is proven to be its own: `InvalidToken` if it does not live.
    async fn ask(&self, scope: &CallScope, token: &AccessToken) -> Result<Claims> {
        match &self.bridge {
            Some(bridge) => self.openid.introspect(scope, token, self.credentials(bridge)).await,
            None => self.openid.userinfo(scope, token).await,
        }
    }

    fn identity(&self, claims: &Claims) -> Result<TokenIdentity> {
        let client = claims.check_client(|id| self.settings.client(id).is_some())?;
        claims.check_unbound()?;
        let subject = claims.text("sub").and_then(|text| UserId::new(text).ok());
        let subject = subject.ok_or_else(|| Error::invalid_token("the token names no user"))?;
        // RFC 9068, section 2.2: without a user, the subject is the client itself.
        if subject.as_str() == client {
            return Err(Error::invalid_token("the token is a client's own, without a user"));
        }
        let session = self.session_claim.as_deref().and_then(|name| claims.text(name)).map(SessionId::new);
        let session = session.transpose().map_err(|_| Error::invalid_token("the token's session is no usable id"))?;
        Ok(TokenIdentity {
            client: Some(client.to_owned()),
            issued_at: claims.timestamp("iat"),
            expires_at: claims.timestamp("exp"),
            subject,
            session,
        })
    }

    /// The user of a living token. The first of the sources that has a claim says it.
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

    /// Ends a refresh token, as the client that got it: the access token's, if that is known, else whichever it is.
    ///
    /// That a client is told nothing against it does not mean that it is over: of a token that is unknown to a client, or
    /// another's, some providers answer no more than of one that they ended (RFC 7009, section 2.2).
    async fn end_refresh_token(&self, scope: &CallScope, token: &Secret, client: Option<&str>) -> Result<()> {
        let known = client.and_then(|id| self.settings.client(id));
        let others = self.settings.clients.iter().filter(|own| client != Some(&own.id));
        let mut may_be_over = false;
        for client in known.into_iter().chain(others) {
            match self.openid.revoke(scope, token, TokenKind::Refresh, self.credentials(client)).await {
                Ok(_) => match self.is_over(scope, token).await? {
                    Some(true) => return Ok(()),
                    Some(false) => {}
                    None if known.is_some() => return Ok(()),
                    None => may_be_over = true,
                },
                Err(error) if error.kind() == ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        if may_be_over {
            return Ok(());
        }
        Err(Error::upstream(ErrorKind::InvalidInput, "the refresh token belongs to none of the tenant's clients"))
    }

    /// Whether a refresh token is over; none if there is nobody to ask.
    async fn is_over(&self, scope: &CallScope, refresh_token: &Secret) -> Result<Option<bool>> {
        let Some(bridge) = &self.bridge else { return Ok(None) };
        // What is no token at all has nothing that could live.
        let Ok(token) = AccessToken::new(refresh_token.expose()) else { return Ok(Some(true)) };
        match self.openid.introspect(scope, &token, self.credentials(bridge)).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(Some(true)),
            Err(error) => Err(error),
            Ok(_) => Ok(Some(false)),
        }
    }

    /// Ends a login of which only the access token is known.
    ///
    /// No standard names the rest of that login, so the bridge has to refuse every token that the user got until now.
    async fn end_user(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        if self.settings.fallback == LogoutFallback::Refuse {
            return Err(Error::unsupported(
                "without its refresh token a login can be ended only together with all others of the user",
            )
            .with_hint("send the refresh token of the same login, or set `logout.fallback = \"user\"`"));
        }
        let identity = logout
            .identity
            .ok_or_else(|| Error::invalid_token("the token has ended, and no refresh token is shown"))?;
        let ended_at = self.end_access_token(scope, logout.token, identity).await?;
        // The issuer's clock may be ahead of ours.
        let ended_at = identity.issued_at.map_or(ended_at, |issued_at| issued_at.max(ended_at));
        Ok(LoggedOut::User { ended_at })
    }

    /// Ends an access token, checks that it does not live on, and returns when it ended, by the issuer's clock where an
    /// answer says it.
    async fn end_access_token(
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
                // Not every provider can end signed ones, and they may have ended with their refresh token: the check below
                // decides.
                Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {}
                Err(error) => return Err(error),
            }
        }
        match self.ask(scope, token).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => Ok(ended_at),
            Err(error) => Err(error),
            Ok(_) => Err(Error::upstream(ErrorKind::Unavailable, "the access token lives on after its revocation")
                .with_hint("the identity provider must end access tokens that are revoked, or whose refresh token is")),
        }
    }
}

#[async_trait]
impl Federation for OidcFederation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        let told = if token.is_jwt() {
            self.proven(scope, token, &Rules::access_token().with_expiry_tolerance(DAY)).await?
        } else {
            self.introspected(scope, token).await?
        };
        Ok(told.1)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let (mut sources, identity) = if token.is_jwt() {
            let (claims, identity) = self.proven(scope, token, &Rules::access_token()).await?;
            let answer = self.ask(scope, token).await?;
            is_about(&answer, &claims)?;
            if self.bridge.is_some() {
                check_is_access_token(&answer, &claims)?;
            }
            (vec![answer, claims], identity)
        } else {
            let (claims, identity) = self.introspected(scope, token).await?;
            (vec![claims], identity)
        };
        // Not every introspection has the claims that userinfo has.
        if self.bridge.is_some() && !sources.iter().any(|claims| claims.has(&self.customer_claim)) {
            let answer = self.openid.userinfo(scope, token).await?;
            if answer.text("sub") != Some(identity.subject.as_str()) {
                return Err(another_token());
            }
            sources.push(answer);
        }
        Ok(self.user(identity, &sources))
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let Some(token) = logout.refresh_token else { return self.end_user(scope, logout).await };
        let client = logout.identity.and_then(|identity| identity.client.as_deref());
        self.end_refresh_token(scope, token, client).await?;
        if let Some(identity) = logout.identity {
            self.end_access_token(scope, logout.token, identity).await?;
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
        // A session ends only what is known to belong to it.
        if self.session_claim.is_some() { Ok(token.into_notice()) } else { token.into_user_notice() }
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        Ok(self.openid.discovery(scope).await?.metadata(Some(&self.customer_claim), &self.scopes))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        diagnose::federation(self, scope).await
    }
}

fn is_bearer(token_type: &str) -> bool {
    token_type.eq_ignore_ascii_case("bearer")
}

/// Fails unless the answer is about the token that was shown, whose claims are proven.
fn is_about(answer: &Claims, proven: &Claims) -> Result<()> {
    let agrees = |name| !answer.has(name) || !proven.has(name) || answer.get(name) == proven.get(name);
    if !answer.has("sub") || !["sub", "client_id", "azp", "iss", "jti", "exp"].into_iter().all(agrees) {
        return Err(another_token());
    }
    if answer.text("token_type").is_some_and(|token_type| !is_bearer(token_type)) {
        return Err(Error::invalid_token("the token is no bearer token"));
    }
    answer.check_unbound()
}

/// Fails unless the token itself or its introspection says that it is an access token.
///
/// Introspection calls a living refresh token active too, and signed ones may look like access tokens (RFC 7662, section 2.2).
fn check_is_access_token(introspected: &Claims, proven: &Claims) -> Result<()> {
    if proven.has_type("at+jwt") || introspected.text("token_type").is_some_and(is_bearer) {
        return Ok(());
    }
    Err(Error::invalid_token("neither the token nor its introspection says that it is an access token")
        .with_hint("let introspection answer `token_type`, or access tokens have the type `at+jwt`"))
}

fn another_token() -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "the identity provider's answer is not about the token that was shown")
}
