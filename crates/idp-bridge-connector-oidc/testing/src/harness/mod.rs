//! The harnesses of the conformance suite, for the fake and for a real OpenID Provider.

mod browser;
mod federation;
mod logins;
mod server;

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::fake::openid::{CLIENT, Client, FOREIGN_CLIENT};
use idp_bridge_conformance::{
    Control, FederationHarness, Harness, Need, NewUser, Setup, TestResult, async_trait, fixture,
};
use idp_bridge_connector_oidc::{Oidc, OidcConfig};
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, FederationSettings, IdentityProvider, OauthClient,
    OutboundPolicy, Secret, TenantId, UserId,
};
use serde_json::{Value, json};

use crate::fake::{self, FakeOidc, User};

pub use server::{Server, ServerHarness};

/// The bridge's client, which introspects tokens.
const BRIDGE: &str = "bridge";
/// The tenant's applications: one with a secret, and one without.
const CLIENTS: [&str; 2] = [CLIENT, "phone"];
/// The secret of all confidential clients, with characters that must be encoded.
const SECRET: &str = "s3cret of:the%harness+";

/// A fake OpenID Provider under test.
pub struct OidcHarness {
    fake: FakeOidc,
}

impl OidcHarness {
    /// Starts a fake with clients and without users.
    pub async fn start() -> TestResult<Self> {
        let fake = fake::start().await?;
        fake.with(|issuer| {
            for (id, is_public) in [(BRIDGE, false), (CLIENT, false), ("phone", true), (FOREIGN_CLIENT, false)] {
                let secret = (!is_public).then(|| SECRET.to_owned());
                issuer.clients.insert(id.to_owned(), Client { secret, introspects: id == BRIDGE, ..Client::default() });
            }
        });
        Ok(Self { fake })
    }

    /// Returns the fake.
    pub fn fake(&self) -> &FakeOidc {
        &self.fake
    }

    /// Returns working settings.
    pub fn config(&self) -> OidcConfig {
        let mut config = OidcConfig::new(self.fake.url());
        config.client_id = Some(BRIDGE.to_owned());
        config.client_secret = Some(Secret::new(SECRET));
        config.session_claim = Some("sid".to_owned());
        config
    }

    /// Returns settings with a private key, and registers its public half at the fake in the place of the secret.
    pub fn config_with_key(&self, key: &SigningKey) -> TestResult<OidcConfig> {
        let mut config = self.config();
        (config.client_secret, config.private_key) = (None, Some(Secret::new(key.private_pem()?)));
        let client = Client { jwk: Some(key.jwk()), introspects: true, ..Client::default() };
        self.fake.with(|issuer| issuer.clients.insert(BRIDGE.to_owned(), client));
        Ok(config)
    }

    /// Returns the settings and the context of a provider for a setup of the suite.
    pub fn settings_for(&self, setup: Setup<'_>) -> TestResult<(OidcConfig, ConnectorContext)> {
        settings_for(setup, self.config(), Self::settings())
    }

    /// Returns working federation settings.
    pub fn settings() -> FederationSettings {
        let secret = |id: &str| (id == CLIENT).then(|| Secret::new(SECRET));
        let clients = CLIENTS.map(|id| OauthClient { id: id.to_owned(), secret: secret(id) });
        FederationSettings { clients: clients.into(), ..FederationSettings::default() }
    }
}

/// Builds a provider.
pub fn build(config: OidcConfig, federation: Option<FederationSettings>, outbound: OutboundPolicy) -> TestResult<Oidc> {
    Ok(Oidc::build(config, &context(federation, outbound)?)?)
}

fn context(federation: Option<FederationSettings>, outbound: OutboundPolicy) -> TestResult<ConnectorContext> {
    Ok(ConnectorContext { federation, outbound, ..ConnectorContext::new(TenantId::new("conformance")?) })
}

#[async_trait]
impl Harness for OidcHarness {
    fn name(&self) -> &str {
        "oidc (fake)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Oidc as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        never_applicable(need)
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        build_for(setup, self.config(), Self::settings())
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let customer = customer_claim(&user);
        let email = user.email.map(|email| email.as_str().to_owned());
        let (email_verified, blocked) = (user.email_verified, user.blocked);
        let id = self.fake.with(|issuer| issuer.users.add(User { email, email_verified, blocked, customer }))?;
        Ok(UserId::new(id)?)
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.fake.url())
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}

/// Builds a provider for the suite from working settings.
fn build_for(
    setup: Setup<'_>,
    config: OidcConfig,
    federation: FederationSettings,
) -> TestResult<Arc<dyn IdentityProvider>> {
    let (config, context) = settings_for(setup, config, federation)?;
    Ok(Arc::new(Oidc::build(config, &context)?))
}

/// Changes working settings for a setup of the suite.
fn settings_for(
    setup: Setup<'_>,
    mut config: OidcConfig,
    federation: FederationSettings,
) -> TestResult<(OidcConfig, ConnectorContext)> {
    let (mut federation, mut outbound) = (Some(federation), OutboundPolicy::default());
    match setup {
        Setup::Working => {}
        Setup::Broken(Control::WrongSecret) => config.client_secret = Some(Secret::new("wrong")),
        Setup::Broken(Control::WrongRealm) => config.issuer.push_str("/nowhere"),
        Setup::At(base_url) => outbound.proxy = Some(base_url.to_owned()),
        Setup::WrongClientSecret => federation = federation.map(fixture::with_wrong_secret),
        Setup::WithoutFederation => federation = None,
        other => return Err(other.unsupported()),
    }
    Ok((config, context(federation, outbound)?))
}

/// Returns why a need cannot be met by any OpenID Provider.
fn never_applicable(need: Need) -> Option<String> {
    match need {
        Need::Control(Control::MissingRole | Control::NarrowRole | Control::ReadOnlyRole) => {
            Some("OpenID Connect has no roles of the bridge's client".into())
        }
        Need::ServiceAccount => Some("OpenID Connect has no list of users or service accounts".into()),
        Need::ChangeEmail | Need::Mails | Need::UndeliverableMail | Need::Login => {
            Some("OpenID Connect has no calls about users".into())
        }
        _ => None,
    }
}

/// Returns the customer claim of a user.
fn customer_claim(user: &NewUser) -> Value {
    let customers: Vec<&str> = user.customers.iter().map(|customer| customer.as_str()).collect();
    match customers.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

/// Returns a scope for the harness's own requests.
fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(30))
}
