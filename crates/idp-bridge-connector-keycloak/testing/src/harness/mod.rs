//! The harness of the conformance suite, for any Keycloak: the fake, or a real one with an administrator's password.
//!
//! Each harness makes a realm of its own, so that several can use one Keycloak at a time.

mod admin;
mod federation;
mod mails;
mod realm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use idp_bridge_conformance::fake::{FakeServer, SigningKey};
use idp_bridge_conformance::{
    Control, FederationHarness, Harness, Need, NewUser, Setup, TestResult, UserKind, async_trait, fixture,
};
use idp_bridge_connector_keycloak::{Keycloak, KeycloakConfig, KeycloakStore};
use idp_bridge_core::{
    Capabilities, Connector, ConnectorContext, CustomerId, Directory, Email, IdentityProvider, Random as _, Secret,
    SystemRandom, TenantId, UserId,
};
use keycloak::types::{
    ClientRepresentation, CredentialRepresentation, UPAttribute, UPAttributePermissions, UPAttributeRequired,
    UserRepresentation,
};
use keycloak::{DefaultResponse, KeycloakAdmin, KeycloakError, KeycloakRealmAdmin};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use admin::{Administrator, Login};
use federation::BackChannel;
pub use mails::{Maildir, Mails};

use crate::fake::FakeKeycloak;

/// The time limit of a request. A real Keycloak takes seconds for its first realm.
const TIMEOUT: Duration = Duration::from_secs(60);

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
    /// For the realm's public endpoints.
    http: reqwest::Client,
    made: AtomicU32,
    back_channel: FakeServer<BackChannel>,
}

impl KeycloakHarness {
    /// Creates the realm, with clients and without users.
    pub async fn start(server: Server) -> TestResult<Self> {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(TIMEOUT).build()?;
        let login = Login::new(http.clone(), &server.admin, &server.password);
        let administrator = KeycloakAdmin::new(&server.url, login, http.clone());
        let realm = format!("conformance-{}", SystemRandom.word()?);
        let back_channel = FakeServer::start(BackChannel::default()).await?;
        administrator.post(realm::representation(&realm, &server.smtp, &BackChannel::url(&back_channel))?).await?;
        let made = AtomicU32::new(0);
        let harness = Self { server, realm, administrator, http, made, back_channel };
        harness.declare_customer(Some(json!({"view": ["admin"], "edit": ["admin"]}))).await?;
        Ok(harness)
    }

    /// Creates the realm in a new fake.
    pub async fn start_with_fake() -> TestResult<Self> {
        Self::start(Server::fake(Arc::new(FakeKeycloak::start().await?))).await
    }

    /// Deletes the realm.
    pub async fn remove(&self) -> TestResult<()> {
        done(self.admin().delete().await)
    }

    /// Returns valid settings.
    #[expect(clippy::expect_used, reason = "a test with invalid settings must fail")]
    pub fn config(&self) -> KeycloakConfig {
        let settings = json!({
            "url": self.server.url, "realm": self.realm, "client_id": realm::BRIDGE, "client_secret": realm::SECRET,
            "customer_attribute": realm::ATTRIBUTE,
        });
        serde_json::from_value(settings).expect("the settings must be complete")
    }

    /// Creates a client with the rights of the bridge's, which authenticates with this key. Returns its settings.
    pub async fn config_with_key(&self, key: &SigningKey) -> TestResult<KeycloakConfig> {
        let name = self.new_name();
        self.admin().clients_post(realm::with_key(&name, key)).await?;
        self.set_role_of(&name, "manage-users", true).await?;
        let mut config = self.config();
        config.client_id = name;
        (config.client_secret, config.private_key) = (None, Some(Secret::new(key.private_pem()?)));
        Ok(config)
    }

    /// Returns the settings and the context of a setup.
    pub fn settings(&self, setup: Setup<'_>) -> TestResult<(KeycloakConfig, ConnectorContext)> {
        let (mut config, mut context) = (self.config(), Self::context()?);
        match setup {
            Setup::Working => {}
            Setup::Broken(Control::WrongSecret) => config.client_secret = Some(Secret::new("wrong")),
            Setup::Broken(Control::WrongRealm) => config.realm = "no-such-realm".into(),
            Setup::Broken(Control::MissingRole) => config.client_id = realm::NO_ROLE.into(),
            Setup::Broken(Control::NarrowRole) => config.client_id = realm::NARROW.into(),
            Setup::Broken(Control::ReadOnlyRole) => config.client_id = realm::READ_ONLY.into(),
            // As a proxy, so that the issuer does not change.
            Setup::At(base_url) => context.outbound.proxy = Some(base_url.to_owned()),
            Setup::WrongClientSecret => context.federation = Some(fixture::with_wrong_secret(federation::settings())),
            Setup::WithoutFederation => context.federation = None,
            other => return Err(other.unsupported()),
        }
        Ok((config, context))
    }

    /// Builds a provider from settings that a test has changed.
    pub fn build(&self, config: KeycloakConfig) -> TestResult<Directory<KeycloakStore>> {
        Ok(Keycloak::build(config, &Self::context()?)?)
    }

    /// Creates a context with federation.
    fn context() -> TestResult<ConnectorContext> {
        let mut context = ConnectorContext::new(TenantId::new("conformance")?);
        context.federation = Some(federation::settings());
        Ok(context)
    }

    /// Changes fields of the realm's RealmRepresentation.
    pub async fn change_realm(&self, settings: Value) -> TestResult<()> {
        let mut settings: keycloak::types::RealmRepresentation = serde_json::from_value(settings)?;
        settings.realm = Some(self.realm.clone());
        done(self.admin().put(settings).await)
    }

    /// Switches brute force detection, by which three wrong passwords lock a user.
    ///
    /// It is off at first, because it makes Keycloak refuse some correct passwords in quick succession
    /// (`user_temporarily_disabled`, seen on 26.7.3 in November 2026).
    pub async fn detect_brute_force(&self, on: bool) -> TestResult<()> {
        let settings = json!({"bruteForceProtected": on, "failureFactor": 3, "quickLoginCheckMilliSeconds": 1});
        self.change_realm(settings).await
    }

    /// Declares the customer attribute with these permissions. `None` removes its declaration.
    pub async fn declare_customer(&self, permissions: Option<Value>) -> TestResult<()> {
        let permissions: Option<UPAttributePermissions> = permissions.map(serde_json::from_value).transpose()?;
        self.set_profile(permissions.map(|own| UPAttribute { permissions: Some(own), ..UPAttribute::default() })).await
    }

    /// Makes the customer attribute required. Existing users without it stay.
    pub async fn require_customer(&self) -> TestResult<()> {
        let permissions = serde_json::from_value(json!({"view": ["admin"], "edit": ["admin"]}))?;
        let required = Some(UPAttributeRequired::default());
        self.set_profile(Some(UPAttribute { permissions, required, ..UPAttribute::default() })).await
    }

    async fn set_profile(&self, customer: Option<UPAttribute>) -> TestResult<()> {
        self.admin().users_profile_put(realm::profile(customer)?).await?;
        Ok(())
    }

    /// Grants a role of `realm-management` to the bridge's client, or revokes it.
    pub async fn set_role(&self, role: &str, granted: bool) -> TestResult<()> {
        self.set_role_of(realm::BRIDGE, role, granted).await
    }

    async fn set_role_of(&self, client: &str, role: &str, granted: bool) -> TestResult<()> {
        let admin = self.admin();
        let management = self.client("realm-management").await?.id.unwrap_or_default();
        let user = self.service_account(client).await?;
        let role = vec![admin.clients_with_client_uuid_roles_with_role_name_get(&management, role).await?];
        let user = user.as_str();
        done(if granted {
            admin.users_with_user_id_role_mappings_clients_with_client_id_post(user, &management, role).await
        } else {
            admin.users_with_user_id_role_mappings_clients_with_client_id_delete(user, &management, role).await
        })
    }

    /// Changes fields of a user's UserRepresentation.
    pub async fn change_user(&self, id: &UserId, change: Value) -> TestResult<()> {
        done(self.admin().users_with_user_id_put(id.as_str(), serde_json::from_value(change)?).await)
    }

    /// Returns the administrator's client of the realm.
    fn admin(&self) -> KeycloakRealmAdmin<'_, Login> {
        self.administrator.realm(&self.realm)
    }

    /// Reads the client with this client id.
    async fn client(&self, client_id: &str) -> TestResult<ClientRepresentation> {
        let found = self.admin().clients_get().client_id(client_id.to_owned()).await?;
        Ok(found.into_iter().next().ok_or("no such client")?)
    }

    async fn service_account(&self, client_id: &str) -> TestResult<UserId> {
        let client = self.client(client_id).await?.id.unwrap_or_default();
        let user = self.admin().clients_with_client_uuid_service_account_user_get(&client).await?;
        Ok(UserId::new(user.id.unwrap_or_default())?)
    }

    /// Reads a user with this address.
    async fn user(&self, email: &Email) -> TestResult<UserRepresentation> {
        let found = self.admin().users_get().email(email.as_str().to_owned()).exact(true).max(1).await?;
        Ok(found.into_iter().next().ok_or("no such user")?)
    }

    /// Creates a person with this user name.
    pub async fn create_named(&self, name: &str, user: &NewUser) -> TestResult<UserId> {
        let password = user.password.clone().map(|password| CredentialRepresentation {
            type_: Some("password".into()),
            value: Some(password),
            temporary: Some(false),
            ..CredentialRepresentation::default()
        });
        let representation = UserRepresentation {
            username: Some(name.to_owned()),
            credentials: password.map(|password| vec![password]),
            ..representation(user)
        };
        let created = self.admin().users_post(representation).await?;
        Ok(UserId::new(created.to_id().ok_or("a new user has no location")?)?)
    }

    async fn create_service_account(&self, user: &NewUser) -> TestResult<UserId> {
        let name = self.new_name();
        self.admin().clients_post(realm::service_account(&name)).await?;
        let id = self.service_account(&name).await?;
        self.admin().users_with_user_id_put(id.as_str(), representation(user)).await?;
        Ok(id)
    }

    fn new_name(&self) -> String {
        format!("made-{}", self.made.fetch_add(1, Relaxed))
    }
}

/// Returns the UserRepresentation, without a user name.
fn representation(user: &NewUser) -> UserRepresentation {
    let customers: Vec<String> = user.customers.iter().map(|customer| customer.as_str().to_owned()).collect();
    UserRepresentation {
        enabled: Some(!user.blocked),
        email_verified: Some(user.email_verified),
        email: user.email.as_ref().map(|email| email.as_str().to_owned()),
        attributes: (!customers.is_empty()).then(|| [(realm::ATTRIBUTE.to_owned(), customers)].into()),
        ..UserRepresentation::default()
    }
}

/// Discards the response to a write.
fn done(result: Result<DefaultResponse, KeycloakError>) -> TestResult<()> {
    result?;
    Ok(())
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

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let (config, context) = self.settings(setup)?;
        Ok(Arc::new(Keycloak::build(config, &context)?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        match user.kind {
            UserKind::Person => self.create_named(&self.new_name(), &user).await,
            UserKind::ServiceAccount => self.create_service_account(&user).await,
        }
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        ["count", "profile"].into_iter().filter_map(|id| UserId::new(id).ok()).collect()
    }

    async fn exists(&self, id: &UserId) -> TestResult<bool> {
        match self.admin().users_with_user_id_get(id.as_str()).await {
            Ok(_) => Ok(true),
            Err(KeycloakError::HttpFailure { status: 404, .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.change_user(id, json!({"email": email})).await
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        match self.request_tokens(realm::APPLICATION, email, password, "").await?.status().as_u16() {
            200 => Ok(true),
            400 | 401 => Ok(false),
            status => Err(format!("a login answered {status}").into()),
        }
    }

    /// Uses the API of the account console: first with the attribute, which may be refused, then without it, which must succeed.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        let tokens = self.log_in_at(realm::APPLICATION, email, password, "").await?;
        let (url, token) = (format!("{}/realms/{}/account", self.server.url, self.realm), tokens.access.expose());
        let account = self.http.get(&url).query(&[("userProfileMetadata", "false")]).bearer_auth(token);
        let account = account.header("accept", "application/json").send().await?.error_for_status()?;
        let mut own: UserRepresentation = account.json().await?;
        (own.first_name, own.last_name) = (Some(value.as_str().into()), Some(value.as_str().into()));
        let attributes = Some([(realm::ATTRIBUTE.to_owned(), vec![value.as_str().to_owned()])].into());
        let forged = UserRepresentation { attributes, ..own.clone() };
        self.http.post(&url).bearer_auth(token).json(&forged).send().await?;
        self.http.post(&url).bearer_auth(token).json(&own).send().await?.error_for_status()?;
        Ok(())
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        self.server.mails.count(email.as_str())
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.server.url.clone())
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
