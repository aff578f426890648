//! Validates the tokens of a realm and ends their sessions.

mod diagnose;
mod endpoints;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{
    AccessToken, CallScope, ConnectorContext, EndSession, Error, ErrorKind, Federation, FederationCapabilities,
    FederationMetadata, FederationSettings, Finding, Liveness, LoggedOut, Logout, LogoutNotice, LogoutReach, Result,
    Secret, SessionId, Support, TokenIdentity, TokenUser, if_found,
};
use idp_bridge_http::Request;
use idp_bridge_http::oidc::{EndSessionParameters, OpenIdProvider, OpenIdSettings, Rules, end_session_url};

use self::endpoints::{Endpoints, Userinfo};
use self::token::VerifiedToken;
use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::error::Step;

/// The time after its expiry in which a token still identifies the login to end.
const EXPIRED_BY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the capabilities of federation.
pub(crate) fn capabilities() -> FederationCapabilities {
    FederationCapabilities {
        liveness: Liveness::IdentityProvider,
        logout: LogoutReach::Session,
        back_channel: Support::Supported,
        opaque_tokens: false,
        cache_seconds: 0,
    }
}

/// The two kinds of sessions that Keycloak stores apart, possibly with one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionKind {
    /// Ends with the browser's login.
    Online,
    /// Outlives it (`offline_access`).
    Offline,
}

/// The OAuth side of one realm.
pub(crate) struct RealmFederation {
    admin: AdminApi,
    endpoints: Endpoints,
    openid: OpenIdProvider,
    settings: FederationSettings,
    customer_claim: String,
}

impl RealmFederation {
    pub(crate) fn new(
        admin: AdminApi,
        config: &KeycloakConfig,
        settings: &FederationSettings,
        context: &ConnectorContext,
    ) -> Result<Self> {
        let endpoints = Endpoints::new(&admin);
        let openid = OpenIdSettings {
            discovery: Some(endpoints.discovery()?),
            // The document may contain addresses for browsers, which the bridge may not reach.
            jwks: Some(endpoints.keys()?),
            ..OpenIdSettings::new(&admin.bridge().issuer, &context.outbound)
        };
        Ok(Self {
            openid: OpenIdProvider::new(admin.http().clone(), openid, Arc::clone(&context.clock))?,
            admin,
            endpoints,
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| config.customer_attribute.clone()),
            settings: settings.clone(),
        })
    }

    /// Verifies the token's signature and claims.
    async fn verify(&self, scope: &CallScope, token: &AccessToken, expired_by: Duration) -> Result<VerifiedToken> {
        let rules = Rules::access_token().with_expiry_tolerance(expired_by);
        VerifiedToken::from_claims(self.openid.verify(scope, token.expose(), &rules).await?, &self.settings)
    }

    /// Validates a verified token with Keycloak and returns its user.
    ///
    /// Introspection reports an active token as inactive unless the token names the requesting client as an audience.
    /// Only userinfo gives the reason of a refusal.
    async fn check_active(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        verified: &VerifiedToken,
    ) -> Result<TokenUser> {
        // The bridge's own client may introspect tokens with itself in the audience.
        let introspects = verified.has_audience(&self.admin.bridge().id) || !verified.is_accepted_by_userinfo();
        if introspects && let Some(claims) = self.endpoints.introspect(scope, token).await? {
            return verified.user(&claims, &self.customer_claim);
        }
        match self.endpoints.userinfo(scope, token).await? {
            Userinfo::User(claims) => verified.user(&claims, &self.customer_claim),
            // A mapper can add the subject to lightweight tokens, which then look like others.
            Userinfo::Lightweight if !introspects => match self.endpoints.introspect(scope, token).await? {
                Some(claims) => verified.user(&claims, &self.customer_claim),
                None => Err(self.introspection_hidden()),
            },
            Userinfo::Lightweight => Err(self.introspection_hidden()),
            Userinfo::WithoutOpenid => Err(Error::invalid_token("the token lacks the scope `openid`")
                .with_hint("the application must request the scope `openid`")),
            Userinfo::SessionEnded => Err(Error::invalid_token("the token's session has ended")),
            Userinfo::Refused => Err(Error::invalid_token("keycloak refuses the token")),
        }
    }

    /// Creates the error for an active token that neither endpoint describes to the bridge.
    fn introspection_hidden(&self) -> Error {
        let message = "keycloak does not let the bridge introspect this client's lightweight access tokens";
        Error::upstream(ErrorKind::Misconfigured, message).with_hint(format!(
            "Clients → the application → Client scopes → its dedicated scope → Add mapper → By configuration → Audience: \
             `Included Client Audience` is `{}`, `Add to token introspection` is on",
            self.admin.bridge().id
        ))
    }

    /// Ends the session of a refresh token, authenticated as the client that it was issued to.
    async fn end_refresh_token(&self, scope: &CallScope, identity: &TokenIdentity, refresh: &Secret) -> Result<()> {
        // Keycloak verifies the token. This only selects the client.
        let named = token::client_of_refresh_token(refresh);
        let client = named.as_deref().or(identity.client.as_deref()).and_then(|id| self.settings.client(id));
        let client = client.ok_or_else(|| {
            Error::ours(ErrorKind::InvalidInput, "the refresh token was not issued to a client of the tenant")
                .with("field", "refresh_token")
        })?;
        self.endpoints.log_out(scope, client, refresh).await
    }

    /// Ends a session of all its clients. Succeeds if it has ended before. Keycloak first notifies the applications' back channels.
    async fn end(&self, scope: &CallScope, session: &SessionId, kind: SessionKind) -> Result<()> {
        let mut request = Request::delete(self.admin.url(&["sessions", session.as_str()])?);
        if kind == SessionKind::Offline {
            request = request.query(&[("isOffline", "true")]);
        }
        if_found(self.admin.write(scope, Step::EndSession, request).await).map(drop)
    }
}

#[async_trait]
impl Federation for RealmFederation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        let verified = self.verify(scope, token, EXPIRED_BY).await?;
        match verified.identity() {
            Some(identity) => Ok(identity),
            // A lightweight token contains no subject.
            None => Ok(self.check_active(scope, token, &verified).await?.identity),
        }
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let verified = self.verify(scope, token, Duration::ZERO).await?;
        self.check_active(scope, token, &verified).await
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let login = logout.identity.and_then(|identity| Some((identity, identity.session.as_ref()?)));
        let (identity, session) = login.ok_or_else(|| Error::invalid_token("the token contains no session"))?;
        if let Some(refresh) = logout.refresh_token {
            self.end_refresh_token(scope, identity, refresh).await?;
        }
        self.end(scope, session, SessionKind::Online).await?;
        if self.endpoints.userinfo(scope, logout.token).await?.is_session_ended() {
            return Ok(LoggedOut::Session);
        }
        // An offline session outlives the online one with its id. An expired or revoked token does not show whether there is one.
        self.end(scope, session, SessionKind::Offline).await?;
        if self.endpoints.userinfo(scope, logout.token).await?.is_active() {
            let message = "keycloak still accepts the token after its sessions have ended";
            return Err(Error::upstream(ErrorKind::Unavailable, message));
        }
        Ok(LoggedOut::Session)
    }

    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String> {
        let discovery = self.openid.discovery(scope).await?;
        let endpoint = discovery.end_session_endpoint.as_ref().ok_or_else(|| {
            Error::upstream(ErrorKind::InvalidResponse, "keycloak's discovery document has no `end_session_endpoint`")
        })?;
        Ok(end_session_url(endpoint, end, EndSessionParameters::OPENID))
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        Ok(self.openid.check_logout_token(scope, token, &self.settings).await?.into_notice())
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        Ok(self.openid.discovery(scope).await?.metadata(Some(&self.customer_claim), &["openid"]))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        diagnose::Diagnosis::new(self).run(scope).await
    }
}
