//! The harness of the toy. It meets every need, so that every case runs.

use std::sync::{Arc, Mutex};

use idp_bridge_conformance::fake::FakeServer;
use idp_bridge_conformance::{
    Control, FederationHarness, Harness, Need, NewUser, SecondOrigin, Setup, TestResult, async_trait,
};
use idp_bridge_core::{
    CallKind, Capabilities, CustomerId, Email, FederationCapabilities, Fidelity, Field, IdentityProvider, Liveness,
    LogoutReach, Support, UserId,
};

use super::Defect;
use super::client::Client;
use super::oauth::Oauth;
use super::provider::Provider;
use super::server::Server;
use super::sessions::CLIENT_SECRET;

/// The toy identity provider, and the defect of its providers.
pub(crate) struct Toy {
    pub(super) server: Server,
    _serving: FakeServer<Server>,
    defect: Option<Defect>,
    unmet_need: Option<Need>,
    supports_calls: bool,
    has_federation: bool,
}

impl Toy {
    /// Starts a toy without defects.
    pub(crate) async fn correct() -> Arc<Self> {
        Arc::new(Self::start().await)
    }

    /// Starts a toy with one defect.
    pub(crate) async fn with(defect: Defect) -> Arc<Self> {
        Arc::new(Self { defect: Some(defect), ..Self::start().await })
    }

    /// Starts a toy with one unmet need.
    pub(crate) async fn without(need: Need) -> Arc<Self> {
        Arc::new(Self { unmet_need: Some(need), ..Self::start().await })
    }

    /// Starts a toy that supports no call.
    pub(crate) async fn without_calls() -> Arc<Self> {
        Arc::new(Self { supports_calls: false, ..Self::start().await })
    }

    /// Starts a toy without federation.
    pub(crate) async fn without_oauth() -> Arc<Self> {
        Arc::new(Self { has_federation: false, ..Self::start().await })
    }

    async fn start() -> Self {
        let (server, _serving) = Server::start().await.unwrap();
        Self { server, _serving, defect: None, unmet_need: None, supports_calls: true, has_federation: true }
    }

    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::all();
        let own = match self.defect {
            Some(Defect::LimitsWithoutReason) => all.with_call(CallKind::Delete, Support::conditional(" ")),
            Some(Defect::LeavesACallUnwritten) => {
                all.with_call(CallKind::Delete, Support::unsupported("not written yet: delete the user"))
            }
            Some(Defect::SendsUnsupportedCalls) => Capabilities::none("the toy is out of order"),
            _ if !self.supports_calls => Capabilities::none("the toy is out of order"),
            _ => all,
        };
        own.with_federation(self.federation_capabilities())
    }

    fn federation_capabilities(&self) -> Option<FederationCapabilities> {
        let none = || Support::unsupported("the toy is out of order");
        self.has_federation.then(|| FederationCapabilities {
            liveness: Liveness::IdentityProvider,
            logout: match self.defect {
                Some(Defect::LeavesOtherLogins) => LogoutReach::RefreshToken,
                _ => LogoutReach::Session,
            },
            back_channel: if self.supports_calls { Support::Supported } else { none() },
            opaque_tokens: false,
            cache_seconds: 0,
        })
    }

    fn new_provider(
        &self,
        authority: String,
        realm: &'static str,
        secret: &'static str,
        client_secret: &'static str,
    ) -> Provider {
        let at = |authority| Client { authority, realm, secret, defect: self.defect, token: Mutex::default() };
        let client = || at(authority.clone());
        let back_channel = self.supports_calls;
        let oauth = Oauth { client: client(), client_secret, back_channel, keys: Mutex::default() };
        let oauth = Some(oauth).filter(|_| self.has_federation && self.defect != Some(Defect::OmitsItsFederation));
        Provider { client: client(), public: client(), capabilities: self.capabilities(), oauth }
    }
}

#[async_trait]
impl Harness for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn connector_capabilities(&self) -> Capabilities {
        let most = Capabilities::all().with_federation(self.federation_capabilities());
        match self.defect {
            Some(Defect::DeclaresTooMuch) => most.with_field(Field::UpdateTime, Fidelity::Absent),
            _ => most,
        }
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        if self.defect == Some(Defect::LeavesANeedOpen) && need == Need::Login {
            return Some("not written yet: let people log in".to_owned());
        }
        self.unmet_need.filter(|unmet| *unmet == need).map(|_| "unmet by this test".to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let authority = |url: &str| url.strip_prefix("http://").map(str::to_owned).ok_or("not http");
        let own = self.server.address.clone();
        let new = |realm, secret| self.new_provider(own.clone(), realm, secret, CLIENT_SECRET);
        Ok(Arc::new(match setup {
            Setup::Working => new("acme", "secret"),
            Setup::Broken(Control::WrongSecret) => new("acme", "guess"),
            Setup::Broken(Control::WrongRealm) => new("nowhere", "secret"),
            Setup::Broken(Control::MissingRole) => new("acme", "secret-none"),
            Setup::Broken(Control::NarrowRole) => new("acme", "secret-narrow"),
            Setup::Broken(Control::ReadOnlyRole) => new("acme", "secret-readonly"),
            Setup::At(url) => self.new_provider(authority(url)?, "acme", "secret", CLIENT_SECRET),
            Setup::AtTwo(first, second) => {
                let mut provider = self.new_provider(authority(first)?, "acme", "secret", CLIENT_SECRET);
                provider.public.authority = authority(second)?;
                provider
            }
            Setup::WrongClientSecret => self.new_provider(own, "acme", "secret", "guess"),
            Setup::WithoutFederation => {
                let mut provider = new("acme", "secret");
                if self.defect != Some(Defect::IgnoresFederationOff) {
                    provider.oauth = None;
                    provider.capabilities = provider.capabilities.with_federation(None);
                }
                provider
            }
            other => return Err(other.unsupported()),
        }))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        Ok(self.server.create(user))
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        vec![UserId::new("count").unwrap()]
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        Ok(self.server.exists(id))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.server.change_email(id, email);
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        Ok(self.server.log_in(email, password))
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        self.server.edit_self(email, value);
        Ok(())
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.server.mails(email))
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(format!("http://{}", self.server.address))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self as &dyn FederationHarness).filter(|_| self.has_federation)
    }

    async fn second_origin(&self) -> TestResult<SecondOrigin> {
        Ok(SecondOrigin { url: self.upstream().await?, credentials: Vec::new() })
    }
}
