//! The harness of a definition.

use std::sync::Arc;
use std::time::Duration;

use idp_bridge_conformance::{Control, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_connector_http::{Definition, Http, HttpConfig, StagedUser, Staging};
use idp_bridge_core::{CallScope, Capabilities, ConnectorContext, Email, IdentityProvider, TenantId, UserId};

use crate::mail_server::MailServer;

/// A real server, as a definition describes it.
pub struct DefinitionHarness {
    name: String,
    definition: Definition,
    config: HttpConfig,
    /// The setting with the origin that the suite's proxy stands in front of.
    origin: String,
    staging: Staging,
    mails: MailServer,
}

/// The password of users without one.
const PASSWORD: &str = "Vw7-quite-a-Long-password";

impl DefinitionHarness {
    /// Prepares the server.
    ///
    /// `origin` is the setting of the origin that the suite's proxy stands in front of.
    pub async fn start(name: &str, text: &str, config: HttpConfig, origin: &str) -> Staged<Self> {
        let definition = Definition::parse(text).map_err(|problems| {
            problems.iter().map(|problem| format!("{name}: {problem}\n")).collect::<String>()
        })?;
        let staging = Staging::new(&definition, &config, &context()?.outbound)?;
        let mails = MailServer::start().await?;
        staging.prepare(&scope(), "127.0.0.1", mails.port()).await?;
        Ok(Self { name: format!("http:{name} (real)"), definition, config, origin: origin.to_owned(), staging, mails })
    }

    fn build(&self, config: &HttpConfig) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(Http::with_definition(&self.definition, config, &context()?.outbound)?))
    }
}

fn context() -> Staged<ConnectorContext> {
    Ok(ConnectorContext::new(TenantId::new("conformance")?))
}

/// Returns the scope of a request of the stage.
fn scope() -> CallScope {
    CallScope::new("stage", Duration::from_secs(20))
}

/// Returns the name of a control in `[stage.controls]` and `[stage.not_applicable]`.
fn control_name(control: Control) -> &'static str {
    match control {
        Control::WrongSecret => "wrong_secret",
        Control::WrongRealm => "wrong_realm",
        Control::MissingRole => "missing_role",
        Control::NarrowRole => "narrow_role",
        Control::ReadOnlyRole => "read_only_role",
        _ => "unknown",
    }
}

/// Returns the name of a need in `[stage.not_applicable]`.
fn need_name(need: Need) -> &'static str {
    match need {
        Need::NoEmail => "no_email",
        Need::NoCustomer => "no_customer",
        Need::SeveralCustomers => "several_customers",
        Need::SharedCustomer => "shared_customer",
        Need::SharedEmail => "shared_email",
        Need::UnusualCustomer => "unusual_customer",
        Need::BlockedUser => "blocked_user",
        Need::ServiceAccount => "service_account",
        Need::Mails => "mails",
        Need::UndeliverableMail => "undeliverable_mail",
        Need::UnacceptedMail(_) => "unaccepted_mail",
        Need::SecondEmail => "second_email",
        Need::SelfEdit => "self_edit",
        Need::SecondOrigin => "second_origin",
        Need::Login => "login",
        Need::ChangeEmail => "change_email",
        Need::Control(control) | Need::ControlOf(control, _) => control_name(control),
        _ => "other",
    }
}

#[async_trait]
impl Harness for DefinitionHarness {
    fn name(&self) -> &str {
        &self.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        self.definition.capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let (can_log_in, can_change_email) = self.staging.abilities();
        let missing = match need {
            Need::Login if !can_log_in => Some("the stage of the definition has no `log_in`"),
            Need::ChangeEmail if !can_change_email => Some("the stage of the definition has no `change_email`"),
            Need::SelfEdit => Some("a stage has no self-service"),
            Need::Control(control) if !self.staging.has_control(control_name(control)) => {
                Some("the stage of the definition has no such control")
            }
            _ => None,
        };
        let declared = self.staging.not_applicable().get(need_name(need)).cloned();
        declared.or_else(|| missing.map(str::to_owned))
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(&self.config)
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let staged = StagedUser {
            email: user.email.as_ref().map(|email| email.as_str()),
            customer: user.customers.first().map(|customer| customer.as_str()),
            verified: user.email_verified,
            blocked: user.blocked,
            password: user.password.as_deref().unwrap_or(PASSWORD),
        };
        Ok(UserId::new(self.staging.create(&scope(), staged).await?)?)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        Ok(self.staging.change_email(&scope(), id.as_str(), email.as_str()).await?)
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        Ok(self.staging.log_in(&scope(), email.as_str(), password).await?)
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        Ok(self.mails.count(email.as_str()).await)
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(&self.staging.with_control(&self.config, control_name(control)))
    }

    async fn upstream(&self) -> Staged<String> {
        let url = self.config.settings.get(&self.origin).ok_or("there is no setting with this origin")?;
        Ok(url.clone())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config.clone();
        config.settings.insert(self.origin.clone(), base_url.to_owned());
        self.build(&config)
    }
}
