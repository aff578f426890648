//! The harness of the conformance suite, for the fake.

use std::sync::Arc;

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    Capabilities, Clock as _, Connector, ConnectorContext, Directory, Email, IdentityProvider, Secret, SystemClock,
    TenantId, UserId,
};
use serde_json::json;

use crate::fake::FakeNewIdp;
use crate::{NewIdp, NewIdpConfig};

/// A fake New IdP under test.
pub struct NewIdpHarness {
    fake: FakeNewIdp,
}

impl NewIdpHarness {
    /// Starts the fake without users.
    pub async fn start() -> Staged<Self> {
        Ok(Self { fake: FakeNewIdp::start().await? })
    }

    /// Returns working settings.
    pub fn config(&self) -> NewIdpConfig {
        NewIdpConfig::new(self.fake.url(), Secret::new(FakeNewIdp::TOKEN))
    }

    /// Builds a provider with these settings.
    pub fn build(&self, config: NewIdpConfig) -> Staged<Directory<NewIdp>> {
        Ok(NewIdp::build(config, &ConnectorContext::new(TenantId::new("conformance")?))?)
    }

    fn build_shared(&self, config: NewIdpConfig) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(config)?))
    }
}

#[async_trait]
impl Harness for NewIdpHarness {
    fn name(&self) -> &str {
        "new-idp (fake)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <NewIdp as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        // Each line is a need to implement. If New IdP can never do it, replace the text by the reason.
        let reason = match need {
            Need::ServiceAccount => "not written yet: are service accounts among the users of New IdP?",
            Need::Login => "not written yet: let users of the fake log in with a password",
            Need::SelfEdit => "not written yet: let users of the fake edit their own profile",
            Need::SecondEmail => "not written yet: can a user of New IdP have several addresses?",
            Need::SecondOrigin => "not written yet: does the connector use a second origin, such as a public API?",
            Need::UnacceptedMail(_) => "not written yet: can a success response of New IdP say that no mail is sent?",
            Need::Mails => "not written yet: let the fake record mails",
            Need::UndeliverableMail => "not written yet: how does New IdP report that a mail could not be sent?",
            Need::Control(Control::WrongRealm) => "not written yet: can the realm, pool or domain be wrong?",
            Need::Control(Control::NarrowRole) => "not written yet: is there a right that lets searches return no users?",
            Need::Control(Control::ReadOnlyRole) => {
                "not written yet: give the fake a token without the right to write, and let the diagnosis check it"
            }
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build_shared(self.config())
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let id = self.fake.create(json!({
            "email": user.email, "emailVerified": user.email_verified, "disabled": user.blocked,
            "createdAt": SystemClock.now(), "attributes": {"customer_id": user.customers},
        }));
        Ok(UserId::new(id)?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.fake.change(id.as_str(), |user| {
            if let Some(own) = user.get_mut("email") {
                *own = json!(email);
            }
        });
        Ok(())
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        config.api_token = match control {
            Control::WrongSecret => Secret::new("wrong"),
            Control::MissingRole => Secret::new(FakeNewIdp::TOKEN_WITHOUT_RIGHTS),
            other => return Err(format!("the harness does not implement the control {other:?}").into()),
        };
        self.build_shared(config)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.fake.url())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        base_url.clone_into(&mut config.url);
        self.build_shared(config)
    }
}
