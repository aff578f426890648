//! The harness of the conformance suite, for a fake Rolodex.

mod fake;

use std::sync::Arc;

use idp_bridge_conformance::fake::FakeServer;
use idp_bridge_conformance::{Control, Harness, Need, NewUser, Setup, TestResult, async_trait};
use idp_bridge_core::{
    Capabilities, Clock as _, Connector, ConnectorContext, Email, IdentityProvider, Secret, SystemClock, TenantId,
    UserId,
};
use rolodex_bridge::{Rolodex, RolodexConfig};

use fake::{People, Person};

/// A fake Rolodex under test.
pub(crate) struct RolodexHarness {
    server: FakeServer<People>,
}

impl RolodexHarness {
    /// Starts the fake without people.
    pub(crate) async fn start() -> TestResult<Self> {
        Ok(Self { server: FakeServer::start(People::default()).await? })
    }

    fn build(&self, url: &str, key: &str) -> TestResult<Arc<dyn IdentityProvider>> {
        let config = RolodexConfig::new(url, Secret::new(key));
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
            Need::SeveralCustomers => "a field of a person has one value",
            Need::ServiceAccount => "Rolodex has no service accounts",
            Need::Login | Need::SelfEdit => "a person of Rolodex has no password",
            Need::SecondEmail => "a person of Rolodex has one address",
            Need::SecondOrigin => "Rolodex has one origin",
            Need::Control(Control::WrongRealm) => "Rolodex has no realms",
            Need::Control(Control::NarrowRole) => "Rolodex refuses a search without the right",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let (mut url, mut key) = (self.server.url(), fake::KEY);
        match setup {
            Setup::Working => {}
            Setup::Broken(Control::WrongSecret) => key = "a-guess",
            Setup::Broken(Control::MissingRole) => key = fake::POWERLESS,
            Setup::Broken(Control::ReadOnlyRole) => key = fake::READ_ONLY,
            Setup::At(base_url) => url = base_url.to_owned(),
            other => return Err(other.unsupported()),
        }
        self.build(&url, key)
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let customers = user.customers.iter().map(|customer| ("client".to_owned(), customer.as_str().to_owned()));
        let person = Person {
            id: String::new(),
            mail: user.email,
            mail_verified: user.email_verified,
            suspended: user.blocked,
            joined: SystemClock.now(),
            fields: customers.collect(),
        };
        Ok(UserId::new(self.server.with(|people| people.create(person)))?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.server.with(|people| people.change_mail(id.as_str(), email));
        Ok(())
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.server.with(|people| people.mails(email)))
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.server.url())
    }
}
