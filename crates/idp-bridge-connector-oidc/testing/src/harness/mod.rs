//! The harnesses of the conformance suite: for the fake, and for a real OpenID Provider.

mod browser;
mod federation;
mod logins;
mod server;

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_connector_oidc::{Oidc, OidcConfig};
use idp_bridge_core::{
    CallScope, Capabilities, Connector, ConnectorContext, FederationSettings, IdentityProvider, OauthClient,
    OutboundPolicy, Secret, TenantId, UserId,
};
use serde_json::{Value, json};

use crate::fake::{Client, FakeOidc, User};

pub use server::{Server, ServerHarness};

/// The client that the bridge asks introspection as.
pub(crate) const BRIDGE: &str = "bridge";
/// The tenant's applications: one with a secret, and one without.
pub(crate) const CLIENTS: [&str; 2] = ["shop", "phone"];
/// An application that is none of the tenant's.
pub(crate) const STRANGER: &str = "stranger";
/// The secret of all that have one; it has what breaks careless encodings.
pub(crate) const SECRET: &str = "s3cret of:the%harness+";

/// A fake OpenID Provider under test.
pub struct OidcHarness {
    fake: Arc<FakeOidc>,
}

impl OidcHarness {
    /// Starts one with clients and without users.
    pub async fn start() -> Staged<Self> {
        let fake = FakeOidc::start().await?;
        fake.with(|issuer| {
            let secret = || Some(SECRET.to_owned());
            for (id, secret, introspects) in [
                (BRIDGE, secret(), true),
                ("shop", secret(), false),
                ("phone", None, false),
                (STRANGER, secret(), false),
            ] {
                issuer.clients.insert(id.to_owned(), Client { secret, introspects });
            }
        });
        Ok(Self { fake: Arc::new(fake) })
    }

    /// The OpenID Provider.
    pub fn fake(&self) -> &FakeOidc {
        &self.fake
    }

    /// The settings of the right provider.
    pub fn config(&self) -> OidcConfig {
        let mut config = OidcConfig::new(self.fake.url());
        config.client_id = Some(BRIDGE.to_owned());
        config.client_secret = Some(Secret::new(SECRET));
        config.session_claim = Some("sid".to_owned());
        config
    }

    /// The settings of federation of the right provider.
    pub fn settings() -> FederationSettings {
        let secret = |id: &str| (id == "shop").then(|| Secret::new(SECRET));
        let clients = CLIENTS.map(|id| OauthClient { id: id.to_owned(), secret: secret(id) });
        FederationSettings { clients: clients.into(), ..FederationSettings::default() }
    }

    /// Builds a provider.
    pub fn build(
        &self,
        config: OidcConfig,
        federation: Option<FederationSettings>,
        outbound: OutboundPolicy,
    ) -> Staged<Oidc> {
        let context = ConnectorContext { federation, outbound, ..ConnectorContext::new(TenantId::new("conformance")?) };
        Ok(Oidc::build(config, &context)?)
    }

    fn provider_of(&self, config: OidcConfig, outbound: OutboundPolicy) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(config, Some(Self::settings()), outbound)?))
    }
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

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.provider_of(self.config(), OutboundPolicy::default())
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let customer = customer_claim(&user);
        let email = user.email.map(|email| email.as_str().to_owned());
        let (email_verified, blocked) = (user.email_verified, user.blocked);
        let id = self.fake.with(|issuer| issuer.add(User { email, email_verified, blocked, customer }))?;
        Ok(UserId::new(id)?)
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        break_settings(&mut config, control)?;
        self.provider_of(config, OutboundPolicy::default())
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.fake.url())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        self.provider_of(self.config(), through(base_url))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}

/// What no OpenID Provider can stage.
fn never_applicable(need: Need) -> Option<String> {
    match need {
        Need::Control(Control::MissingRole | Control::NarrowRole | Control::ReadOnlyRole) => {
            Some("OpenID Connect knows no rights of whoever asks".into())
        }
        Need::ServiceAccount => Some("OpenID Connect has no list of users, so none of service accounts".into()),
        Need::ChangeEmail | Need::Mails | Need::UndeliverableMail | Need::Login => {
            Some("OpenID Connect has no calls about users".into())
        }
        _ => None,
    }
}

/// What the claim says of a user.
fn customer_claim(user: &NewUser) -> Value {
    let customers: Vec<&str> = user.customers.iter().map(|customer| customer.as_str()).collect();
    match customers.as_slice() {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}

fn break_settings(config: &mut OidcConfig, control: Control) -> Staged<()> {
    match control {
        Control::WrongSecret => config.client_secret = Some(Secret::new("wrong")),
        Control::WrongRealm => config.issuer.push_str("/nowhere"),
        _ => return Err("there is no such control".into()),
    }
    Ok(())
}

/// All requests go to this address, and stay what they are.
fn through(proxy: &str) -> OutboundPolicy {
    OutboundPolicy { proxy: Some(proxy.to_owned()), ..OutboundPolicy::default() }
}

/// A scope of the harness's own requests.
fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(30))
}
