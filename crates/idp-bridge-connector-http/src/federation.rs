//! Federation with the OpenID Provider of a product, by the standards and the requests of the definition.

use std::sync::Arc;

use idp_bridge_core::{
    AccessToken, CallScope, ConnectorContext, EndSession, Federation, FederationCapabilities, FederationMetadata,
    FederationSettings, Finding, Liveness, LoggedOut, Logout, LogoutNotice, LogoutReach, OauthClient, Result, Support,
    TokenIdentity, TokenUser, async_trait, if_found,
};
use idp_bridge_http::oidc::{
    AssertionAudience, ClientAuthentication, IntrospectionClient, OpenIdProvider, OpenIdSettings, StandardChoices,
    StandardFederation,
};

use crate::api::{Api, Kind};
use crate::definition::{FederationSpec, SecretIn};
use crate::refusal::Place;
use crate::request::BoundRequest;
use crate::settings::Settings;
use crate::values::Values;

/// The OAuth side of a product.
pub(crate) struct HttpFederation {
    standard: StandardFederation,
    api: Arc<Api>,
    end_session: Option<BoundRequest>,
}

impl HttpFederation {
    pub(crate) fn new(
        spec: &FederationSpec,
        settings: &Settings,
        api: &Arc<Api>,
        context: &ConnectorContext,
        federation: &FederationSettings,
    ) -> Result<Self> {
        let mut issuer = settings.url(spec.origin.as_deref(), &spec.path)?.to_string();
        issuer.truncate(issuer.trim_end_matches('/').len());
        if spec.trailing_slash {
            issuer.push('/');
        }
        let openid = OpenIdSettings::new(&issuer, &context.outbound);
        let openid = OpenIdProvider::new(api.client().clone(), openid, Arc::clone(&context.clock))?;
        let claim = spec.customer_claim.as_ref().and_then(|claim| claim.resolve(|name| settings.text(name)));
        let federation =
            FederationSettings { customer_claim: federation.customer_claim.clone().or(claim), ..federation.clone() };
        let choices = choices(spec, settings)?;
        Ok(Self {
            standard: StandardFederation::new(openid, choices, federation, Arc::clone(&context.clock)),
            api: Arc::clone(api),
            end_session: spec.end_session.as_ref().map(|spec| BoundRequest::new(spec, settings)).transpose()?,
        })
    }

    /// Checks the issuer and the bridge's client.
    pub(crate) async fn check_access(&self, scope: &CallScope) -> Vec<Finding> {
        self.standard.check_access(scope).await
    }
}

/// Returns the definition's choices where OpenID Connect leaves them to the provider.
fn choices(spec: &FederationSpec, settings: &Settings) -> Result<StandardChoices> {
    let secret = spec.client_secret.as_ref().map(|name| settings.secret(name).cloned()).transpose()?;
    let id = spec.client_id.as_ref().and_then(|name| settings.text(name));
    Ok(StandardChoices {
        introspection_client: id.map(|id| IntrospectionClient {
            client: OauthClient { id, secret },
            signer: None,
            audience: AssertionAudience::default(),
        }),
        authentication: match spec.secret_in {
            SecretIn::Header => ClientAuthentication::Basic,
            SecretIn::Form => ClientAuthentication::Post,
        },
        scopes: spec.scopes.clone(),
        session_claim: spec.session_claim.clone(),
    })
}

impl FederationSpec {
    /// Returns the capabilities.
    pub(crate) fn capabilities(&self) -> FederationCapabilities {
        FederationCapabilities {
            liveness: Liveness::IdentityProvider,
            logout: if self.end_session.is_some() { LogoutReach::Session } else { LogoutReach::RefreshToken },
            back_channel: Support::conditional(BACK_CHANNEL),
            opaque_tokens: self.client_id.is_some(),
            cache_seconds: 0,
        }
    }
}

const BACK_CHANNEL: &str = "if the product supports it, and the bridge's URL is registered there";

/// The call of [`FederationSpec::end_session`] in rules of refusals.
const END_SESSION: Place = Place { call: "end_session", step: 1 };

#[async_trait]
impl Federation for HttpFederation {
    async fn identify(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenIdentity> {
        self.standard.identify(scope, token).await
    }

    async fn validate(&self, scope: &CallScope, token: &AccessToken) -> Result<TokenUser> {
        self.standard.validate(scope, token).await
    }

    async fn log_out(&self, scope: &CallScope, logout: &Logout<'_>) -> Result<LoggedOut> {
        let session = logout.identity.and_then(|identity| identity.session.as_ref());
        let (Some(request), Some(session)) = (&self.end_session, session) else {
            return self.standard.log_out(scope, logout).await;
        };
        // The refresh token may be that of another login.
        if logout.refresh_token.is_some() {
            self.standard.log_out(scope, logout).await?;
        }
        let values = Values::for_session(session.as_str());
        if_found(self.api.send(scope, END_SESSION, Kind::Action, (request, &values)).await)?;
        self.standard.check_ended(scope, logout.token).await?;
        Ok(LoggedOut::Session)
    }

    async fn end_session_url(&self, scope: &CallScope, end: &EndSession<'_>) -> Result<String> {
        self.standard.end_session_url(scope, end).await
    }

    async fn check_logout_token(&self, scope: &CallScope, token: &AccessToken) -> Result<LogoutNotice> {
        self.standard.check_logout_token(scope, token).await
    }

    async fn metadata(&self, scope: &CallScope) -> Result<FederationMetadata> {
        self.standard.metadata(scope).await
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        self.standard.diagnose(scope).await
    }
}
