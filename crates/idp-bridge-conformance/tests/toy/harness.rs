//! The harness of the toy: nothing is not applicable to it, so that every case is put to the test.

use std::sync::{Arc, Mutex};

use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, SecondOrigin, Staged, async_trait};
use idp_bridge_core::{
    CallKind, Capabilities, CustomerId, Email, FederationCapabilities, Fidelity, Field, IdentityProvider, Liveness,
    LogoutReach, Support, UserId,
};

use super::Sin;
use super::client::Client;
use super::oauth::Oauth;
use super::provider::Provider;
use super::server::Server;
use super::sessions::CLIENT_SECRET;

/// The toy identity provider, and how its providers sin.
pub(crate) struct Toy {
    pub(super) server: Server,
    sin: Option<Sin>,
    cannot: Option<Need>,
    unable: bool,
    oauth: bool,
}

impl Toy {
    pub(crate) async fn honest() -> Arc<Self> {
        Arc::new(Self { server: Server::start().await.unwrap(), sin: None, cannot: None, unable: false, oauth: true })
    }

    pub(crate) async fn with(sin: Sin) -> Arc<Self> {
        Arc::new(Self {
            server: Server::start().await.unwrap(),
            sin: Some(sin),
            cannot: None,
            unable: false,
            oauth: true,
        })
    }

    /// An honest one whose environment cannot stage this.
    pub(crate) async fn without(need: Need) -> Arc<Self> {
        Arc::new(Self {
            server: Server::start().await.unwrap(),
            sin: None,
            cannot: Some(need),
            unable: false,
            oauth: true,
        })
    }

    /// An honest one that supports no call.
    pub(crate) async fn unable() -> Arc<Self> {
        Arc::new(Self { server: Server::start().await.unwrap(), sin: None, cannot: None, unable: true, oauth: true })
    }

    /// An honest one without an OAuth side.
    pub(crate) async fn without_oauth() -> Arc<Self> {
        Arc::new(Self { server: Server::start().await.unwrap(), sin: None, cannot: None, unable: false, oauth: false })
    }

    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::all();
        let own = match self.sin {
            Some(Sin::LimitsWithoutReason) => all.with_call(CallKind::Delete, Support::conditional(" ")),
            Some(Sin::LeavesACallUnwritten) => {
                all.with_call(CallKind::Delete, Support::unsupported("not written yet: delete the user"))
            }
            Some(Sin::TriesTheUnsupported) => Capabilities::none("the toy is out of order"),
            _ if self.unable => Capabilities::none("the toy is out of order"),
            _ => all,
        };
        own.with_federation(self.federation_capabilities())
    }

    /// One that supports no call has no back channel either.
    fn federation_capabilities(&self) -> Option<FederationCapabilities> {
        let none = || Support::unsupported("the toy is out of order");
        self.oauth.then(|| FederationCapabilities {
            liveness: Liveness::IdentityProvider,
            logout: match self.sin {
                Some(Sin::ForgetsOtherLogins) => LogoutReach::RefreshToken,
                _ => LogoutReach::Session,
            },
            back_channel: if self.unable { none() } else { Support::Supported },
            opaque_tokens: false,
            cache_seconds: 0,
        })
    }

    fn build(&self, authority: String, realm: &'static str, secret: &'static str) -> Arc<dyn IdentityProvider> {
        Arc::new(self.provider_of(authority, realm, secret, CLIENT_SECRET))
    }

    fn provider_of(
        &self,
        authority: String,
        realm: &'static str,
        secret: &'static str,
        client_secret: &'static str,
    ) -> Provider {
        let at = |authority| Client { authority, realm, secret, sin: self.sin, token: Mutex::default() };
        let client = || at(authority.clone());
        let back_channel = !self.unable;
        let oauth = Oauth { client: client(), client_secret, back_channel, keys: Mutex::default() };
        let oauth = Some(oauth).filter(|_| self.oauth && self.sin != Some(Sin::HidesItsFederation));
        Provider { client: client(), public: client(), capabilities: self.capabilities(), oauth }
    }

    pub(super) fn with_client_secret(&self, client_secret: &'static str) -> Arc<dyn IdentityProvider> {
        Arc::new(self.provider_of(self.server.address.to_string(), "acme", "secret", client_secret))
    }

    pub(super) fn without_federation(&self) -> Arc<dyn IdentityProvider> {
        let mut provider = self.provider_of(self.server.address.to_string(), "acme", "secret", CLIENT_SECRET);
        if self.sin != Some(Sin::CannotBeSwitchedOff) {
            provider.oauth = None;
            provider.capabilities = provider.capabilities.with_federation(None);
        }
        Arc::new(provider)
    }
}

#[async_trait]
impl Harness for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn connector_capabilities(&self) -> Capabilities {
        let most = Capabilities::all().with_federation(self.federation_capabilities());
        match self.sin {
            Some(Sin::PromisesTooMuch) => most.with_field(Field::UpdateTime, Fidelity::Absent),
            _ => most,
        }
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        if self.sin == Some(Sin::LeavesANeedUnstaged) && need == Need::Login {
            return Some("not written yet: let people log in".to_owned());
        }
        self.cannot.filter(|cannot| *cannot == need).map(|_| "the toy was told so".to_owned())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(self.build(self.server.address.to_string(), "acme", "secret"))
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        Ok(self.server.create(user))
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        vec![UserId::new("count").unwrap()]
    }

    async fn exists(&self, id: &UserId) -> Staged<bool> {
        Ok(self.server.exists(id))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.server.change_email(id, email);
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        Ok(self.server.log_in(email, password))
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        self.server.edit_self(email, value);
        Ok(())
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        Ok(self.server.mails(email))
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let (realm, secret) = match control {
            Control::WrongSecret => ("acme", "guess"),
            Control::WrongRealm => ("nowhere", "secret"),
            Control::MissingRole => ("acme", "secret-none"),
            Control::NarrowRole => ("acme", "secret-narrow"),
            Control::ReadOnlyRole => ("acme", "secret-readonly"),
            other => return Err(format!("the toy knows no {other:?}").into()),
        };
        Ok(self.build(self.server.address.to_string(), realm, secret))
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(format!("http://{}", self.server.address))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self as &dyn FederationHarness).filter(|_| self.oauth)
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let authority = base_url.strip_prefix("http://").ok_or("not http")?;
        Ok(self.build(authority.to_owned(), "acme", "secret"))
    }

    async fn second_origin(&self) -> Staged<SecondOrigin> {
        Ok(SecondOrigin { url: self.upstream().await?, credentials: Vec::new() })
    }

    async fn provider_at_two(&self, first: &str, second: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let authority = |url: &str| url.strip_prefix("http://").map(str::to_owned).ok_or("not http");
        let mut provider = self.provider_of(authority(first)?, "acme", "secret", CLIENT_SECRET);
        provider.public.authority = authority(second)?;
        Ok(Arc::new(provider))
    }
}
