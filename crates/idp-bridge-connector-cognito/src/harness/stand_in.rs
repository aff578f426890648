//! The harness for ministack, a third party's stand-in for AWS. With `AUTH=true` it verifies signatures, enforces the rights of
//! IAM users, and checks secret hashes.
//!
//! Each harness creates its own pool and IAM users, so that several can share a stand-in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::config::StalledStreamProtectionConfig;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType, UserType, VerifiedAttributeType};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use idp_bridge_conformance::{Control, FederationHarness, Flaw, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, CustomerId, Email, IdentityProvider, OutboundPolicy, Secret,
    UserId,
};
use idp_bridge_http::{BaseUrl, Client, Request};
use serde_json::Value;

use super::iam::{Iam, Key};
use super::stand_in_federation::{App, Apps};
use super::{ACTIONS, reads, scope, secret_hash};
use crate::transport::Transport;
use crate::{Cognito, CognitoConfig, CustomerLookup};

/// The password of users that do not sign in.
const PASSWORD: &str = "Passw0rd-of-no-one";

/// A stand-in for AWS.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StandIn {
    /// The name in the report.
    pub name: String,
    /// The base URL.
    pub url: String,
    /// The region.
    pub region: String,
    /// The id of an access key with all rights.
    pub access_key_id: String,
    /// The secret of the access key.
    pub secret_access_key: Secret,
}

impl StandIn {
    /// Creates a stand-in at this base URL, with an access key that has all rights.
    pub fn new(name: &str, url: &str, region: &str, key: (&str, &str)) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            region: region.into(),
            access_key_id: key.0.into(),
            secret_access_key: Secret::new(key.1),
        }
    }

    fn sdk(&self) -> Staged<SdkClient> {
        let keys = Credentials::new(&self.access_key_id, self.secret_access_key.expose(), None, None, "harness");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.url)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(Transport::to_cognito(Client::new(&OutboundPolicy::default())?))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .build();
        Ok(SdkClient::new(&config))
    }
}

/// The harness for a pool of a stand-in.
pub struct StandInHarness {
    pub(super) stand_in: StandIn,
    pub(super) sdk: SdkClient,
    pub(super) http: Client,
    pub(super) pool: String,
    pub(super) apps: Apps,
    keys: Keys,
    created: AtomicU32,
    /// The number of mails to an address when its last user was created: a sign-up sends one.
    mails_before: Mutex<BTreeMap<String, usize>>,
}

/// The keys of the pool's IAM users.
struct Keys {
    /// With the documented rights.
    bridge: Key,
    /// Without rights.
    no_right: Key,
    /// With rights to read only.
    read_only: Key,
}

impl StandInHarness {
    /// Creates a pool with app clients and without users. Customers are found by a searchable attribute.
    pub async fn start(stand_in: StandIn) -> Staged<Self> {
        let sdk = stand_in.sdk()?;
        let pool =
            sdk.create_user_pool().pool_name("conformance").auto_verified_attributes(VerifiedAttributeType::Email);
        let pool = pool.send().await?.user_pool.ok_or("the response has no pool")?;
        let (pool, arn) = pool.id.zip(pool.arn).ok_or("the pool has no id, or no ARN")?;
        let apps = Apps::create(&sdk, &pool).await?;
        let iam = Iam::new(&stand_in.url, &stand_in.region, &stand_in.access_key_id)?;
        let user = async |name: &str, actions: &[&str]| iam.create_user(&format!("{name}-{pool}"), actions, &arn).await;
        let keys = Keys {
            bridge: user("bridge", &ACTIONS).await?,
            no_right: user("no-right", &[]).await?,
            read_only: user("read-only", &reads()).await?,
        };
        let http = Client::new(&OutboundPolicy::default())?;
        Ok(Self { stand_in, sdk, http, pool, apps, keys, created: AtomicU32::new(0), mails_before: Mutex::default() })
    }

    /// Returns the settings of a correct provider.
    pub(super) fn config(&self) -> CognitoConfig {
        self.config_for(&self.keys.bridge)
    }

    /// Returns the settings of a provider with this key.
    fn config_for(&self, key: &Key) -> CognitoConfig {
        let mut config = CognitoConfig::new(&self.pool);
        config.domain = Some(self.stand_in.url.clone());
        config.endpoint = Some(self.stand_in.url.clone());
        config.issuer_endpoint = Some(self.stand_in.url.clone());
        config.access_key_id = Some(key.id.clone());
        config.secret_access_key = Some(key.secret.clone());
        config.client_id = Some(self.apps.own.id.clone());
        config.client_secret = Some(Secret::new(self.apps.own.secret.as_str()));
        config.customer_attribute = "preferred_username".into();
        config.customer_lookup = Some(CustomerLookup::Attribute);
        config
    }

    pub(super) fn build(&self, config: CognitoConfig, context: &ConnectorContext) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(Cognito::build(config, context)?))
    }

    fn context(&self) -> Staged<ConnectorContext> {
        self.context_with(Some(self.apps.settings()))
    }

    /// Creates a user by a sign-up that is not confirmed.
    async fn sign_up(&self, name: &str, attributes: Vec<AttributeType>) -> Staged<UserId> {
        let App { id, secret } = &self.apps.own;
        let request = self.sdk.sign_up().client_id(id).secret_hash(secret_hash(secret, name, id)).username(name);
        let answer = request.password(PASSWORD).set_user_attributes(Some(attributes)).send().await?;
        Ok(UserId::new(answer.user_sub)?)
    }

    /// Creates a confirmed user in a pool.
    pub(super) async fn create_confirmed(
        &self,
        pool: &str,
        name: &str,
        attributes: Vec<AttributeType>,
        password: &str,
    ) -> Staged<UserId> {
        let request = self.sdk.admin_create_user().user_pool_id(pool).username(name);
        let request = request.message_action(MessageActionType::Suppress).set_user_attributes(Some(attributes));
        let user = request.send().await?.user.ok_or("the response has no user")?;
        let request = self.sdk.admin_set_user_password().user_pool_id(pool).username(name);
        request.password(password).permanent(true).send().await?;
        Ok(UserId::new(sub(&user)?)?)
    }

    /// Returns the first user with this value.
    async fn find(&self, attribute: &str, value: &str) -> Staged<Option<UserType>> {
        let filter = format!("{attribute} = {}", idp_bridge_http::quote::double_quoted(value));
        let answer = self.sdk.list_users().user_pool_id(&self.pool).filter(filter).send().await?;
        Ok(answer.users.and_then(|users| users.into_iter().next()))
    }

    /// Returns the number of mails to this address.
    async fn count_mails(&self, email: &Email) -> Staged<usize> {
        let url =
            BaseUrl::parse(&self.stand_in.url, &OutboundPolicy::default())?.join(&["_ministack", "ses", "messages"])?;
        let answer: Value = self.http.send(&scope(), Request::get(url)).await?.json()?;
        let accounts = answer.get("messages").and_then(Value::as_object).ok_or("the response has no messages")?;
        let recipients = accounts.values().filter_map(Value::as_array).flatten().filter_map(|mail| mail.get("To"));
        let recipients = recipients.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        Ok(recipients.filter(|to| to.eq_ignore_ascii_case(email.as_str())).count())
    }

    fn mails_before(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        self.mails_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn name_of(&self, attribute: &str, value: &str) -> Staged<String> {
        let user = self.find(attribute, value).await?.and_then(|user| user.username);
        Ok(user.ok_or("no user has this value")?)
    }
}

fn attribute(name: &str, value: &str) -> Staged<AttributeType> {
    Ok(AttributeType::builder().name(name).value(value).build()?)
}

fn sub(user: &UserType) -> Staged<String> {
    let sub = user.attributes().iter().find(|attribute| attribute.name == "sub");
    Ok(sub.and_then(|sub| sub.value.clone()).ok_or("the user has no id")?)
}

#[async_trait]
impl Harness for StandInHarness {
    fn name(&self) -> &str {
        &self.stand_in.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Cognito as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::SecondEmail => "a Cognito user has one address",
            Need::SecondOrigin => "requests to AWS contain signatures, never the secret key",
            Need::UnacceptedMail(_) => {
                "ministack 1.5.33 sends every code by mail: the fake sends some as text messages"
            }
            Need::SeveralCustomers => "an attribute of a Cognito user has one value",
            Need::ServiceAccount => "a user pool contains only people: programs are app clients",
            Need::UnusualCustomer => {
                "ministack 1.5.33 does not parse a quote in a filter as AWS documents it: the fake does (November 2026)"
            }
            Need::Control(Control::NarrowRole) => {
                "AWS refuses a search without the right, and never returns an empty list"
            }
            Need::ControlOf(
                Control::ReadOnlyRole,
                CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail,
            ) => "Cognito sends such mails for the app client, without IAM rights",
            Need::UndeliverableMail => "ministack 1.5.33 delivers every mail: the fake refuses some",
            Need::OfflineLogin => "all refresh tokens of Cognito are of one kind",
            Need::ForeignRefreshToken => {
                "ministack 1.5.33 revokes refresh tokens for every client: the fake refuses (November 2026)"
            }
            Need::ClaimValue => "userInfo returns the user's attribute, which is one text: the fake returns any value",
            Need::Flawed(Flaw::SenderConstrained) => "Cognito does not bind tokens to their sender: the fake can",
            Need::Signing => "ministack 1.5.33 does not publish its private keys: the fake signs any claims",
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), &self.context()?)
    }

    async fn create(&self, new: NewUser) -> Staged<UserId> {
        let name = format!("person-{}", self.created.fetch_add(1, Relaxed));
        let mut attributes = Vec::new();
        if let Some(email) = &new.email {
            attributes.push(attribute("email", email.as_str())?);
        }
        if let Some(customer) = new.customers.first() {
            attributes.push(attribute("preferred_username", customer.as_str())?);
        }
        let id = if new.email_verified || new.password.is_some() {
            attributes.push(attribute("email_verified", if new.email_verified { "true" } else { "false" })?);
            self.create_confirmed(&self.pool, &name, attributes, new.password.as_deref().unwrap_or(PASSWORD)).await?
        } else {
            self.sign_up(&name, attributes).await?
        };
        if new.blocked {
            self.sdk.admin_disable_user().user_pool_id(&self.pool).username(&name).send().await?;
        }
        if let Some(email) = &new.email {
            let sent = self.count_mails(email).await?;
            self.mails_before().insert(email.as_str().to_lowercase(), sent);
        }
        Ok(id)
    }

    async fn mails(&self, email: &Email) -> Staged<usize> {
        let before = self.mails_before().get(&email.as_str().to_lowercase()).copied().unwrap_or_default();
        Ok(self.count_mails(email).await?.saturating_sub(before))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.pool).username(name);
        request.user_attributes(attribute("email", email.as_str())?).send().await?;
        Ok(())
    }

    /// Sets `name` as an administrator. The app clients let users write it.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> Staged<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        let name = self.name_of("email", email.as_str()).await?;
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.pool).username(name);
        request.user_attributes(attribute("name", value.as_str())?).send().await?;
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        use aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
        let name = self.name_of("email", email.as_str()).await?;
        let App { id, secret } = &self.apps.own;
        let request = self.sdk.initiate_auth().client_id(id).auth_flow(UserPasswordAuth);
        let request = request.auth_parameters("SECRET_HASH", secret_hash(secret, &name, id));
        let request = request.auth_parameters("USERNAME", name).auth_parameters("PASSWORD", password);
        match request.send().await {
            Ok(answer) => Ok(answer.authentication_result.is_some()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_authorized_exception()) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn provider_broken(&self, control: Control) -> Staged<Arc<dyn IdentityProvider>> {
        let mut config = self.config();
        match control {
            Control::WrongSecret => config.secret_access_key = Some(Secret::new("wrong")),
            // The bridge's key has rights only for its pool, and IAM would deny access to another.
            Control::WrongRealm => {
                let root = &self.stand_in;
                config =
                    self.config_for(&Key { id: root.access_key_id.clone(), secret: root.secret_access_key.clone() });
                config.user_pool_id = format!("{}_NoSuchPool", self.stand_in.region);
            }
            Control::MissingRole => config = self.config_for(&self.keys.no_right),
            Control::ReadOnlyRole => config = self.config_for(&self.keys.read_only),
            other => return Err(format!("the harness does not support the control {other:?}").into()),
        }
        self.build(config, &self.context()?)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.stand_in.url.clone())
    }

    /// Connects through a proxy, since the signature covers the host.
    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut context = self.context()?;
        context.outbound.proxy = Some(base_url.to_owned());
        self.build(self.config(), &context)
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
