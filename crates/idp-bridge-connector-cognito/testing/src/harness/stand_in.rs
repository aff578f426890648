//! The harness for ministack, a third party's stand-in for AWS. With `AUTH=true` it verifies signatures, enforces the rights of
//! IAM users, and checks secret hashes.
//!
//! Each harness creates its own pool and IAM users, so that several can share a stand-in. It uses the AWS SDK's HTTP client, not
//! the connector's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_lc_rs::hmac;
use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Config, Region};
use aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType, UserType, VerifiedAttributeType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_conformance::{FederationHarness, Flaw, Harness, Need, NewUser, Setup, TestResult, async_trait};
use idp_bridge_connector_cognito::Cognito;
use idp_bridge_core::{
    Capabilities, Connector, CustomerId, Email, IdentityProvider, OauthClient, OutboundPolicy, Secret, UserId,
};
use idp_bridge_http::{BaseUrl, Client, Request, quote};
use serde_json::Value;

use super::application::scope;
use super::iam::Iam;
use super::site::{self, ACTIONS, Key, Keys, Site, reads};
use super::stand_in_federation::Apps;

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

    fn sdk(&self) -> SdkClient {
        let keys = Credentials::new(&self.access_key_id, self.secret_access_key.expose(), None, None, "harness");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.url)
            .credentials_provider(keys);
        SdkClient::from_conf(config.build())
    }
}

/// The harness for a pool of a stand-in.
pub struct StandInHarness {
    name: String,
    pub(super) site: Site,
    pub(super) sdk: SdkClient,
    pub(super) http: Client,
    pub(super) apps: Apps,
    created: AtomicU32,
    /// The number of mails to an address when its last user was created: a sign-up sends one.
    mails_before: Mutex<BTreeMap<String, usize>>,
}

impl StandInHarness {
    /// Creates a pool with app clients and without users.
    pub async fn start(stand_in: StandIn) -> TestResult<Self> {
        let sdk = stand_in.sdk();
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
            every_pool: Key { id: stand_in.access_key_id, secret: stand_in.secret_access_key },
        };
        let clients = vec![apps.own.clone(), apps.expired.clone()];
        let site = Site { url: stand_in.url, pool, keys, clients, settings: |_| {} };
        let http = Client::new(&OutboundPolicy::default())?;
        let (created, mails_before) = (AtomicU32::new(0), Mutex::default());
        Ok(Self { name: stand_in.name, site, sdk, http, apps, created, mails_before })
    }

    /// Creates a user by a sign-up that is not confirmed.
    async fn sign_up(&self, name: &str, attributes: Vec<AttributeType>) -> TestResult<UserId> {
        let own = &self.apps.own;
        let request = self.sdk.sign_up().client_id(&own.id).secret_hash(secret_hash(own, name)).username(name);
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
    ) -> TestResult<UserId> {
        let request = self.sdk.admin_create_user().user_pool_id(pool).username(name);
        let request = request.message_action(MessageActionType::Suppress).set_user_attributes(Some(attributes));
        let user = request.send().await?.user.ok_or("the response has no user")?;
        let request = self.sdk.admin_set_user_password().user_pool_id(pool).username(name);
        request.password(password).permanent(true).send().await?;
        let sub = user.attributes().iter().find(|attribute| attribute.name == "sub");
        Ok(UserId::new(sub.and_then(|sub| sub.value.as_deref()).ok_or("the user has no id")?)?)
    }

    /// Returns the first user with this value.
    async fn find(&self, attribute: &str, value: &str) -> TestResult<Option<UserType>> {
        let filter = format!("{attribute} = {}", quote::double_quoted(value));
        let answer = self.sdk.list_users().user_pool_id(&self.site.pool).filter(filter).send().await?;
        Ok(answer.users.and_then(|users| users.into_iter().next()))
    }

    pub(super) async fn name_of(&self, attribute: &str, value: &str) -> TestResult<String> {
        let user = self.find(attribute, value).await?.and_then(|user| user.username);
        Ok(user.ok_or("no user has this value")?)
    }

    /// Sets an attribute of a user as an administrator.
    async fn set(&self, name: String, attribute: AttributeType) -> TestResult<()> {
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.site.pool).username(name);
        request.user_attributes(attribute).send().await?;
        Ok(())
    }

    /// Returns the number of mails to this address.
    async fn count_mails(&self, email: &Email) -> TestResult<usize> {
        let url =
            BaseUrl::parse(&self.site.url, &OutboundPolicy::default())?.join(&["_ministack", "ses", "messages"])?;
        let answer: Value = self.http.send(&scope(), Request::get(url)).await?.json()?;
        let accounts = answer.get("messages").and_then(Value::as_object).ok_or("the response has no messages")?;
        let recipients = accounts.values().filter_map(Value::as_array).flatten().filter_map(|mail| mail.get("To"));
        let recipients = recipients.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        Ok(recipients.filter(|to| to.eq_ignore_ascii_case(email.as_str())).count())
    }

    fn mails_before(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, usize>> {
        self.mails_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attribute(name: &str, value: &str) -> TestResult<AttributeType> {
    Ok(AttributeType::builder().name(name).value(value).build()?)
}

/// Returns Cognito's `SECRET_HASH` for a user name.
fn secret_hash(client: &OauthClient, name: &str) -> String {
    let secret = client.secret.as_ref().map(Secret::expose).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{name}{}", client.id).as_bytes()))
}

#[async_trait]
impl Harness for StandInHarness {
    fn name(&self) -> &str {
        &self.name
    }

    fn connector_capabilities(&self) -> Capabilities {
        <Cognito as Connector>::capabilities()
    }

    fn not_applicable(&self, need: Need) -> Option<String> {
        let reason = match need {
            Need::UnacceptedMail(_) => {
                "ministack 1.5.33 sends every code by mail: the fake sends some as text messages"
            }
            Need::UnusualCustomer => {
                "ministack 1.5.33 does not parse a quote in a filter as AWS documents it: the fake does (November 2026)"
            }
            Need::UndeliverableMail => "ministack 1.5.33 delivers every mail: the fake refuses some",
            Need::ForeignRefreshToken => {
                "ministack 1.5.33 revokes refresh tokens for every client: the fake refuses (November 2026)"
            }
            Need::ClaimValue => "userInfo returns the user's attribute, which is one text: the fake returns any value",
            Need::Flawed(Flaw::SenderConstrained) => "Cognito does not bind tokens to their sender: the fake can",
            Need::Signing => "ministack 1.5.33 does not publish its private keys: the fake signs any claims",
            need => site::not_applicable(need)?,
        };
        Some(reason.into())
    }

    async fn provider(&self, setup: Setup<'_>) -> TestResult<Arc<dyn IdentityProvider>> {
        self.site.provider(setup)
    }

    async fn create(&self, new: NewUser) -> TestResult<UserId> {
        let name = format!("person-{}", self.created.fetch_add(1, Relaxed));
        let pool = &self.site.pool;
        let mut attributes = Vec::new();
        if let Some(email) = &new.email {
            attributes.push(attribute("email", email.as_str())?);
        }
        if let Some(customer) = new.customers.first() {
            attributes.push(attribute("preferred_username", customer.as_str())?);
        }
        let id = if new.email_verified || new.password.is_some() {
            attributes.push(attribute("email_verified", if new.email_verified { "true" } else { "false" })?);
            self.create_confirmed(pool, &name, attributes, new.password.as_deref().unwrap_or(PASSWORD)).await?
        } else {
            self.sign_up(&name, attributes).await?
        };
        if new.blocked {
            self.sdk.admin_disable_user().user_pool_id(pool).username(&name).send().await?;
        }
        if let Some(email) = &new.email {
            let sent = self.count_mails(email).await?;
            self.mails_before().insert(email.as_str().to_lowercase(), sent);
        }
        Ok(id)
    }

    async fn mails(&self, email: &Email) -> TestResult<usize> {
        let before = self.mails_before().get(&email.as_str().to_lowercase()).copied().unwrap_or_default();
        Ok(self.count_mails(email).await?.saturating_sub(before))
    }

    async fn change_email(&self, id: &UserId, email: &Email) -> TestResult<()> {
        self.set(self.name_of("sub", id.as_str()).await?, attribute("email", email.as_str())?).await
    }

    /// Sets `name` as an administrator. The app clients let users write it.
    async fn edit_self(&self, email: &Email, password: &str, value: &CustomerId) -> TestResult<()> {
        if !self.log_in(email, password).await? {
            return Err("the user cannot log in".into());
        }
        self.set(self.name_of("email", email.as_str()).await?, attribute("name", value.as_str())?).await
    }

    async fn log_in(&self, email: &Email, password: &str) -> TestResult<bool> {
        let (name, own) = (self.name_of("email", email.as_str()).await?, &self.apps.own);
        let request = self.sdk.initiate_auth().client_id(&own.id).auth_flow(UserPasswordAuth);
        let request = request.auth_parameters("SECRET_HASH", secret_hash(own, &name));
        let request = request.auth_parameters("USERNAME", name).auth_parameters("PASSWORD", password);
        match request.send().await {
            Ok(answer) => Ok(answer.authentication_result.is_some()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_authorized_exception()) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn upstream(&self) -> TestResult<String> {
        Ok(self.site.url.clone())
    }

    fn federation(&self) -> Option<&dyn FederationHarness> {
        Some(self)
    }
}
