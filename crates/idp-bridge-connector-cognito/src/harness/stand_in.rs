//! The harness of the conformance suite for a stand-in of Cognito that somebody else wrote, such as ministack.
//!
//! It makes a pool of its own, so that several can use one stand-in at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::config::StalledStreamProtectionConfig;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, ExplicitAuthFlowsType, MessageActionType, UserType, VerifiedAttributeType,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use idp_bridge_conformance::{Control, Harness, Need, NewUser, Staged, async_trait};
use idp_bridge_core::{
    CallKind, Capabilities, Connector, ConnectorContext, Email, IdentityProvider, OutboundPolicy, Secret, UserId,
};
use idp_bridge_http::Client;

use super::{context, proof};
use crate::transport::Transport;
use crate::{Cognito, CognitoConfig, CustomerLookup};

/// A password that no case knows.
const PASSWORD: &str = "Passw0rd-of-no-one";

/// A stand-in to be tested against.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StandIn {
    /// What the report calls it.
    pub name: String,
    /// Its base URL.
    pub url: String,
    /// The region that it plays.
    pub region: String,
    /// An access key that may do everything.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
}

impl StandIn {
    /// A stand-in at this base URL, with an access key that may do everything.
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

/// A pool of a stand-in under test.
pub struct StandInHarness {
    stand_in: StandIn,
    sdk: SdkClient,
    pool: String,
    app: (String, String),
    made: AtomicU32,
}

impl StandInHarness {
    /// Makes the pool, with an app client and without users. Customers are found by an attribute that Cognito can search.
    pub async fn start(stand_in: StandIn) -> Staged<Self> {
        let sdk = stand_in.sdk()?;
        let pool =
            sdk.create_user_pool().pool_name("conformance").auto_verified_attributes(VerifiedAttributeType::Email);
        let pool = pool.send().await?.user_pool.and_then(|pool| pool.id).ok_or("the answer names no pool")?;
        let app = sdk.create_user_pool_client().user_pool_id(&pool).client_name("bridge").generate_secret(true);
        let app = app.explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth).write_attributes("email");
        let app = app.send().await?.user_pool_client.ok_or("the answer names no app client")?;
        let app = app.client_id.zip(app.client_secret).ok_or("the app client has no id, or no secret")?;
        Ok(Self { stand_in, sdk, pool, app, made: AtomicU32::new(0) })
    }

    fn config(&self) -> CognitoConfig {
        let mut config = CognitoConfig::new(&self.pool);
        config.endpoint = Some(self.stand_in.url.clone());
        config.access_key_id = Some(self.stand_in.access_key_id.clone());
        config.secret_access_key = Some(self.stand_in.secret_access_key.clone());
        config.client_id = Some(self.app.0.clone());
        config.client_secret = Some(Secret::new(&*self.app.1));
        config.customer_attribute = "preferred_username".into();
        config.customer_lookup = Some(CustomerLookup::Attribute);
        config
    }

    fn build(&self, config: CognitoConfig, context: &ConnectorContext) -> Staged<Arc<dyn IdentityProvider>> {
        Ok(Arc::new(Cognito::build(config, context)?))
    }

    /// Somebody who has signed up, and has not confirmed it.
    async fn sign_up(&self, name: &str, attributes: Vec<AttributeType>) -> Staged<UserId> {
        let (id, secret) = &self.app;
        let request = self.sdk.sign_up().client_id(id).secret_hash(proof(secret, name, id)).username(name);
        let answer = request.password(PASSWORD).set_user_attributes(Some(attributes)).send().await?;
        Ok(UserId::new(answer.user_sub)?)
    }

    /// Somebody who has signed in before.
    async fn confirmed(&self, name: &str, attributes: Vec<AttributeType>, password: &str) -> Staged<UserId> {
        let request = self.sdk.admin_create_user().user_pool_id(&self.pool).username(name);
        let request = request.message_action(MessageActionType::Suppress).set_user_attributes(Some(attributes));
        let user = request.send().await?.user.ok_or("the answer names no user")?;
        let request = self.sdk.admin_set_user_password().user_pool_id(&self.pool).username(name);
        request.password(password).permanent(true).send().await?;
        Ok(UserId::new(sub(&user)?)?)
    }

    /// The user whom this filter finds.
    async fn find(&self, attribute: &str, value: &str) -> Staged<Option<UserType>> {
        let filter = format!("{attribute} = {}", idp_bridge_http::quote::double_quoted(value));
        let answer = self.sdk.list_users().user_pool_id(&self.pool).filter(filter).send().await?;
        Ok(answer.users.and_then(|users| users.into_iter().next()))
    }

    async fn name_of(&self, attribute: &str, value: &str) -> Staged<String> {
        let user = self.find(attribute, value).await?.and_then(|user| user.username);
        Ok(user.ok_or("nobody has this value")?)
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
            Need::SeveralCustomers => "an attribute of a Cognito user has one value",
            Need::ServiceAccount => "a user pool keeps people only: what is no person is an app client, which is apart",
            Need::UnusualCustomer => {
                "ministack 1.5.33 does not read a quote in a filter as AWS documents it: the fake does (November 2026)"
            }
            Need::Control(Control::NarrowRole) => {
                "AWS refuses a search without its right, and never answers it with an empty list"
            }
            Need::Control(Control::MissingRole | Control::ReadOnlyRole) => {
                "the access key of a stand-in may do everything: the fake has keys with fewer rights"
            }
            Need::ControlOf(
                Control::ReadOnlyRole,
                CallKind::SendVerificationEmail | CallKind::SendPasswordResetEmail,
            ) => "Cognito sends such mails for the app client: AWS asks for no right",
            Need::Mails | Need::UndeliverableMail => {
                "what a stand-in does with mails is its own affair: the fake counts and refuses them"
            }
            _ => return None,
        };
        Some(reason.into())
    }

    async fn provider(&self) -> Staged<Arc<dyn IdentityProvider>> {
        self.build(self.config(), &context()?)
    }

    async fn create(&self, new: NewUser) -> Staged<UserId> {
        let name = format!("person-{}", self.made.fetch_add(1, Relaxed));
        let mut attributes = Vec::new();
        if let Some(email) = &new.email {
            attributes.push(attribute("email", email.as_str())?);
        }
        if let Some(customer) = new.customers.first() {
            attributes.push(attribute("preferred_username", customer.as_str())?);
        }
        let id = if new.email_verified || new.password.is_some() {
            attributes.push(attribute("email_verified", if new.email_verified { "true" } else { "false" })?);
            self.confirmed(&name, attributes, new.password.as_deref().unwrap_or(PASSWORD)).await?
        } else {
            self.sign_up(&name, attributes).await?
        };
        if new.blocked {
            self.sdk.admin_disable_user().user_pool_id(&self.pool).username(&name).send().await?;
        }
        Ok(id)
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> Staged<()> {
        let name = self.name_of("sub", id.as_str()).await?;
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.pool).username(name);
        request.user_attributes(attribute("email", email.as_str())?).send().await?;
        Ok(())
    }

    async fn log_in(&self, email: &Email, password: &str) -> Staged<bool> {
        use aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
        let (name, (id, secret)) = (self.name_of("email", email.as_str()).await?, &self.app);
        let request = self.sdk.initiate_auth().client_id(id).auth_flow(UserPasswordAuth);
        let request = request.auth_parameters("SECRET_HASH", proof(secret, &name, id));
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
            // The secret alone is not enough: ministack 1.5.33 looks at none of its root's (seen in November 2026).
            Control::WrongSecret => {
                config.access_key_id = Some("AKIAIOSFODNN7EXAMPLE".into());
                config.secret_access_key = Some(Secret::new("wrong"));
            }
            Control::WrongRealm => config.user_pool_id = format!("{}_NoSuchPool", self.stand_in.region),
            other => return Err(format!("the harness does not know the control {other:?}").into()),
        }
        self.build(config, &context()?)
    }

    async fn upstream(&self) -> Staged<String> {
        Ok(self.stand_in.url.clone())
    }

    /// By way of a proxy, since the signature covers the host.
    async fn provider_at(&self, base_url: &str) -> Staged<Arc<dyn IdentityProvider>> {
        let mut context = context()?;
        context.outbound.proxy = Some(base_url.to_owned());
        self.build(self.config(), &context)
    }
}
