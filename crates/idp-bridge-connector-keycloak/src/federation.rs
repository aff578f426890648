//! The OAuth side of a realm: whose a token is, whether Keycloak lets it live, and how its session ends.

mod diagnose;
mod endpoints;
mod error;
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

use self::endpoints::{Endpoints, Told};
use self::token::Proven;
use crate::client::AdminApi;
use crate::config::KeycloakConfig;
use crate::error::Step;

/// How long after its end a token still says which login to end.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What this side promises.
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

/// One realm of a Keycloak, as the one that logs a tenant's users in.
pub(crate) struct RealmFederation {
    admin: AdminApi,
    endpoints: Endpoints,
    openid: OpenIdProvider,
    settings: FederationSettings,
    /// The bridge's own client, which may ask of the tokens that are meant for it.
    bridge: String,
    customer_claim: String,
}

impl RealmFederation {
    pub(crate) fn new(
        admin: AdminApi,
        config: &KeycloakConfig,
        settings: &FederationSettings,
        context: &ConnectorContext,
    ) -> Result<Self> {
        let endpoints = Endpoints::new(&admin, config, &context.outbound)?;
        let issuer = config.issuer.clone().unwrap_or_else(|| endpoints.realm().to_string());
        let openid = OpenIdSettings {
            discovery: Some(endpoints.discovery()?),
            // Where the bridge reaches Keycloak: the document may name an address for browsers.
            jwks: Some(endpoints.keys()?),
            ..OpenIdSettings::new(issuer, &context.outbound)
        };
        Ok(Self {
            openid: OpenIdProvider::new(admin.http().clone(), openid, Arc::clone(&context.clock))?,
            admin,
            endpoints,
            bridge: config.client_id.clone(),
            customer_claim: settings.customer_claim.clone().unwrap_or_else(|| config.customer_attribute.clone()),
            settings: settings.clone(),
        })
    }

    async fn prove(&self, scope: &CallScope, token: &AccessToken, expired_by: Duration) -> Result<Proven> {
        let rules = Rules::access_token().expired_by(expired_by);
        Proven::of(self.openid.verify(scope, token.expose(), &rules).await?, &self.settings)
    }

    /// What Keycloak says of a token now.
    ///
    /// Keycloak calls a living token inactive unless it is meant for the client that asks, so that only userinfo says why a token
    /// is no good.
    async fn living(&self, scope: &CallScope, token: &AccessToken, proven: &Proven) -> Result<TokenUser> {
        let introspects = proven.is_for(&self.bridge) || !proven.may_ask_userinfo();
        if introspects && let Some(claims) = self.endpoints.introspect(scope, token).await? {
            return proven.user(&claims, &self.customer_claim);
        }
        match self.endpoints.userinfo(scope, token).await? {
            Told::User(claims) => proven.user(&claims, &self.customer_claim),
            // Lightweight tokens can be made to say whose they are, and then look like others.
            Told::Lightweight if !introspects => match self.endpoints.introspect(scope, token).await? {
                Some(claims) => proven.user(&claims, &self.customer_claim),
                None => Err(self.untold()),
            },
            Told::Lightweight => Err(self.untold()),
            Told::WithoutOpenid => {
                Err(Error::invalid_token("keycloak tells nothing of a token without the scope `openid`")
                    .with_hint("the application must ask for the scope `openid`"))
            }
            Told::SessionEnded => Err(Error::invalid_token("the token's session has ended")),
            Told::Refused => Err(Error::invalid_token("keycloak refuses the token")),
        }
    }

    /// A living token that Keycloak tells the bridge nothing of.
    fn untold(&self) -> Error {
        let message = "keycloak tells the bridge nothing of this client's lightweight access tokens";
        Error::upstream(ErrorKind::Misconfigured, message).with_hint(format!(
            "Clients → the application → Client scopes → its dedicated scope → Add mapper → By configuration → Audience: \
             `Included Client Audience` is `{}`, `Add to token introspection` is on",
            self.bridge
        ))
    }

    /// Ends what a refresh token belongs to, as the client that it was issued to.
    async fn end_refresh_token(&self, scope: &CallScope, identity: &TokenIdentity, refresh: &Secret) -> Result<()> {
        // Keycloak itself checks the token; this only chooses which of the tenant's clients shows it.
        let named = token::client_of_refresh_token(refresh);
        let client = named.as_deref().or(identity.client.as_deref()).and_then(|id| self.settings.client(id));
        let client = client.ok_or_else(|| {
            Error::ours(ErrorKind::InvalidInput, "the refresh token belongs to none of the tenant's clients")
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
        let proven = self.prove(scope, token, A_DAY).await?;
        match proven.identity() {
            Some(identity) => Ok(identity),
            // A lightweight token does not say whose it is.
            None => Ok(self.living(scope, token, &proven).await?.identity),
        }
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let proven = self.prove(scope, token, Duration::ZERO).await?;
        self.living(scope, token, &proven).await
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let known = logout.identity.and_then(|identity| Some((identity, identity.session.as_ref()?)));
        let (identity, session) = known.ok_or_else(|| Error::invalid_token("the token names no session"))?;
        if let Some(refresh) = logout.refresh_token {
            self.end_refresh_token(scope, identity, refresh).await?;
        }
        self.end(scope, session, SessionKind::Online).await?;
        if self.endpoints.userinfo(scope, logout.token).await?.proves_the_end() {
            return Ok(LoggedOut::Session);
        }
        // An offline session outlives the online one of the same id. An expired or revoked token cannot tell whether it has one.
        self.end(scope, session, SessionKind::Offline).await?;
        if self.endpoints.userinfo(scope, logout.token).await?.is_of_the_living() {
            let message = "keycloak lets the token live on after its sessions have ended";
            return Err(Error::upstream(ErrorKind::Unavailable, message));
        }
        Ok(LoggedOut::Session)
    }

    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String> {
        let discovery = self.openid.discovery(scope).await?;
        let endpoint = discovery.end_session_endpoint.as_ref().ok_or_else(|| {
            Error::upstream(ErrorKind::InvalidResponse, "keycloak's discovery document names no `end_session_endpoint`")
        })?;
        Ok(end_session_url(endpoint, end, EndSessionParameters::OPENID))
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        Ok(self.openid.check_logout_token(scope, token, &self.settings).await?.session_or_user())
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        Ok(self.openid.discovery(scope).await?.metadata(Some(&self.customer_claim), &["openid"]))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        diagnose::Diagnosis::of(self).run(scope).await
    }
}
