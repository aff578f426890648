//! One OpenID Provider, as the identity provider of one tenant.

use async_trait::async_trait;
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, Federation, FederationCapabilities, Finding,
    IdentityProvider, Liveness, LogoutReach, Result, Support,
};
use idp_bridge_http::Client;
use idp_bridge_http::oidc::{OpenIdProvider, OpenIdSettings};

use crate::config::OidcConfig;
use crate::diagnose;
use crate::federation::OidcFederation;

const NO_CALLS: &str = "OpenID Connect has no calls about users: they need a connector for the product itself";
const BACK_CHANNEL: &str = "where the identity provider supports it, and is told the bridge's address";

/// One OpenID Provider.
pub struct Oidc {
    openid: OpenIdProvider,
    capabilities: Capabilities,
    federation: Option<OidcFederation>,
}

/// What the OAuth side promises; of opaque tokens only introspection can tell the client.
fn promises(opaque_tokens: bool) -> FederationCapabilities {
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
        Capabilities::none(NO_CALLS).with_federation(Some(promises(true)))
    }

    fn build(config: OidcConfig, context: &ConnectorContext) -> Result<Self> {
        config.check()?;
        let introspects = config.client()?.is_some();
        let mut settings = OpenIdSettings::new(&config.issuer, &context.outbound);
        settings.hosts.clone_from(&config.hosts);
        let openid = OpenIdProvider::new(Client::new(&context.outbound)?, settings, context.clock.clone())?;
        let federation = context
            .federation
            .clone()
            .map(|settings| OidcFederation::new(openid.clone(), &config, settings, context.clock.clone()));
        let federation = federation.transpose()?;
        let promises = federation.as_ref().map(|_| promises(introspects));
        let capabilities = Capabilities::none(NO_CALLS).with_federation(promises);
        Ok(Self { openid, capabilities, federation })
    }
}

#[async_trait]
impl IdentityProvider for Oidc {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn diagnose(&self, scope: &CallScope) -> Vec<Finding> {
        let mut findings = diagnose::issuer(&self.openid, scope).await;
        match &self.federation {
            Some(federation) => findings.extend(diagnose::introspection(federation, scope).await),
            None => {
                let fix = "add `[tenants.<id>.federation]` with its `clients`: this connector does nothing else";
                findings.push(Finding::failed("federation is switched on", &[], fix));
            }
        }
        findings
    }

    fn federation(&self) -> Option<&dyn Federation> {
        self.federation.as_ref().map(|federation| federation as &dyn Federation)
    }
}
