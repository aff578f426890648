//! The requests that the connector makes: Cognito's user pool API, each request one function.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_lc_rs::hmac;
use aws_sdk_cognitoidentityprovider::Client as SdkClient;
use aws_sdk_cognitoidentityprovider::config::StalledStreamProtectionConfig;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, CodeDeliveryDetailsType, DeliveryMediumType, MessageActionType, UserPoolClientType, UserPoolType,
    UserType,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idp_bridge_core::jiff::Timestamp;
use idp_bridge_core::{
    CallScope, Clock, ConnectorContext, Error, ErrorKind, OauthClient, Random, Result, Secret, if_found,
};
use idp_bridge_http::{BaseUrl, Client};
use tokio::time::{Instant, timeout_at};

use crate::config::CognitoConfig;
use crate::credentials::TenantCredentials;
use crate::error::{Step, failure, late};
use crate::map::PoolUser;
use crate::search::{Search, Source};
use crate::transport::{self, Transport};

/// The most users that Cognito answers at once.
const PAGE: i32 = 60;

/// One user pool, spoken to with AWS credentials and as one of its app clients.
pub(crate) struct UserPool {
    sdk: SdkClient,
    id: String,
    app: Option<AppClient>,
    random: Arc<dyn Random>,
}

/// The app client that orders mails.
struct AppClient {
    id: String,
    secret: Option<Secret>,
}

/// Some of the users that were asked for.
pub(crate) struct Page {
    /// They may be none although there is a next page.
    pub(crate) users: Vec<PoolUser>,
    /// What asks for the next page.
    pub(crate) next: Option<String>,
}

impl UserPool {
    pub(crate) fn new(config: &CognitoConfig, context: &ConnectorContext, http: Client) -> Result<Self> {
        for (setting, endpoint) in [("endpoint", &config.endpoint), ("sts_endpoint", &config.sts_endpoint)] {
            if let Some(endpoint) = endpoint {
                BaseUrl::parse_setting(setting, endpoint, &context.outbound)?;
            }
        }
        let common = sdk_config(config, context);
        let tokens = common.to_builder().http_client(Transport::to_tokens(http.clone())).build();
        let tokens = with_endpoint(tokens, config.sts_endpoint.as_deref());
        let credentials = TenantCredentials::new(config, context, tokens)?;
        let cognito = common
            .into_builder()
            .http_client(Transport::to_cognito(http))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let cognito = with_endpoint(cognito, config.endpoint.as_deref());
        let app = config.client_id.clone().map(|id| AppClient { id, secret: config.client_secret.clone() });
        let random = Arc::clone(&context.random);
        Ok(Self { sdk: SdkClient::new(&cognito), id: config.user_pool_id.clone(), app, random })
    }

    /// The user with this name: a username, the id of a local user, or an alias.
    pub(crate) async fn user(&self, scope: &CallScope, name: &str) -> Result<PoolUser> {
        let request = self.sdk.admin_get_user().user_pool_id(&self.id).username(name);
        self.ask(scope, Step::AdminGetUser, request.send()).await?.try_into()
    }

    /// One page of the users that a search finds.
    pub(crate) async fn search(&self, scope: &CallScope, search: &Search<'_>, token: Option<String>) -> Result<Page> {
        match search.source() {
            Source::Filter(filter) => self.list(scope, Some(filter.clone()), token).await,
            Source::Group(group) => {
                let request = self.sdk.list_users_in_group().user_pool_id(&self.id).group_name(group);
                let request = request.limit(PAGE).set_next_token(token);
                if let Some(answer) = if_found(self.ask(scope, Step::ListUsersInGroup, request.send()).await)? {
                    return page(answer.users, answer.next_token);
                }
                // Cognito says the same of a group and of a pool that it does not know.
                self.must_exist(scope).await?;
                Ok(Page { users: Vec::new(), next: None })
            }
        }
    }

    /// Fails if there is no such pool, or if its users cannot be read.
    pub(crate) async fn must_exist(&self, scope: &CallScope) -> Result<()> {
        if_found(self.user(scope, &self.nobody()?).await).map(drop)
    }

    /// A name that no user has, and that nobody can take before it is asked for.
    pub(crate) fn nobody(&self) -> Result<String> {
        Ok(format!("nobody-{}", self.random.word()?))
    }

    /// Fails if the members of groups cannot be read. There need be no group.
    pub(crate) async fn may_list_groups(&self, scope: &CallScope) -> Result<()> {
        let request = self.sdk.list_users_in_group().user_pool_id(&self.id).group_name("idp-bridge-doctor").limit(1);
        self.ask(scope, Step::ListUsersInGroup, request.send()).await.map(drop)
    }

    /// One page of all users.
    pub(crate) async fn everybody(&self, scope: &CallScope, token: Option<String>) -> Result<Page> {
        self.list(scope, None, token).await
    }

    // `AttributesToGet` would fail for a page with a user who lacks one of them.
    async fn list(&self, scope: &CallScope, filter: Option<String>, token: Option<String>) -> Result<Page> {
        let request = self.sdk.list_users().user_pool_id(&self.id).limit(PAGE);
        let request = request.set_filter(filter).set_pagination_token(token);
        let answer = self.ask(scope, Step::ListUsers, request.send()).await?;
        page(answer.users, answer.pagination_token)
    }

    /// Sets the flag and nothing else.
    pub(crate) async fn set_email_verified(&self, scope: &CallScope, name: &str, verified: bool) -> Result<()> {
        let attribute = AttributeType::builder().name("email_verified").value(verified.to_string()).build();
        let attribute = attribute.map_err(|_| Error::ours(ErrorKind::Unexpected, "an attribute has no name"))?;
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.id).username(name);
        self.ask(scope, Step::AdminUpdateUserAttributes, request.user_attributes(attribute).send()).await.map(drop)
    }

    /// Deletes the user.
    pub(crate) async fn delete(&self, scope: &CallScope, name: &str) -> Result<()> {
        let request = self.sdk.admin_delete_user().user_pool_id(&self.id).username(name);
        self.ask(scope, Step::AdminDeleteUser, request.send()).await.map(drop)
    }

    /// Orders another code for a user who has not confirmed the sign-up.
    pub(crate) async fn resend_code(&self, scope: &CallScope, name: &str) -> Result<()> {
        let app = self.app()?;
        let request = self.sdk.resend_confirmation_code().client_id(&app.id).username(name);
        let request = request.set_secret_hash(app.secret_hash(name));
        let answer = self.ask(scope, Step::ResendConfirmationCode, request.send()).await?;
        went_by_mail(answer.code_delivery_details)
    }

    /// Orders the invitation of a user who has never signed in once more, with a new temporary password.
    pub(crate) async fn resend_invitation(&self, scope: &CallScope, name: &str) -> Result<()> {
        let request = self.sdk.admin_create_user().user_pool_id(&self.id).username(name);
        // Without a medium Cognito sends a text message.
        let request = request.message_action(MessageActionType::Resend);
        let request = request.desired_delivery_mediums(DeliveryMediumType::Email);
        let answer = self.ask(scope, Step::AdminCreateUser, request.send()).await?;
        answer.user.map(drop).ok_or_else(|| empty("an invitation"))
    }

    /// Orders the code by which the user chooses a new password. The present one goes on working, unlike after
    /// `AdminResetUserPassword`.
    pub(crate) async fn forgot_password(&self, scope: &CallScope, name: &str) -> Result<()> {
        let app = self.app()?;
        let request = self.sdk.forgot_password().client_id(&app.id).username(name);
        let request = request.set_secret_hash(app.secret_hash(name));
        let answer = self.ask(scope, Step::ForgotPassword, request.send()).await?;
        went_by_mail(answer.code_delivery_details)
    }

    /// The pool's settings.
    pub(crate) async fn settings(&self, scope: &CallScope) -> Result<UserPoolType> {
        let request = self.sdk.describe_user_pool().user_pool_id(&self.id);
        let answer = self.ask(scope, Step::DescribeUserPool, request.send()).await?;
        answer.user_pool.ok_or_else(|| empty("a pool"))
    }

    /// The ids of the first app clients of the pool, and whether there are more.
    pub(crate) async fn app_clients(&self, scope: &CallScope) -> Result<(Vec<String>, bool)> {
        let request = self.sdk.list_user_pool_clients().user_pool_id(&self.id).max_results(PAGE);
        let answer = self.ask(scope, Step::ListUserPoolClients, request.send()).await?;
        let clients = answer.user_pool_clients.ok_or_else(|| empty("app clients"))?;
        Ok((clients.into_iter().filter_map(|client| client.client_id).collect(), answer.next_token.is_some()))
    }

    /// The settings of one of its app clients.
    pub(crate) async fn app_client(&self, scope: &CallScope, id: &str) -> Result<UserPoolClientType> {
        let request = self.sdk.describe_user_pool_client().user_pool_id(&self.id).client_id(id);
        let answer = self.ask(scope, Step::DescribeUserPoolClient, request.send()).await?;
        answer.user_pool_client.ok_or_else(|| empty("an app client"))
    }

    /// Ends what came of a refresh token, as the client that it was issued to.
    pub(crate) async fn revoke(&self, scope: &CallScope, client: &OauthClient, token: &Secret) -> Result<()> {
        let secret = client.secret.as_ref().map(|secret| secret.expose().to_owned());
        let request = self.sdk.revoke_token().client_id(&client.id).set_client_secret(secret).token(token.expose());
        self.ask(scope, Step::RevokeToken, request.send()).await.map(drop)
    }

    /// Ends whatever the user with this name has, and tells when, by Cognito's clock. Who is not there has nothing.
    pub(crate) async fn end_all(&self, scope: &CallScope, name: &str) -> Result<Timestamp> {
        let request = self.sdk.admin_user_global_sign_out().user_pool_id(&self.id).username(name);
        let (ended, when) = self.ask_when(scope, Step::AdminUserGlobalSignOut, request.send()).await;
        if_found(ended)?;
        when.ok_or_else(|| empty("its time"))
    }

    fn app(&self) -> Result<&AppClient> {
        self.app.as_ref().ok_or_else(|| Error::unsupported("the settings name no app client"))
    }

    async fn ask<T, E>(
        &self,
        scope: &CallScope,
        step: Step,
        operation: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.ask_when(scope, step, operation).await.0
    }

    /// The same, and when Cognito answered, if it did.
    async fn ask_when<T, E>(
        &self,
        scope: &CallScope,
        step: Step,
        operation: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> (Result<T>, Option<Timestamp>)
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        // Our client keeps the deadline; what comes before it is credentials.
        let deadline = Instant::from_std(scope.deadline());
        match timeout_at(deadline, transport::within(scope, step.effect(), operation)).await {
            Ok((answer, when)) => (answer.map_err(|error| failure(step, error)), when),
            Err(_) => (Err(late().with("step", step.name())), None),
        }
    }
}

impl AppClient {
    /// What proves to Cognito that whoever names the user knows the client's secret.
    fn secret_hash(&self, name: &str) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        Some(STANDARD.encode(hmac::sign(&key, format!("{name}{}", self.id).as_bytes())))
    }
}

/// The SDK without a network, without retries and without a clock of its own.
fn sdk_config(config: &CognitoConfig, context: &ConnectorContext) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(TokioSleep::new())
        .time_source(Time(context.clock.clone()))
        .build()
}

fn with_endpoint(config: SdkConfig, endpoint: Option<&str>) -> SdkConfig {
    match endpoint {
        Some(endpoint) => config.into_builder().endpoint_url(endpoint).build(),
        None => config,
    }
}

/// The program's clock, as the SDK wants it.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::try_from(self.0.now().as_duration()).unwrap_or_default()
    }
}

fn page(users: Option<Vec<UserType>>, next: Option<String>) -> Result<Page> {
    // An answer that names no users at all is not Cognito's word that there are none.
    let users = users.ok_or_else(|| empty("users"))?;
    Ok(Page { users: users.into_iter().map(PoolUser::try_from).collect::<Result<_>>()?, next })
}

/// Whether a code went by mail. That it was sent otherwise shows only now.
fn went_by_mail(details: Option<CodeDeliveryDetailsType>) -> Result<()> {
    match details.ok_or_else(|| empty("a delivery"))?.delivery_medium {
        Some(DeliveryMediumType::Email) => Ok(()),
        _ => Err(Error::upstream(ErrorKind::State, "cognito sent the code as a text message").with_hint(
            "User pools → the pool → Sign-up and Sign-in: prefer email for verification and for account recovery",
        )),
    }
}

fn empty(what: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "cognito's answer lacks what was asked for").with("what", what)
}
