//! The conformance harness for the fake.

pub(crate) mod federation;

use std::collections::BTreeMap;

use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, SecondOrigin, Staged, async_trait};
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Clock as _, Connector, ConnectorContext, CustomerId, Directory, Email,
    FederationSettings, IdentityProvider, OutboundPolicy, Secret, SystemClock, TenantId, UserId,
};
use idp_bridge_http::{BaseUrl, Client, Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::fake::{Application, Connection, FakeAuth0, Key};
use crate::{Auth0, Auth0Config, Auth0Store};

/// The bridge's application.
const BRIDGE: &str = "bridge";
/// The bridge's application with a key instead of a secret.
const WITH_KEY: &str = "bridge-with-key";
/// The scopes of both applications.
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
/// A bridge's application without scopes.
const NO_SCOPE: &str = "no-scope";
/// A bridge's application that may only read.
const READ_ONLY: &str = "read-only";
/// The application that creates users.
const ADMINISTRATOR: &str = "administrator";
/// The application that users log in to.
const APPLICATION: &str = "application";
/// The secret of all applications.
const SECRET: &str = "s3cret-of-the-harness";
/// The default database, and a second one for users with an address that is taken in the first.
const DATABASES: [&str; 2] = ["Username-Password-Authentication", "Other-Passwords"];
/// The connection of users without an address.
const SMS: &str = "sms";

/// A harness with a fake tenant.
pub struct Auth0Harness {
    fake: Arc<FakeAuth0>,
    http: Client,
    base: BaseUrl,
    settings: fn(&mut Auth0Config),
    made: AtomicU32,
}

impl Auth0Harness {
    /// Starts a tenant with applications and connections, without users.
    pub async fn start() -> Staged<Self> {
        let fake = FakeAuth0::start().await?;
        fake.with(|tenant| {
            tenant.applications = vec![
                Application::machine(BRIDGE, SECRET, &SCOPES),
                Application::machine(NO_SCOPE, SECRET, &[]),
                Application::machine(READ_ONLY, SECRET, &["read:users"]),
                Application::machine(ADMINISTRATOR, SECRET, &["create:users"]),
            ];
            federation::set_up(tenant);
            tenant.connections = DATABASES.iter().map(|name| Connection::new(name, "auth0")).collect();
            tenant.connections.push(Connection::new(SMS, "sms"));
            tenant.connections.push(Connection::new("google-oauth2", "google-oauth2"));
            tenant.templates = BTreeMap::from([("verify_email".into(), true), ("reset_email".into(), true)]);
        });
        let policy = OutboundPolicy::default();
        let (http, base) = (Client::new(&policy)?, BaseUrl::parse(&fake.url(), &policy)?);
        Ok(Self { fake: Arc::new(fake), http, base, settings: |_| {}, made: AtomicU32::new(0) })
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
        self.config_for(BRIDGE)
    }

    /// Returns the settings of a provider with this application.
    fn config_for(&self, client_id: &str) -> Auth0Config {
        let mut config = Auth0Config::new(FakeAuth0::DOMAIN, client_id, Secret::new(SECRET));
        config.endpoint = Some(self.fake.url());
        config.connection = DATABASES.first().map(|name| (*name).into());
        config.email_client_id = Some(APPLICATION.into());
        (self.settings)(&mut config);
        config
    }

    /// Returns the settings of a provider that authenticates with a new key.
    pub fn config_with_key(&self) -> Staged<Auth0Config> {
        let key = Key::generate()?;
        let application = Application::machine_with_key(WITH_KEY, &key.public, &SCOPES);
        self.fake.with(|tenant| {
            tenant.applications.retain(|own| own.client_id != WITH_KEY);
            tenant.applications.push(application);
        });
        let mut config = self.config_for(WITH_KEY);
        (config.client_secret, config.private_key) = (None, Some(key.private));
        Ok(config)
    }

    /// Builds a provider.
    pub fn build(&self, config: Auth0Config) -> Staged<Directory<Auth0Store>> {
        self.build_with(config, Some(federation::settings()))
    }

    /// Builds a provider with these federation settings.
    pub fn build_with(
        &self,
        config: Auth0Config,
        federation: Option<FederationSettings>,
    ) -> Staged<Directory<Auth0Store>> {
        let context = ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("conformance")?) };
        Ok(Auth0::build(config, &context)?)
    }

    fn build_shared(&self, config: Auth0Config) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(config)?))
    }

    async fn create_in(&self, token: &Secret, connection: &str, user: &NewUser) -> Staged<Response> {
        let mut given = json!({"connection": connection, "blocked": user.blocked});
        let number = self.made.fetch_add(1, Relaxed);
        let mut put =
            |name: &str, value: Value| given.as_object_mut().map(|members| members.insert(name.into(), value));
        match &user.email {
            Some(email) => {
                put("email", json!(email));
                put("email_verified", json!(user.email_verified));
                put("password", json!(user.password.as_deref().unwrap_or("Passw0rd-of-no-one")));
            }
            None => {
                put("phone_number", json!(format!("+4915100{number:05}")));
            }
        }
        match user.customers.as_slice() {
            [] => None,
            [customer] => put("app_metadata", json!({"customer_id": customer})),
            customers => put("app_metadata", json!({"customer_id": customers})),
        };
        let request = Request::post(self.base.join(&["api", "v2", "users"])?).json(&given)?.bearer(token)?;
        Ok(self.http.send(&scope(), request).await?)
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

    async fn token(&self, form: &[(&str, &str)]) -> Staged<Response> {
        let request = Request::post(self.base.join(&["oauth", "token"])?).read_only().form(form);
        Ok(self.http.send(&scope(), request).await?)
    }
}

fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(60))
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

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build_shared(self.config())
    }

    async fn create(&self, user: NewUser) -> Staged<UserId> {
        let audience = format!("https://{}/api/v2/", FakeAuth0::DOMAIN);
        let answer = self
            .token(&[
                ("grant_type", "client_credentials"),
                ("audience", &audience),
                ("client_id", ADMINISTRATOR),
                ("client_secret", SECRET),
            ])
            .await?;
        let token = Secret::new(text(&answer.json()?, "access_token")?);
        let connections = if user.email.is_some() { &DATABASES[..] } else { &[SMS] };
        for connection in connections {
            let answer = self.create_in(&token, connection, &user).await?;
            match answer.status.as_u16() {
                201 => {
                    let id = UserId::new(text(&answer.json()?, "user_id")?)?;
                    if let Some((second, verified)) = &user.second_email {
                        self.link(&id, second, *verified);
                    }
                    return Ok(id);
                }
                409 => {}
                status => return Err(format!("{status}: {}", answer.text().unwrap_or_default()).into()),
            }
        }
        Err("the address is taken in every database".into())
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        ["../tenants/settings", "../../v2/users", "users", "auth0", "|", "auth0|", "|auth0", "%7C", "."]
            .into_iter()
            .filter_map(|id| UserId::new(id).ok())
            .collect()
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.fake.change(id.as_str(), |user| {
            if let Some(own) = user.get_mut("email") {
                *own = json!(email);
            }
            if let Some(time) = user.get_mut("updated_at") {
                *time = json!(SystemClock.now());
            }
        });
        Ok(())
    }

    /// Writes `user_metadata`, the only member that users can write.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        let id = self.fake.with(|tenant| tenant.id_of(email.as_str())).ok_or("no user has this address")?;
        let written = json!({"customer_id": value, "app_metadata": {"customer_id": value}});
        self.fake.change(&id, |user| {
            if let Some(members) = user.as_object_mut() {
                members.insert("user_metadata".into(), written);
            }
        });
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        let realm = DATABASES.first().copied().unwrap_or_default();
        let answer = self
            .token(&[
                ("grant_type", "password"),
                ("client_id", APPLICATION),
                ("client_secret", SECRET),
                ("realm", realm),
                ("username", email.as_str()),
                ("password", password),
            ])
            .await?;
        Ok(answer.status.is_success())
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        Ok(self.fake.mails().iter().filter(|mail| mail.to.eq_ignore_ascii_case(email.as_str())).count())
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        match control {
            Control::WrongSecret => config.client_secret = Some(Secret::new("wrong")),
            Control::WrongRealm => config.domain = "no-such-tenant.eu.auth0.com".into(),
            Control::MissingRole => config = self.config_for(NO_SCOPE),
            Control::ReadOnlyRole => config = self.config_for(READ_ONLY),
            other => return Err(format!("the harness does not support the control {other:?}").into()),
        }
        self.build_shared(config)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.fake.url())
    }

    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        config.endpoint = Some(base_url.to_owned());
        self.build_shared(config)
    }

    /// Returns the origin of the Authentication API, a custom domain.
    async fn second_origin(&self) -> Staged<SecondOrigin> {
        Ok(SecondOrigin { url: self.fake.url(), credentials: vec![SECRET.to_owned()] })
    }

    async fn provider_at_two(&self, first: &str, second: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        (config.endpoint, config.login_endpoint) = (Some(first.to_owned()), Some(second.to_owned()));
        self.build_shared(config)
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}

fn text(value: &Value, name: &str) -> Staged<String> {
    let text = value.get(name).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("auth0's response has no text `{name}`"))?.to_owned())
}
