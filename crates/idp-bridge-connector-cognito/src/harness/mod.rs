//! The harnesses of the conformance suite: for the fake, and for ministack.

mod application;
pub(crate) mod federation;
mod iam;
mod stand_in;
mod stand_in_federation;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::{Control, FederationHarness, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    CallKind, CallScope, Capabilities, Clock as _, Connector, ConnectorContext, CustomerId, Directory, Email,
    IdentityProvider, OutboundPolicy, Secret, SystemClock, TenantId, UserId,
};
use idp_bridge_http::{BaseUrl, Bytes, Client, HeaderName, HeaderValue, Request};
use serde_json::json;
pub use stand_in::{StandIn, StandInHarness};

use crate::fake::{AppClient, FakeCognito, Principal, Status, User};
use crate::{Cognito, CognitoConfig, CognitoStore, CustomerLookup};

/// The bridge's IAM user, with the documented rights.
const BRIDGE: &str = "AKIDBRIDGE";
/// The rights of the bridge's IAM user.
const ACTIONS: [&str; 10] = [
    "AdminGetUser",
    "ListUsers",
    "ListUsersInGroup",
    "AdminUpdateUserAttributes",
    "AdminDeleteUser",
    "AdminCreateUser",
    "AdminUserGlobalSignOut",
    "DescribeUserPool",
    "DescribeUserPoolClient",
    "ListUserPoolClients",
];
/// An IAM user without rights.
const NO_RIGHT: &str = "AKIDNORIGHT";
/// An IAM user with rights to read only.
const READ_ONLY: &str = "AKIDREADONLY";
/// An IAM user with rights on every pool, so that AWS shows which pools exist.
const EVERY_POOL: &str = "AKIDEVERYPOOL";
/// The secret of all IAM users.
const SECRET: &str = "s3cret-of-the-harness";
/// The app client for mails and sign-ins.
const APP_CLIENT: &str = "3fakeappclient";
/// The secret of the app client.
const APP_SECRET: &str = "s3cret-of-the-app-client";
/// An app client of the tenant without a secret.
const PUBLIC_CLIENT: &str = "4fakepublicclient";
/// An app client of the pool that does not belong to the tenant.
const FOREIGN_CLIENT: &str = "5fakeforeignclient";
/// The prefix of customers' groups.
const GROUP_PREFIX: &str = "customer-";
/// The name of a user of another identity provider.
const FEDERATED: &str = "google_1234";

/// A fake user pool under test.
pub struct CognitoHarness {
    fake: FakeCognito,
    http: Client,
    name: &'static str,
    settings: fn(&mut CognitoConfig),
    created: AtomicU32,
}

impl CognitoHarness {
    /// Starts a pool with app clients and principals. Customers are found by a searchable attribute.
    pub async fn start_with_fake() -> Staged<Self> {
        let fake = FakeCognito::start().await?;
        let mut every_pool = Principal::new(EVERY_POOL, SECRET, &ACTIONS);
        every_pool.pools = None;
        fake.with(|pool| {
            pool.principals = vec![
                Principal::new(BRIDGE, SECRET, &ACTIONS),
                Principal::new(NO_RIGHT, SECRET, &[]),
                Principal::new(READ_ONLY, SECRET, &reads()),
                every_pool,
            ];
            let mut public = AppClient::new(PUBLIC_CLIENT, "");
            public.secret = None;
            let own = [AppClient::new(APP_CLIENT, APP_SECRET), public];
            pool.app_clients = own.into_iter().chain([AppClient::new(FOREIGN_CLIENT, APP_SECRET)]).collect();
            pool.begins_with_an_empty_page = true;
            pool.insert(User::new(FEDERATED, Status::ExternalProvider, &[("email", "federated@conformance.example")]));
        });
        let http = Client::new(&OutboundPolicy::default())?;
        Ok(Self { fake, http, name: "cognito (fake)", settings: |_| {}, created: AtomicU32::new(0) })
    }

    /// Sets the name, and a change of the settings of all providers.
    #[must_use]
    pub fn with(mut self, name: &'static str, settings: fn(&mut CognitoConfig)) -> Self {
        (self.name, self.settings) = (name, settings);
        self
    }

    /// Returns the fake.
    pub fn fake(&self) -> &FakeCognito {
        &self.fake
    }

    /// Returns the settings of a correct provider.
    pub fn config(&self) -> CognitoConfig {
        self.config_for(BRIDGE)
    }

    /// Returns the settings of a provider with this principal.
    fn config_for(&self, access_key_id: &str) -> CognitoConfig {
        let mut config = CognitoConfig::new(FakeCognito::POOL);
        config.domain = Some(self.fake.url());
        config.endpoint = Some(self.fake.url());
        config.issuer_endpoint = Some(self.fake.url());
        config.access_key_id = Some(access_key_id.into());
        config.secret_access_key = Some(Secret::new(SECRET));
        config.client_id = Some(APP_CLIENT.into());
        config.client_secret = Some(Secret::new(APP_SECRET));
        config.customer_attribute = "preferred_username".into();
        config.customer_lookup = Some(CustomerLookup::Attribute);
        config.customer_group_prefix = GROUP_PREFIX.into();
        (self.settings)(&mut config);
        config
    }

    /// Builds a provider from settings that a test has changed.
    pub fn build(&self, config: CognitoConfig) -> Staged<Directory<CognitoStore>> {
        Ok(Cognito::build(config, &context()?)?)
    }

    fn provider_of(&self, config: CognitoConfig) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(self.build(config)?))
    }
}

fn context() -> Staged<ConnectorContext> {
    let federation = Some(federation::settings());
    Ok(ConnectorContext { federation, ..ConnectorContext::new(TenantId::new("conformance")?) })
}

/// Returns the current Unix time in seconds.
pub(crate) fn now() -> i64 {
    SystemClock.now().as_second()
}

/// Returns a scope for the harness's own requests.
fn scope() -> CallScope {
    CallScope::new("harness", Duration::from_secs(60))
}

/// Returns Cognito's `SECRET_HASH` for a user name.
fn secret_hash(secret: &str, name: &str, client_id: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{name}{client_id}").as_bytes()))
}

/// Returns the actions that only read.
fn reads() -> Vec<&'static str> {
    let reads = |action: &&str| ["AdminGet", "List", "Describe"].iter().any(|verb| action.starts_with(verb));
    ACTIONS.into_iter().filter(reads).collect()
}

#[async_trait]
impl Harness for CognitoHarness {
    fn name(&self) -> &str {
        self.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Cognito as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let is_group = self.config().customer_lookup == Some(CustomerLookup::Group);
        let reason = match need {
            Need::SecondEmail => "a Cognito user has one address",
            Need::SecondOrigin => "requests to AWS contain signatures, never the secret key",
            Need::SeveralCustomers => "an attribute of a Cognito user has one value",
            Need::ServiceAccount => "a user pool contains only people: programs are app clients",
            Need::UnusualCustomer if is_group => "the name of a customer's group contains the customer, and no spaces",
            Need::Control(Control::NarrowRole) => {
                "AWS refuses a search without the right, and never returns an empty list"
            }
            Need::ControlOf(
                Control::ReadOnlyRole,
                CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail,
            ) => "Cognito sends such mails for the app client, without IAM rights",
            Need::OfflineLogin => "all refresh tokens of Cognito are of one kind",
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.provider_of(self.config())
    }

    /// Creates a verified user as confirmed, and an unverified user as unconfirmed, so that each can get its mail.
    async fn create(&self, new: NewUser) -> Staged<UserId> {
        let is_confirmed = new.email_verified || new.password.is_some();
        let status = if is_confirmed { Status::Confirmed } else { Status::Unconfirmed };
        let mut user = User::new(&format!("person-{}", self.created.fetch_add(1, Relaxed)), status, &[]);
        if let Some(email) = &new.email {
            // The first line keeps `set` from resetting the flag.
            user.attributes.insert("email".into(), email.as_str().into());
            user.set("email", email.as_str());
            user.set("email_verified", if new.email_verified { "true" } else { "false" });
        }
        match new.customers.as_slice() {
            [] => {}
            [customer] => {
                user.set("preferred_username", customer.as_str());
                user.set("custom:customer_id", customer.as_str());
                user.groups.insert(format!("{GROUP_PREFIX}{}", customer.as_str()));
            }
            _ => return Err("an attribute has one value".into()),
        }
        (user.enabled, user.password) = (!new.blocked, new.password);
        Ok(UserId::new(self.fake.insert(user))?)
    }

    fn reserved_ids(&self) -> Vec<UserId> {
        [FEDERATED, "person-0", "federated@conformance.example", "sub", "."]
            .into_iter()
            .filter_map(|id| UserId::new(id).ok())
            .collect()
    }

    async fn exists(&self, id: &UserId) -> Staged<bool> {
        Ok(self.fake.with(|pool| pool.user(id.as_str()).is_some()))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        self.fake.change(id.as_str(), |user| {
            // The first line keeps `set` from resetting the flag.
            user.attributes.insert("email".into(), email.as_str().into());
            user.set("email", email.as_str());
        });
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        let name = self.fake.with(|pool| pool.username_of(email.as_str())).ok_or("no user has this address")?;
        let secret_hash = secret_hash(APP_SECRET, &name, APP_CLIENT);
        let body = json!({
            "ClientId": APP_CLIENT,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": name, "PASSWORD": password, "SECRET_HASH": secret_hash},
        });
        let (target, operation) = ("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth");
        let base = BaseUrl::parse(&self.fake.url(), &OutboundPolicy::default())?;
        let request = Request::post(base.as_url().clone())
            .bytes(Bytes::from(body.to_string()))
            .header(HeaderName::from_static("content-type"), HeaderValue::from_static("application/x-amz-json-1.1"))
            .header(HeaderName::from_static(target), HeaderValue::from_static(operation));
        Ok(self.http.send(&scope(), request).await?.status.is_success())
    }

    /// Sets `name`: the app clients let users write only `email` and `name`.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        let is_meant = |user: &&mut User| user.attribute("email") == Some(email.as_str());
        self.fake.with(|pool| pool.users.iter_mut().filter(is_meant).for_each(|user| user.set("name", value.as_str())));
        Ok(())
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        Ok(self.fake.mails().iter().filter(|mail| mail.to.eq_ignore_ascii_case(email.as_str())).count())
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        match control {
            Control::WrongSecret => config.secret_access_key = Some(Secret::new("wrong")),
            // The bridge's principal has rights only for its pool, and IAM would deny access to another.
            Control::WrongRealm => {
                config = self.config_for(EVERY_POOL);
                config.user_pool_id = "eu-west-1_NoSuchPool".into();
            }
            Control::MissingRole => config = self.config_for(NO_RIGHT),
            Control::ReadOnlyRole => config = self.config_for(READ_ONLY),
            other => return Err(format!("the harness does not support the control {other:?}").into()),
        }
        self.provider_of(config)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.fake.url())
    }

    /// Connects through a proxy, since the signature covers the host.
    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut context = context()?;
        context.outbound.proxy = Some(base_url.to_owned());
        Ok(Arc::new(Cognito::build(self.config(), &context)?))
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
