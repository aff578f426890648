//! The OAuth side: token validation and logout.
//!
//! Auth0 cannot revoke access tokens. A signed token is valid if its signature is and its user exists and is not blocked; the bridge's
//! own revocations cover logouts.

mod diagnose;
mod logout;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use idp_bridge_core::{
    AccessToken, CallScope, Clock, ConnectorContext, Customer, EndSession, Error, Federation, FederationCapabilities,
    FederationMetadata, FederationSettings, Finding, Liveness, LoggedOut, Logout, LogoutNotice, LogoutReach, Result,
    Support, TokenIdentity, TokenUser, if_found,
};
use idp_bridge_http::oidc::{Claims, EndSessionParameters, OpenIdProvider, OpenIdSettings, Rules, end_session_url};
use idp_bridge_http::{BaseUrl, Url};

use crate::client::Auth0Api;
use crate::config::Auth0Config;
use token::AccessRules;

/// The longest time since the expiry of a token that still identifies a login to end.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The lifetime of cached userinfo responses. Auth0 limits userinfo to five requests a minute and user.
const CACHE_SECONDS: u32 = 30;

/// The OAuth side of one Auth0 tenant.
pub(crate) struct Auth0Federation {
    api: Arc<Auth0Api>,
    open_id: OpenIdProvider,
    clock: Arc<dyn Clock>,
    config: Auth0Config,
    settings: FederationSettings,
    access: AccessRules,
    end_session: Url,
}

/// Returns the capabilities of the OAuth side.
pub(crate) fn capabilities(accept_opaque: bool) -> FederationCapabilities {
    let back_channel = "auth0 sends logout tokens only on its Enterprise plans; its access tokens name no session, so a logout token \
                        ends all sessions of the user";
    FederationCapabilities {
        liveness: Liveness::Signature,
        logout: LogoutReach::RefreshTokenOrUser,
        back_channel: Support::conditional(back_channel),
        opaque_tokens: accept_opaque,
        cache_seconds: CACHE_SECONDS,
    }
}

impl Auth0Federation {
    /// Creates the OAuth side after checking the settings, without a request.
    pub(crate) fn new(
        config: &Auth0Config,
        settings: FederationSettings,
        api: Arc<Auth0Api>,
        context: &ConnectorContext,
    ) -> Result<Self> {
        let open_id = OpenIdSettings {
            discovery: Some(api.login_url(&[".well-known", "openid-configuration"])?.into()),
            jwks: Some(api.login_url(&[".well-known", "jwks.json"])?.into()),
            ..OpenIdSettings::new(config.issuer(), &context.outbound)
        };
        Ok(Self {
            open_id: OpenIdProvider::new(api.http(), open_id, context.clock.clone())?,
            clock: context.clock.clone(),
            access: AccessRules::new(config, &settings),
            end_session: BaseUrl::parse(&config.issuer(), &context.outbound)?.join(&["oidc", "logout"])?.into(),
            config: config.clone(),
            settings,
            api,
        })
    }

    /// Verifies a token and returns its identity and claims.
    async fn verify(
        &self,
        scope: &CallScope,
        token: &AccessToken,
        expired_by: Duration,
    ) -> Result<(TokenIdentity, Claims)> {
        if token.is_jwt() {
            let rules = Rules::with_types(&["at+jwt", "JWT"]).with_expiry_tolerance(expired_by);
            let claims = self.open_id.verify(scope, token.expose(), &rules).await?;
            return Ok((self.access.identity(&claims)?, claims));
        }
        if !self.config.accept_opaque {
            return Err(Error::invalid_token("the token is opaque, and `accept_opaque` is not set"));
        }
        let claims = self.api.userinfo(scope, token).await?;
        Ok((token::opaque_identity(&claims)?, claims))
    }
}

#[async_trait]
impl Federation for Auth0Federation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        self.verify(scope, token, DAY).await.map(|(identity, _)| identity)
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        let (identity, claims) = self.verify(scope, token, Duration::ZERO).await?;
        let user = if_found(self.api.user(scope, &identity.subject).await)?;
        let user = user.ok_or_else(|| Error::invalid_token("the token's user does not exist"))?;
        let record = user.to_stored(&self.config.customer_key)?.record;
        if record.id != identity.subject {
            return Err(Error::another_user());
        }
        if record.blocked == Some(true) {
            return Err(Error::invalid_token("the token's user is blocked"));
        }
        let claim = self.settings.customer_claim.as_deref();
        Ok(TokenUser {
            identity,
            email: record.email.clone(),
            email_verified: record.email_verified,
            customer: claim.map_or(Customer::Absent, |claim| claims.customer(claim)),
            record: Some(record),
        })
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        self.end_login(scope, logout).await
    }

    async fn end_session_url(&self, _: &CallScope, end: &EndSession<'_>) -> Result<String> {
        Ok(end_session_url(&self.end_session, end, EndSessionParameters::OPENID))
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        // Auth0's sample code for receivers of logout tokens checks for `JWT` (seen November 2026). The type of the specification is
        // accepted too.
        let rules = Rules::with_types(&["logout+jwt", "JWT"]);
        self.open_id.check_logout_token_with(scope, token, &self.settings, &rules).await?.into_user_notice()
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        Ok(self.open_id.discovery(scope).await?.metadata(self.settings.customer_claim.as_deref(), &["openid", "email"]))
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        self.run_checks(scope).await
    }
}
