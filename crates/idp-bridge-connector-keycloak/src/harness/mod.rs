//! The harness of the conformance suite, for any Keycloak: the fake, or a real one with an administrator's password.
//!
//! Each harness makes a realm of its own, so that several can use one Keycloak at a time.

mod admin;
mod federation;
mod mails;
mod realm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use async_trait::async_trait;
use idp_bridge_conformance::fake::FakeServer;
use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, Staged, UserKind};
use idp_bridge_core::{
    Capabilities, Connector, ConnectorContext, CustomerId, Directory, Email, IdentityProvider, Random as _, Result,
    Secret, SystemRandom, TenantId, UserId,
};
use idp_bridge_http::{Request, Url, header};
use serde_json::{Map, Value, json};

use admin::Administrator;
use federation::BackChannel;
pub use mails::{Maildir, Mails};

use crate::fake::FakeKeycloak;
use crate::{Keycloak, KeycloakConfig, KeycloakStore};

/// A Keycloak to be tested against.
#[derive(Clone)]
#[non_exhaustive]
pub struct Server {
    /// The name in the report.
    pub name: String,
    /// Its base URL.
    pub url: String,
    /// The user name of the administrator of the realm `master`.
    pub admin: String,
    /// The administrator's password.
    pub password: Secret,
    /// The mail server of its realms: a sink that refuses recipients beginning with `undeliverable`.
    pub smtp: SmtpServer,
    /// The mails that the sink received.
    pub mails: Arc<dyn Mails>,
    /// The fake, if it is one. It signs arbitrary tokens.
    pub fake: Option<Arc<FakeKeycloak>>,
}

/// The address of a mail server.
#[derive(Debug, Clone)]
pub struct SmtpServer {
    /// The host, as Keycloak reaches it.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Server {
    /// Creates the description of a real Keycloak.
    pub fn real(url: impl Into<String>, admin: (&str, &str), smtp: SmtpServer, mails: impl Mails) -> Self {
        Self {
            name: "keycloak".into(),
            url: url.into(),
            admin: admin.0.into(),
            password: Secret::new(admin.1),
            smtp,
            mails: Arc::new(mails),
            fake: None,
        }
    }

    /// Creates the description of a fake.
    pub fn fake(fake: Arc<FakeKeycloak>) -> Self {
        let (admin, password) = FakeKeycloak::ADMIN;
        Self {
            name: "keycloak (fake)".into(),
            url: fake.url(),
            admin: admin.into(),
            password: Secret::new(password),
            smtp: SmtpServer { host: "127.0.0.1".into(), port: 25 },
            mails: Arc::<FakeKeycloak>::clone(&fake),
            fake: Some(fake),
        }
    }
}

/// A realm of a Keycloak under test. Implements the suite's harness.
pub struct KeycloakHarness {
    server: Server,
    realm: String,
    administrator: Administrator,
    settings: fn(&mut KeycloakConfig),
    made: AtomicU32,
    back_channel: FakeServer<BackChannel>,
}

impl KeycloakHarness {
    /// Creates the realm, with clients and without users.
    pub async fn start(server: Server) -> Staged<Self> {
        let administrator = Administrator::new(&server.url, &server.admin, &server.password)?;
        let realm = format!("conformance-{}", SystemRandom.word()?);
        let back_channel = FakeServer::start(BackChannel::default()).await?;
        let representation = realm::representation(&realm, &server.smtp, &BackChannel::url(&back_channel));
        administrator.send(Request::post(administrator.at(&[])?).json(&representation)?).await?;
        Ok(Self { server, realm, administrator, settings: |_| {}, made: AtomicU32::new(0), back_channel })
    }

    /// Creates the realm in a new fake.
    pub async fn start_with_fake() -> Staged<Self> {
        Self::start(Server::fake(Arc::new(FakeKeycloak::start().await?))).await
    }

    /// Changes the settings of all its providers.
    #[must_use]
    pub fn with(mut self, settings: fn(&mut KeycloakConfig)) -> Self {
        self.settings = settings;
        self
    }

    /// Deletes the realm.
    pub async fn remove(&self) -> Staged<()> {
        self.administrator.send(Request::delete(self.at(&[])?)).await.map(drop)
    }

    /// Returns valid settings.
    pub fn config(&self) -> KeycloakConfig {
        self.config_with_client(realm::BRIDGE)
    }

    /// Returns settings with this client.
    fn config_with_client(&self, client: &str) -> KeycloakConfig {
        let mut config = KeycloakConfig::new(&self.server.url, &self.realm, client, Secret::new(realm::SECRET));
        realm::ATTRIBUTE.clone_into(&mut config.customer_attribute);
        (self.settings)(&mut config);
        config
    }

    /// Builds a provider from settings that a test has changed.
    pub fn build(&self, config: KeycloakConfig) -> Staged<Directory<KeycloakStore>> {
        Self::build_in(config, &Self::context()?)
    }

    fn build_in(config: KeycloakConfig, context: &ConnectorContext) -> Staged<Directory<KeycloakStore>> {
        Ok(Keycloak::build(config, context)?)
    }

    /// Creates a context with federation.
    fn context() -> Staged<ConnectorContext> {
        let mut context = ConnectorContext::new(TenantId::new("conformance")?);
        context.federation = Some(federation::settings());
        Ok(context)
    }

    /// Changes fields of the realm's RealmRepresentation.
    pub async fn change_realm(&self, settings: Value) -> Staged<()> {
        let mut settings = settings;
        if let Some(members) = settings.as_object_mut() {
            members.insert("realm".into(), json!(self.realm));
        }
        self.put(&[], &settings).await
    }

    /// Switches brute force detection, by which three wrong passwords lock a user.
    ///
    /// It is off at first, because it makes Keycloak refuse some correct passwords in quick succession
    /// (`user_temporarily_disabled`, seen on 26.7.3 in November 2026).
    pub async fn detect_brute_force(&self, on: bool) -> Staged<()> {
        let settings = json!({"bruteForceProtected": on, "failureFactor": 3, "quickLoginCheckMilliSeconds": 1});
        self.change_realm(settings).await
    }

    /// Sets the permissions of the customer attribute. `None` removes its declaration.
    pub async fn declare_customer(&self, permissions: Option<Value>) -> Staged<()> {
        let profile = realm::profile(permissions);
        self.put(&["users", "profile"], &profile).await
    }

    /// Makes the customer attribute required. Existing users without it stay.
    pub async fn require_customer(&self) -> Staged<()> {
        let profile = realm::profile_that_requires_customers();
        self.put(&["users", "profile"], &profile).await
    }

    /// Grants a role of `realm-management` to the bridge's client, or revokes it.
    pub async fn set_role(&self, role: &str, granted: bool) -> Staged<()> {
        let management = self.client("realm-management").await?;
        let user = self.service_account(realm::BRIDGE).await?;
        let role = self.read(&["clients", &management, "roles", role], &[]).await?;
        let role = json!([{"id": text(&role, "/id")?, "name": text(&role, "/name")?}]);
        let url = self.at(&["users", user.as_str(), "role-mappings", "clients", &management])?;
        let request = if granted { Request::post(url) } else { Request::delete(url) };
        self.administrator.send(request.json(&role)?).await.map(drop)
    }

    /// Changes fields of a user's UserRepresentation.
    pub async fn change_user(&self, id: &UserId, change: Value) -> Staged<()> {
        self.put(&["users", id.as_str()], &change).await
    }

    /// Returns the URL of a resource of the realm.
    fn at(&self, path: &[&str]) -> Result<Url> {
        self.administrator.at(&[&[self.realm.as_str()], path].concat())
    }

    async fn put(&self, path: &[&str], body: &Value) -> Staged<()> {
        self.administrator.send(Request::put(self.at(path)?).json(body)?).await.map(drop)
    }

    async fn read(&self, path: &[&str], query: &[(&str, &str)]) -> Staged<Value> {
        Ok(self.administrator.send(Request::get(self.at(path)?).query(query)).await?.json()?)
    }

    async fn client(&self, client_id: &str) -> Staged<String> {
        let clients = self.read(&["clients"], &[("clientId", client_id)]).await?;
        text(&clients, "/0/id")
    }

    async fn service_account(&self, client_id: &str) -> Staged<UserId> {
        let client = self.client(client_id).await?;
        let user = self.read(&["clients", &client, "service-account-user"], &[]).await?;
        Ok(UserId::new(text(&user, "/id")?)?)
    }

    async fn username_of(&self, email: &Email) -> Staged<String> {
        let query = [("email", email.as_str()), ("exact", "true"), ("max", "1")];
        text(&self.read(&["users"], &query).await?, "/0/username")
    }

    /// Creates a person with this user name.
    pub async fn create_named(&self, name: &str, user: &NewUser) -> Staged<UserId> {
        let mut representation = properties(user);
        representation.insert("username".into(), json!(name));
        if let Some(password) = &user.password {
            let credential = json!({"type": "password", "value": password, "temporary": false});
            representation.insert("credentials".into(), json!([credential]));
        }
        let response = self.administrator.send(Request::post(self.at(&["users"])?).json(&representation)?).await?;
        let location = response.headers.get(header::LOCATION).ok_or("a new user has no location")?.to_str()?;
        Ok(UserId::new(location.rsplit('/').next().unwrap_or_default())?)
    }

    async fn create_service_account(&self, user: &NewUser) -> Staged<UserId> {
        let name = self.new_name();
        let client = realm::service_account(&name);
        self.administrator.send(Request::post(self.at(&["clients"])?).json(&client)?).await?;
        let id = self.service_account(&name).await?;
        self.change_user(&id, properties(user).into()).await?;
        Ok(id)
    }

    fn new_name(&self) -> String {
        format!("made-{}", self.made.fetch_add(1, Relaxed))
    }

    fn provider_of(&self, config: KeycloakConfig) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(config)?))
    }
}

fn properties(user: &NewUser) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("enabled".into(), json!(!user.blocked));
    properties.insert("emailVerified".into(), json!(user.email_verified));
    if let Some(email) = &user.email {
        properties.insert("email".into(), json!(email));
    }
    if !user.customers.is_empty() {
        properties.insert("attributes".into(), json!({realm::ATTRIBUTE: user.customers}));
    }
    properties
}

fn text(value: &Value, pointer: &str) -> Staged<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("keycloak's answer has no text at `{pointer}`"))?.to_owned())
}

#[async_trait]
impl Harness for KeycloakHarness {
    fn name(&self) -> &str {
        &self.server.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Keycloak as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::Signing if self.server.fake.is_none() => "a real Keycloak does not sign arbitrary tokens",
            Need::UnacceptedMail(_) => "Keycloak reports every request for a mail that it does not accept",
            Need::SecondEmail => "a Keycloak user has one address",
            Need::SecondOrigin => "all of Keycloak's APIs have one origin",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.provider_of(self.config())
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        match user.kind {
            UserKind::Person => self.create_named(&self.new_name(), &user).await,
            UserKind::ServiceAccount => self.create_service_account(&user).await,
        }
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        ["count", "profile"].into_iter().filter_map(|id| UserId::new(id).ok()).collect()
    }

    async fn exists(&self, id: &UserId) -> Staged<bool> {
        let answer = self.administrator.send_unchecked(Request::get(self.at(&["users", id.as_str()])?)).await?;
        match answer.status.as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            status => Err(format!("reading a user answered {status}").into()),
        }
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.change_user(id, json!({"email": email})).await
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        let user = self.username_of(email).await?;
        Ok(self.administrator.can_log_in(&self.realm, realm::APPLICATION, &user, password).await?)
    }

    /// Uses the API of the account console: first with the attribute, which may be refused, then without it, which must succeed.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        let user = self.username_of(email).await?;
        let account = self.administrator.account(&self.realm, realm::APPLICATION, &user, password).await?;
        let mut own = account.read().await?;
        for name in ["firstName", "lastName"] {
            realm::put(&mut own, name, json!(value));
        }
        let mut forged = own.clone();
        realm::put(&mut forged, "attributes", json!({realm::ATTRIBUTE: [value]}));
        account.change(&forged).await?;
        let status = account.change(&own).await?;
        if status.is_success() { Ok(()) } else { Err(format!("editing the own name answered {status}").into()) }
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        self.server.mails.count(email.as_str())
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        match control {
            Control::WrongSecret => config.client_secret = Secret::new("wrong"),
            Control::WrongRealm => config.realm = "no-such-realm".into(),
            Control::MissingRole => config = self.config_with_client(realm::NO_ROLE),
            Control::NarrowRole => config = self.config_with_client(realm::NARROW),
            Control::ReadOnlyRole => config = self.config_with_client(realm::READ_ONLY),
            other => return Err(format!("the harness does not implement the control {other:?}").into()),
        }
        self.provider_of(config)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.server.url.clone())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        // As a proxy, so that the issuer does not change.
        let mut context = Self::context()?;
        context.outbound.proxy = Some(base_url.to_owned());
        Ok(Arc::new(Self::build_in(self.config(), &context)?))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
