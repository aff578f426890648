//! The conformance harness for the fake.

pub mod federation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use idp_bridge_conformance::fake::SigningKey;
use idp_bridge_conformance::{
    Control, FederationHarness, Harness, Need, NewUser, SecondOrigin, Setup, TestResult, async_trait, fixture,
};
use idp_bridge_connector_auth0::{Auth0, Auth0Config, Auth0Store};
use idp_bridge_core::{
    CallKind, Capabilities, Clock as _, Connector, ConnectorContext, CustomerId, Directory, Email, FederationSettings,
    IdentityProvider, Secret, SystemClock, TenantId, UserId,
};
use serde_json::{Value, json};

use crate::fake::{Application, FakeAuth0, now};

/// The bridge's application.
const BRIDGE: &str = "bridge";
/// The scopes of the bridge's application.
const SCOPES: [&str; 8] = [
    "read:users",
    "update:users",
    "delete:users",
    "read:connections",
    "read:email_templates",
    "read:device_credentials",
    "delete:device_credentials",
    "read:clients",
];
/// A bridge's application with scopes for each user's own data only, which do not suffice for others.
const NO_SCOPE: &str = "no-scope";
/// A bridge's application that may only read.
const READ_ONLY: &str = "read-only";
/// The application that users log in to.
const APPLICATION: &str = "application";
/// The secret of all applications.
const SECRET: &str = "s3cret-of-the-harness";
/// The default database.
pub const DATABASE: &str = "Username-Password-Authentication";
/// A database for users with an address that is taken in the default one.
const OTHER_DATABASE: &str = "Other-Passwords";
/// The connection of users without an address.
const SMS: &str = "sms";

/// A harness with a fake tenant.
pub struct Auth0Harness {
    fake: FakeAuth0,
    settings: fn(&mut Auth0Config),
    made: AtomicU32,
}

impl Auth0Harness {
    /// Starts a tenant with applications and connections, without users.
    pub async fn start() -> TestResult<Self> {
        let fake = FakeAuth0::start().await?;
        fake.with(|tenant| {
            tenant.applications = vec![
                Application::machine(BRIDGE, SECRET, &SCOPES),
                Application::machine(NO_SCOPE, SECRET, &["read:current_user", "delete:current_user"]),
                Application::machine(READ_ONLY, SECRET, &["read:users"]),
            ];
            federation::set_up(tenant);
            let databases = [DATABASE, OTHER_DATABASE].map(|name| (name, "auth0"));
            let connections = databases.into_iter().chain([SMS, "google-oauth2"].map(|name| (name, name)));
            tenant.connections = connections.map(|(name, strategy)| (name.to_owned(), strategy.to_owned())).collect();
            tenant.templates = BTreeMap::from([("verify_email".into(), true), ("reset_email".into(), true)]);
        });
        Ok(Self { fake, settings: |_| {}, made: AtomicU32::new(0) })
    }

    /// Sets a function that changes the settings of all providers.
    #[must_use]
    pub fn with(mut self, settings: fn(&mut Auth0Config)) -> Self {
        self.settings = settings;
        self
    }

    /// Returns the tenant.
    pub fn fake(&self) -> &FakeAuth0 {
        &self.fake
    }

    /// Returns the settings of the healthy provider.
    pub fn config(&self) -> Auth0Config {
        let mut config = Auth0Config::new(FakeAuth0::DOMAIN, BRIDGE, Secret::new(SECRET));
        config.endpoint = Some(self.fake.url());
        config.connection = Some(DATABASE.into());
        config.email_client_id = Some(APPLICATION.into());
        (self.settings)(&mut config);
        config
    }

    /// Returns the settings of a provider that authenticates with a new key, which replaces the secret at the fake too.
    pub fn config_with_key(&self) -> TestResult<Auth0Config> {
        let (mut config, key) = (self.config(), SigningKey::rs256("unused")?);
        config.client_id = "bridge-with-key".into();
        (config.client_secret, config.private_key) = (None, Some(Secret::new(key.private_pem()?)));
        let mut application = Application::machine(&config.client_id, "", &SCOPES);
        (application.secret, application.jwk) = (None, Some(key.jwk()));
        self.fake.with(|tenant| tenant.applications.push(application));
        Ok(config)
    }

    /// Builds a provider.
    pub fn build(&self, config: Auth0Config) -> TestResult<Directory<Auth0Store>> {
        self.build_with(config, Some(federation::settings()))
    }

    /// Builds a provider with these federation settings.
    pub fn build_with(
        &self,
        config: Auth0Config,
        federation: Option<FederationSettings>,
    ) -> TestResult<Directory<Auth0Store>> {
        let context = ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("conformance")?) };
        Ok(Auth0::build(config, &context)?)
    }

    /// Links a social identity with another address to a user.
    fn link(&self, id: &UserId, email: &Email, verified: bool) {
        let number = self.made.fetch_add(1, Relaxed);
        let identity = json!({
            "connection": "google-oauth2", "provider": "google-oauth2", "user_id": format!("{number}"), "isSocial": true,
            "profileData": {"email": email, "email_verified": verified},
        });
        self.fake.change(id.as_str(), |user| {
            if let Some(identities) = user.get_mut("identities").and_then(Value::as_array_mut) {
                identities.push(identity);
            }
        });
    }
}

/// Sets members of an object.
pub(crate) fn extend(object: &mut Value, members: Value) {
    if let (Some(own), Value::Object(members)) = (object.as_object_mut(), members) {
        own.extend(members);
    }
}

#[async_trait]
impl Harness for Auth0Harness {
    fn name(&self) -> &str {
        "auth0 (fake)"
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Auth0 as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::ServiceAccount => "Auth0 has no service accounts among its users: applications are separate",
            Need::UnacceptedMail(CallKind::SendPasswordResetEmail) => {
                "Auth0 answers every request of a password reset with one sentence"
            }
            Need::UndeliverableMail => "Auth0 sends mails later, and reports no failed delivery",
            Need::Control(Control::NarrowRole) => {
                "Auth0 refuses a search without its scope, and never answers it with an empty list"
            }
            Need::ControlOf(Control::ReadOnlyRole, CallKind::SendPasswordResetEmail) => {
                "Auth0's Authentication API sends such mails without any scope"
            }
            Need::ForeignRefreshToken => "Auth0 accepts the revocation of unknown refresh tokens",
            Need::TypedLogoutToken => {
                "Auth0's logout tokens have the type of its other tokens, and are recognized by their event"
            }
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        let (mut config, mut federation) = (self.config(), Some(federation::settings()));
        match setup {
            Setup::Working => {}
            Setup::Broken(Control::WrongSecret) => config.client_secret = Some(Secret::new("wrong")),
            Setup::Broken(Control::WrongRealm) => config.domain = "no-such-tenant.eu.auth0.com".into(),
            Setup::Broken(Control::MissingRole) => config.client_id = NO_SCOPE.into(),
            Setup::Broken(Control::ReadOnlyRole) => config.client_id = READ_ONLY.into(),
            Setup::At(base_url) => config.endpoint = Some(base_url.to_owned()),
            Setup::AtTwo(first, second) => {
                (config.endpoint, config.login_endpoint) = (Some(first.to_owned()), Some(second.to_owned()));
            }
            Setup::WrongClientSecret => federation = federation.map(fixture::with_wrong_secret),
            Setup::WithoutFederation => federation = None,
            other => return Err(other.unsupported()),
        }
        Ok(Arc::new(self.build_with(config, federation)?))
    }

    async fn create(&self, user: NewUser) -> TestResult<UserId> {
        let metadata = match user.customers.as_slice() {
            [] => json!({}),
            [customer] => json!({"customer_id": customer}),
            customers => json!({"customer_id": customers}),
        };
        let mut given =
            json!({"blocked": user.blocked, "app_metadata": metadata, "created_at": now(), "updated_at": now()});
        let id = self.fake.with(|tenant| {
            let number = tenant.new_id();
            let connection = match &user.email {
                Some(email) => {
                    extend(&mut given, json!({"email": email, "email_verified": user.email_verified}));
                    let is_taken = tenant.find_in(Some(DATABASE), email.as_str()).is_some();
                    if is_taken { OTHER_DATABASE } else { DATABASE }
                }
                None => SMS,
            };
            let provider = if connection == SMS { "sms" } else { "auth0" };
            let id = format!("{provider}|{number}");
            let identity =
                json!({"connection": connection, "user_id": number, "provider": provider, "isSocial": false});
            extend(&mut given, json!({"user_id": id, "identities": [identity]}));
            tenant.passwords.extend(user.password.clone().map(|password| (id.clone(), password)));
            tenant.insert(given);
            id
        });
        let id = UserId::new(id)?;
        if let Some((second, verified)) = &user.second_email {
            self.link(&id, second, *verified);
        }
        Ok(id)
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        ["../tenants/settings", "../../v2/users", "users", "auth0", "|", "auth0|", "|auth0", "%7C", "."]
            .into_iter()
            .filter_map(|id| UserId::new(id).ok())
            .collect()
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        let members = json!({"email": email, "updated_at": SystemClock.now()});
        self.fake.change(id.as_str(), |user| extend(user, members));
        Ok(())
    }

    /// Writes `user_metadata`, the only member that users can write.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        let id = self.fake.with(|tenant| tenant.id_of(email.as_str())).ok_or("no user has this address")?;
        let written = json!({"customer_id": value, "app_metadata": {"customer_id": value}});
        self.fake.change(&id, |user| extend(user, json!({"user_metadata": written})));
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        Ok(self.fake.with(|tenant| tenant.log_in_to(DATABASE, email.as_str(), password)))
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        Ok(self.fake.mails().iter().filter(|mail| mail.to.eq_ignore_ascii_case(email.as_str())).count())
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.fake.url())
    }

    /// Returns the origin of the Authentication API, a custom domain.
    async fn second_origin(&self) -> TestResult<SecondOrigin> {
        Ok(SecondOrigin { url: self.fake.url(), credentials: vec![SECRET.to_owned()] })
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
