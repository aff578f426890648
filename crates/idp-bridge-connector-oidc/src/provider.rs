//! The provider of one tenant: an OpenID Provider with federation, and without calls about users.

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, Federation, FederationCapabilities, Finding,
    IdentityProvider, Liveness, LogoutReach, Result, Support,
};
use idp_bridge_http::Client;
use idp_bridge_http::oidc::{OpenIdProvider, OpenIdSettings, StandardChoices, StandardFederation};

use crate::config::OidcConfig;

const NO_CALLS: &str = "OpenID Connect defines no calls about users: they need a connector for the product";
const BACK_CHANNEL: &str = "if the identity provider supports it, and the bridge's URL is registered there";

/// One OpenID Provider.
pub struct Oidc {
    openid: OpenIdProvider,
    capabilities: Capabilities,
    federation: Option<StandardFederation>,
}

/// Returns the capabilities. Opaque tokens need introspection, which returns their client.
fn federation_capabilities(opaque_tokens: bool) -> FederationCapabilities {
    FederationCapabilities {
        liveness: Liveness::IdentityProvider,
        logout: LogoutReach::RefreshToken,
        back_channel: Support::conditional(BACK_CHANNEL),
        opaque_tokens,
        cache_seconds: 0,
    }
}

impl Connector for Oidc {
    const TYPE: &'static str = "oidc";
    type Config = OidcConfig;
    type Provider = Self;

    fn capabilities() -> Capabilities {
        Capabilities::none(NO_CALLS).with_federation(Some(federation_capabilities(true)))
    }

    fn build(config: OidcConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let introspection_client = config.introspection_client(context)?;
        let has_introspection = introspection_client.is_some();
        let mut settings = OpenIdSettings::new(&config.issuer, &context.outbound);
        settings.hosts.clone_from(&config.hosts);
        let openid = OpenIdProvider::new(Client::new(&context.outbound)?, settings, context.clock.clone())?;
        let choices = StandardChoices {
            introspection_client,
            authentication: config.authentication(),
            scopes: config.scopes,
            session_claim: config.session_claim,
        };
        let federation = context
            .federation
            .clone()
            .map(|settings| StandardFederation::new(openid.clone(), choices, settings, context.clock.clone()));
        let capabilities = Capabilities::none(NO_CALLS)
            .with_federation(federation.as_ref().map(|_| federation_capabilities(has_introspection)));
        Ok(Self { openid, capabilities, federation })
    }
}

#[async_trait]
impl IdentityProvider for Oidc {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        match &self.federation {
            Some(federation) => federation.check_access(scope).await,
            None => {
                let mut findings = StandardFederation::check_issuer(&self.openid, scope).await;
                let fix = "add `[tenants.<id>.federation]` with `clients`: this connector supports only federation";
                findings.push(Finding::failed("federation is enabled", &[], fix));
                findings
            }
        }
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}
