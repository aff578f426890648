//! The harness of a definition.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use idp_bridge_conformance::{
    CommonAddress, Control, Harness, Need, NewUser, Recording, RecordingRelay, SecondOrigin, Setup, TestResult,
    async_trait,
};
use idp_bridge_connector_http::{Definition, Http, HttpConfig, StagedUser, Staging};
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, ConnectorContext, CustomerId, Email, IdentityProvider, TenantId, UserId,
};

use crate::mail_server::MailServer;

/// A real server, as a definition describes it.
pub struct DefinitionHarness {
    name: String,
    definition: Arc<Definition>,
    config: HttpConfig,
    /// The settings with the origins that the suite's proxies stand in front of.
    origins: Vec<String>,
    staging: Staging,
    reserved: Vec<UserId>,
    mails: MailServer,
    /// The address of all origins, if there are several.
    common: Option<CommonAddress>,
    state: Mutex<State>,
    /// A fake server that stops with the harness.
    kept: Option<Box<dyn std::any::Any + Send + Sync>>,
}

/// The state that changes while cases run.
#[derive(Default)]
struct State {
    /// The users to delete in the end, with their first addresses.
    created: Vec<(UserId, Option<Email>)>,
    /// The folder for recorded requests, and the relays that record them.
    recording: Option<Recording>,
    relays: Vec<RecordingRelay>,
}

/// The password of users without one.
const PASSWORD: &str = "Vw7-quite-a-Long-password";

impl DefinitionHarness {
    /// Prepares the server.
    ///
    /// The products' mails go to `smtp_port` on 127.0.0.1; 0 chooses a free port, for products that the stage configures.
    pub async fn start(name: String, text: String, config: HttpConfig, smtp_port: u16) -> TestResult<Self> {
        let definition = Arc::new(crate::parse(&name, &text)?);
        let staging = Staging::new(&definition, &config, &context()?)?;
        let reserved = definition.reserved_ids().iter().map(UserId::new).collect::<Result<_, _>>()?;
        let mails = MailServer::start(smtp_port).await?;
        staging.prepare(&scope(), "127.0.0.1", mails.port()).await?;
        let mut origins = definition.origins();
        origins.retain(|name| config.settings.contains_key(name));
        let urls: Vec<String> = origins.iter().filter_map(|name| config.settings.get(name).cloned()).collect();
        let common = if urls.len() > 1 { Some(CommonAddress::start(&urls).await?) } else { None };
        Ok(Self {
            name: format!("http:{name} (real)"),
            definition,
            config,
            origins,
            staging,
            reserved,
            mails,
            common,
            state: Mutex::default(),
            kept: None,
        })
    }

    /// Sets the title of the report.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Keeps a fake server as long as the harness.
    #[must_use]
    pub fn keep(mut self, server: impl Send + Sync + 'static) -> Self {
        self.kept = Some(Box::new(server));
        self
    }

    /// Records the requests of providers that are built from now on, and their responses.
    pub fn record(&self) -> Recording {
        let recording = Recording::default();
        self.state().recording = Some(recording.clone());
        recording
    }

    /// Returns the port of the suite's mail server on 127.0.0.1.
    pub fn smtp_port(&self) -> u16 {
        self.mails.port()
    }

    /// Deletes the users that were created. Returns how many are left.
    pub async fn clean_up(&self) -> TestResult<usize> {
        let created = std::mem::take(&mut self.state().created);
        if !self.definition.capabilities().call(CallKind::Delete).is_possible() {
            return Ok(created.len());
        }
        let provider = Http::with_definition(&self.definition, &self.config, &context()?)?;
        let mut left = 0;
        for (id, _) in created {
            left += usize::from(provider.delete(&scope(), &id).await.is_err());
        }
        Ok(left)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts relays in front of the origins, if requests are recorded.
    async fn relayed(&self, mut config: HttpConfig) -> TestResult<HttpConfig> {
        let Some(recording) = self.state().recording.clone() else { return Ok(config) };
        for name in &self.origins {
            let Some(url) = config.settings.get_mut(name) else { continue };
            let relay = RecordingRelay::start(url, &recording).await?;
            *url = relay.base_url();
            self.state().relays.push(relay);
        }
        Ok(config)
    }

    /// Sends the requests to each origin to the proxy of its position.
    fn send_to(&self, config: &mut HttpConfig, proxies: &[&str]) {
        for (index, (name, proxy)) in self.origins.iter().zip(proxies).enumerate() {
            let path = self.config.settings.get(name).and_then(|url| url.splitn(4, '/').nth(3)).unwrap_or_default();
            let common = format!("{proxy}/{index}/{path}");
            let url = if self.common.is_some() { common.trim_end_matches('/') } else { proxy };
            config.settings.insert(name.clone(), url.to_owned());
        }
    }

    fn origin(&self, index: usize) -> TestResult<String> {
        let url = self.origins.get(index).and_then(|name| self.config.settings.get(name));
        Ok(url.ok_or("the settings lack an origin of the definition")?.clone())
    }
}

fn context() -> TestResult<ConnectorContext> {
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
        let missing = match need {
            Need::Login if !self.staging.can_log_in() => Some("the stage of the definition has no `log_in`"),
            Need::ChangeEmail if !self.staging.can_change_email() => {
                Some("the stage of the definition has no `change_email`")
            }
            Need::SecondEmail => Some("a stage creates users with one address"),
            Need::SecondOrigin if self.origins.len() < 2 => Some("the product has one origin"),
            Need::SelfEdit if !self.staging.can_edit_self() => Some("the stage of the definition has no `edit_self`"),
            Need::Control(control) if !self.staging.has_control(control_name(control)) => {
                Some("the stage of the definition has no such control")
            }
            _ => None,
        };
        let reasons = self.staging.not_applicable();
        let about_mails =
            matches!(need, Need::UndeliverableMail | Need::UnacceptedMail(_)).then(|| reasons.get("mails"));
        let declared = reasons.get(need_name(need)).or(about_mails.flatten()).cloned();
        declared.or_else(|| missing.map(str::to_owned))
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let mut config = self.config.clone();
        match setup {
            Setup::Working | Setup::WithoutFederation => {}
            Setup::Broken(control) => config = self.staging.with_control(&config, control_name(control)),
            Setup::At(proxy) => self.send_to(&mut config, &[proxy; 2]),
            Setup::AtTwo(first, second) => self.send_to(&mut config, &[first, second]),
            other => return Err(other.unsupported()),
        }
        let config = self.relayed(config).await?;
        Ok(Arc::new(Http::with_definition(&self.definition, &config, &context()?)?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let staged = StagedUser {
            email: user.email.as_ref().map(|email| email.as_str()),
            customer: user.customers.first().map(|customer| customer.as_str()),
            verified: user.email_verified,
            blocked: user.blocked,
            password: user.password.as_deref().unwrap_or(PASSWORD),
        };
        let id = UserId::new(self.staging.create(&scope(), staged).await?)?;
        self.state().created.push((id.clone(), user.email));
        Ok(id)
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        self.reserved.clone()
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        Ok(self.staging.change_email(&scope(), id.as_str(), email.as_str()).await?)
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        Ok(self.staging.log_in(&scope(), email.as_str(), password).await?)
    }

    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        let is_own = |own: &Option<Email>| own.as_ref() == Some(email);
        let id = self.state().created.iter().find(|(_, own)| is_own(own)).map(|(id, _)| id.clone());
        let id = id.ok_or("the harness did not create a user with this address")?;
        let (email, customer) = (Some(email.as_str()), Some(value.as_str()));
        let user = StagedUser { email, customer, password, ..StagedUser::default() };
        Ok(self.staging.edit_self(&scope(), id.as_str(), user).await?)
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.mails.count(email.as_str()).await)
    }

    async fn upstream(&self) -> TestResult<String> {
        self.common.as_ref().map_or_else(|| self.origin(0), |common| Ok(common.base_url()))
    }

    async fn second_origin(&self) -> TestResult<SecondOrigin> {
        Ok(SecondOrigin { url: self.upstream().await?, credentials: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use idp_bridge_connector_http::catalog;

    use super::*;

    #[test]
    fn definitions_accept_the_names_of_the_suite() {
        let controls = [
            Control::WrongSecret,
            Control::WrongRealm,
            Control::MissingRole,
            Control::NarrowRole,
            Control::ReadOnlyRole,
        ];
        let needs = [
            Need::NoEmail,
            Need::NoCustomer,
            Need::SeveralCustomers,
            Need::SharedCustomer,
            Need::SharedEmail,
            Need::UnusualCustomer,
            Need::BlockedUser,
            Need::ServiceAccount,
            Need::Mails,
            Need::UndeliverableMail,
            Need::UnacceptedMail(CallKind::SendVerificationEmail),
            Need::SecondEmail,
            Need::SelfEdit,
            Need::SecondOrigin,
            Need::Login,
            Need::ChangeEmail,
        ];
        let (start, _) = catalog::SCAFFOLD.split_once("[stage.not_applicable]").unwrap();
        let mut text = format!("{start}[stage.not_applicable]\n");
        for name in controls.map(control_name).into_iter().chain(needs.map(need_name)) {
            text += &format!("{name} = \"a reason\"\n");
        }
        text += "[stage.controls]\n";
        for name in controls.map(control_name) {
            text += &format!("{name} = {{ token = \"x\" }}\n");
        }
        assert!(Definition::parse(&text).is_ok(), "{:?}", Definition::parse(&text).err());
    }

    #[tokio::test]
    async fn needs_and_reserved_ids_are_those_of_the_definition() {
        let text = catalog::SCAFFOLD.replacen("[id]\n", "[id]\nreserved = [\"me\"]\n", 1);
        let mut config = HttpConfig::default();
        config.settings.insert("url".to_owned(), "http://127.0.0.1:1".to_owned());
        config.secrets.insert("token".to_owned(), idp_bridge_core::Secret::new("t"));
        let harness = DefinitionHarness::start("scaffold".to_owned(), text, config, 0).await.unwrap();
        assert_eq!(harness.reserved_ids(), [UserId::new("me").unwrap()]);
        assert_eq!(harness.not_applicable(Need::NoEmail).as_deref(), Some("not written yet"));
        for need in [Need::SelfEdit, Need::SecondEmail, Need::Login, Need::ChangeEmail] {
            assert!(harness.not_applicable(need).is_some_and(|reason| reason.contains("stage")), "{need:?}");
        }
    }
}
