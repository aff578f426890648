//! The harness of the conformance suite, for the fake.

use std::sync::Arc;

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    Capabilities, Clock as _, Connector, ConnectorContext, Email, IdentityProvider, Secret, SystemClock, TenantId,
    UserId,
};
use serde_json::json;

use crate::fake::FakeNewIdp;
use crate::{NewIdp, NewIdpConfig};

/// A fake New IdP under test.
pub struct NewIdpHarness {
    fake: FakeNewIdp,
}

impl NewIdpHarness {
    /// Starts the fake, without users.
    pub async fn start() -> Staged<Self> {
        Ok(Self { fake: FakeNewIdp::start().await? })
    }

    /// The settings of the right provider.
    pub fn config(&self) -> NewIdpConfig {
        NewIdpConfig::new(self.fake.url(), Secret::new(FakeNewIdp::TOKEN))
    }

    /// Builds a provider from settings that a test has changed.
    pub fn build(&self, config: NewIdpConfig) -> Staged<NewIdp> {
        Ok(NewIdp::build(config, &ConnectorContext::new(TenantId::new("conformance")?))?)
    }

    fn provider_of(&self, config: NewIdpConfig) -> Staged<Arc<dyn IdentityProvider>> {
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
        // A line here is something left to stage, or to give the reason for why New IdP can never do it.
        let reason = match need {
            Need::ServiceAccount => "not written yet: does New IdP keep service accounts among its users?",
            Need::Login => "not written yet: let the fake check passwords, and people log in",
            Need::SelfEdit => "not written yet: let the fake's users edit what they can edit of themselves",
            Need::SecondEmail => "not written yet: can a user of New IdP have more than one address?",
            Need::SecondOrigin => "not written yet: does the connector speak to a second origin, such as a public API?",
            Need::UnacceptedMail(_) => "not written yet: can New IdP's success say that it sends no mail?",
            Need::Mails => "not written yet: let the fake keep the mails that it would have sent",
            Need::UndeliverableMail => "not written yet: how does New IdP tell that a mail could not be sent?",
            Need::Control(Control::WrongRealm) => "not written yet: is there a realm, pool or domain to get wrong?",
            Need::Control(Control::NarrowRole) => "not written yet: is there a right with which searches find nobody?",
            Need::Control(Control::ReadOnlyRole) => {
                "not written yet: give the fake a token that may not write, and let the diagnosis notice"
            }
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.provider_of(self.config())
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
            other => return Err(format!("the harness does not know the control {other:?}").into()),
        };
        self.provider_of(config)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.fake.url())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        base_url.clone_into(&mut config.url);
        self.provider_of(config)
    }
}
