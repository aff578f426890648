//! A fake with one user, and providers for it.

use std::time::Duration;

use idp_bridge_conformance::Tokens;
use idp_bridge_conformance::fake::openid::Login;
use idp_bridge_connector_oidc::{Oidc, OidcConfig};
use idp_bridge_connector_oidc_testing::fake::{Issuer, User};
use idp_bridge_connector_oidc_testing::harness::{OidcHarness, build};
use idp_bridge_core::{CallScope, Federation, FederationSettings, IdentityProvider as _, OutboundPolicy, UserId};
use serde_json::json;

/// A fake with one user.
pub(crate) struct Bench {
    pub(crate) harness: OidcHarness,
    pub(crate) user: String,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let harness = OidcHarness::start().await.unwrap();
        let ada = User {
            email: Some("ada@acme.example".into()),
            email_verified: true,
            blocked: false,
            customer: json!("c-1"),
        };
        let user = harness.fake().with(|issuer| issuer.users.add(ada)).unwrap();
        Self { harness, user }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Issuer)) {
        self.harness.fake().with(change);
    }

    pub(crate) fn log_in(&self) -> Tokens {
        self.log_in_with(|_| {})
    }

    pub(crate) fn log_in_with(&self, shape: impl FnOnce(&mut Login)) -> Tokens {
        let mut login = Login::new(&self.user, "shop");
        shape(&mut login);
        self.harness.fake().with(|issuer| issuer.log_in(login)).unwrap()
    }

    /// Returns a provider with changed settings.
    pub(crate) fn provider(&self, change: impl FnOnce(&mut OidcConfig, &mut FederationSettings)) -> Oidc {
        let (mut config, mut settings) = (self.harness.config(), OidcHarness::settings());
        change(&mut config, &mut settings);
        build(config, Some(settings), OutboundPolicy::default()).unwrap()
    }

    /// Returns a provider that uses userinfo.
    pub(crate) fn userinfo_provider(&self) -> Oidc {
        self.provider(|config, _| (config.client_id, config.client_secret) = (None, None))
    }

    pub(crate) fn user(&self) -> UserId {
        UserId::new(&self.user).unwrap()
    }

    /// Returns the paths of the requests since the last call.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        let exchanges = self.harness.fake().take_exchanges();
        exchanges.into_iter().map(|exchange| exchange.request.path().to_owned()).collect()
    }
}

pub(crate) fn federation(provider: &Oidc) -> &dyn Federation {
    provider.federation().unwrap()
}

pub(crate) fn scope() -> CallScope {
    CallScope::new("r-1", Duration::from_secs(10))
}
