//! The harness of the conformance suite, for a fake Rolodex.

mod fake;

use std::sync::Arc;

use idp_bridge_conformance::fake::FakeServer;
use idp_bridge_conformance::{Control, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    Capabilities, Clock as _, Connector, ConnectorContext, Email, IdentityProvider, Secret, SystemClock, TenantId,
    UserId,
};
use rolodex_bridge::{Rolodex, RolodexConfig};
use serde_json::json;

use fake::Cards;

/// A fake Rolodex under test.
pub struct RolodexHarness {
    server: FakeServer<Cards>,
}

impl RolodexHarness {
    /// Starts the fake without people.
    pub async fn start() -> Staged<Self> {
        Ok(Self { server: FakeServer::start(Cards::default()).await? })
    }

    fn build(&self, url: &str, key: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let config = RolodexConfig { url: url.to_owned(), key: Secret::new(key) };
        Ok(Arc::new(Rolodex::build(config, &ConnectorContext::new(TenantId::new("conformance")?))?))
    }
}

#[async_trait]
impl Harness for RolodexHarness {
    fn name(&self) -> &str {
        "rolodex (fake)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Rolodex as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::SeveralCustomers => "a person of Rolodex has one client at most",
            Need::ServiceAccount => "Rolodex has no service accounts",
            Need::Login | Need::SelfEdit => "a person of Rolodex has no password",
            Need::SecondEmail => "a person of Rolodex has one address",
            Need::SecondOrigin => "Rolodex has one origin",
            Need::Mails | Need::UndeliverableMail | Need::UnacceptedMail(_) => "Rolodex sends no mails",
            Need::Control(Control::WrongRealm) => "Rolodex has no realms",
            Need::Control(Control::NarrowRole) => "Rolodex refuses a search without the right",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(&self.server.url(), fake::KEY)
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let person = json!({
            "mail": user.email, "mail_verified": user.email_verified, "suspended": user.blocked,
            "client": user.customers.first(), "joined": SystemClock.now(),
        });
        Ok(UserId::new(self.server.with(|cards| cards.create(person)))?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.server.with(|cards| cards.change_mail(id.as_str(), email.as_str()));
        Ok(())
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let key = match control {
            Control::WrongSecret => "a-guess",
            Control::MissingRole => fake::POWERLESS,
            Control::ReadOnlyRole => fake::READ_ONLY,
            other => return Err(format!("the harness does not implement the control {other:?}").into()),
        };
        self.build(&self.server.url(), key)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.server.url())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(base_url, fake::KEY)
    }
}
