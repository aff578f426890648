//! The requests to Cognito's user pool API.

mod setup;

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
use crate::error::{Operation, timed_out, to_error};
use crate::map::PoolUser;
use crate::search::Search;
use crate::transport::{self, Transport};

/// The maximum number of users of a page.
const PAGE: i32 = 60;

/// A client of one user pool, with AWS credentials and an app client.
pub(crate) struct UserPool {
    sdk: SdkClient,
    id: String,
    /// The app client that requests mails.
    app: Option<OauthClient>,
    random: Arc<dyn Random>,
}

/// The first app clients of a pool.
pub(crate) struct AppClients {
    pub(crate) ids: Vec<String>,
    /// Whether the pool has further app clients.
    pub(crate) has_more: bool,
}

/// A page of users.
pub(crate) struct Page {
    /// The users. A page may be empty without being the last.
    pub(crate) users: Vec<PoolUser>,
    /// The token of the next page.
    pub(crate) next: Option<String>,
}

impl Page {
    /// Returns the token of the next page. Fails if it is the token of this page, since the search would not end.
    pub(crate) fn next_after(self, token: Option<&str>) -> Result<Option<String>> {
        match self.next {
            Some(next) if token == Some(next.as_str()) => {
                Err(Error::upstream(ErrorKind::InvalidResponse, "the pages of a search do not end"))
            }
            next => Ok(next),
        }
    }
}

impl UserPool {
    pub(crate) fn new(config: &CognitoConfig, context: &ConnectorContext, http: Client) -> Result<Self> {
        for (setting, endpoint) in [("endpoint", &config.endpoint), ("sts_endpoint", &config.sts_endpoint)] {
            if let Some(endpoint) = endpoint {
                BaseUrl::parse_setting(setting, endpoint, &context.outbound)?;
            }
        }
        let common = sdk_config(config, context);
        let sts = common.to_builder().http_client(Transport::to_sts(http.clone())).build();
        let sts = with_endpoint(sts, config.sts_endpoint.as_deref());
        let credentials = TenantCredentials::new(config, context, sts)?;
        let cognito = common
            .into_builder()
            .http_client(Transport::to_cognito(http))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let cognito = with_endpoint(cognito, config.endpoint.as_deref());
        let app = config.client_id.clone().map(|id| OauthClient { id, secret: config.client_secret.clone() });
        let random = Arc::clone(&context.random);
        Ok(Self { sdk: SdkClient::new(&cognito), id: config.user_pool_id.clone(), app, random })
    }

    /// Returns the pool's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Reads the user with this name: a username, the id of a user of the pool itself, or an alias.
    pub(crate) async fn user(&self, scope: &CallScope, name: &str) -> Result<PoolUser> {
        let request = self.sdk.admin_get_user().user_pool_id(&self.id).username(name);
        self.send(scope, Operation::AdminGetUser, request.send()).await?.try_into()
    }

    /// Reads a page of the users that a search finds.
    pub(crate) async fn search(&self, scope: &CallScope, search: &Search, token: Option<String>) -> Result<Page> {
        match search {
            Search::Filter(filter) => self.list_filtered(scope, Some(filter.clone()), token).await,
            Search::Group(group) => {
                let request = self.sdk.list_users_in_group().user_pool_id(&self.id).group_name(group);
                let request = request.limit(PAGE).set_next_token(token);
                if let Some(answer) = if_found(self.send(scope, Operation::ListUsersInGroup, request.send()).await)? {
                    return page(answer.users, answer.next_token);
                }
                // Cognito returns one code for an unknown group and an unknown pool.
                self.check_readable(scope).await?;
                Ok(Page { users: Vec::new(), next: None })
            }
        }
    }

    /// Checks that the pool exists and that its users can be read.
    pub(crate) async fn check_readable(&self, scope: &CallScope) -> Result<()> {
        if_found(self.user(scope, &self.unused_name()?).await).map(drop)
    }

    /// Returns a random name that no user has.
    pub(crate) fn unused_name(&self) -> Result<String> {
        Ok(format!("nobody-{}", self.random.word()?))
    }

    /// Checks that the members of groups can be read. The group does not have to exist.
    pub(crate) async fn check_groups_readable(&self, scope: &CallScope) -> Result<()> {
        let request = self.sdk.list_users_in_group().user_pool_id(&self.id).group_name("idp-bridge-doctor").limit(1);
        self.send(scope, Operation::ListUsersInGroup, request.send()).await.map(drop)
    }

    /// Reads a page of all users.
    pub(crate) async fn list(&self, scope: &CallScope, token: Option<String>) -> Result<Page> {
        self.list_filtered(scope, None, token).await
    }

    // `AttributesToGet` would fail for a page with a user without one of them.
    async fn list_filtered(&self, scope: &CallScope, filter: Option<String>, token: Option<String>) -> Result<Page> {
        let request = self.sdk.list_users().user_pool_id(&self.id).limit(PAGE);
        let request = request.set_filter(filter).set_pagination_token(token);
        let answer = self.send(scope, Operation::ListUsers, request.send()).await?;
        page(answer.users, answer.pagination_token)
    }

    /// Sets the flag of a verified address.
    pub(crate) async fn set_email_verified(&self, scope: &CallScope, name: &str, verified: bool) -> Result<()> {
        let attribute = AttributeType::builder().name("email_verified").value(verified.to_string()).build();
        let attribute = attribute.map_err(|_| Error::ours(ErrorKind::Unexpected, "an attribute has no name"))?;
        let request = self.sdk.admin_update_user_attributes().user_pool_id(&self.id).username(name);
        self.send(scope, Operation::AdminUpdateUserAttributes, request.user_attributes(attribute).send())
            .await
            .map(drop)
    }

    /// Deletes the user.
    pub(crate) async fn delete(&self, scope: &CallScope, name: &str) -> Result<()> {
        let request = self.sdk.admin_delete_user().user_pool_id(&self.id).username(name);
        self.send(scope, Operation::AdminDeleteUser, request.send()).await.map(drop)
    }

    /// Requests a mail with another code for a user who has not confirmed the sign-up.
    pub(crate) async fn resend_code(&self, scope: &CallScope, name: &str) -> Result<()> {
        let app = self.app()?;
        let request = self.sdk.resend_confirmation_code().client_id(&app.id).username(name);
        let request = request.set_secret_hash(secret_hash(app, name));
        let answer = self.send(scope, Operation::ResendConfirmationCode, request.send()).await?;
        check_delivery(answer.code_delivery_details)
    }

    /// Requests another invitation, with a new temporary password, for a user who has never signed in.
    pub(crate) async fn resend_invitation(&self, scope: &CallScope, name: &str) -> Result<()> {
        let request = self.sdk.admin_create_user().user_pool_id(&self.id).username(name);
        // Without a medium Cognito sends a text message.
        let request = request.message_action(MessageActionType::Resend);
        let request = request.desired_delivery_mediums(DeliveryMediumType::Email);
        let answer = self.send(scope, Operation::AdminCreateUser, request.send()).await?;
        answer.user.map(drop).ok_or_else(|| incomplete("an invitation"))
    }

    /// Requests a mail with a code for a new password. The present password remains valid, unlike after `AdminResetUserPassword`.
    pub(crate) async fn forgot_password(&self, scope: &CallScope, name: &str) -> Result<()> {
        let app = self.app()?;
        let request = self.sdk.forgot_password().client_id(&app.id).username(name);
        let request = request.set_secret_hash(secret_hash(app, name));
        let answer = self.send(scope, Operation::ForgotPassword, request.send()).await?;
        check_delivery(answer.code_delivery_details)
    }

    /// Reads the pool's settings.
    pub(crate) async fn settings(&self, scope: &CallScope) -> Result<UserPoolType> {
        let request = self.sdk.describe_user_pool().user_pool_id(&self.id);
        let answer = self.send(scope, Operation::DescribeUserPool, request.send()).await?;
        answer.user_pool.ok_or_else(|| incomplete("a pool"))
    }

    /// Reads the first page of the pool's app clients.
    pub(crate) async fn app_clients(&self, scope: &CallScope) -> Result<AppClients> {
        let request = self.sdk.list_user_pool_clients().user_pool_id(&self.id).max_results(PAGE);
        let answer = self.send(scope, Operation::ListUserPoolClients, request.send()).await?;
        let clients = answer.user_pool_clients.ok_or_else(|| incomplete("app clients"))?;
        Ok(AppClients {
            ids: clients.into_iter().filter_map(|client| client.client_id).collect(),
            has_more: answer.next_token.is_some(),
        })
    }

    /// Reads the settings of an app client.
    pub(crate) async fn app_client(&self, scope: &CallScope, id: &str) -> Result<UserPoolClientType> {
        let request = self.sdk.describe_user_pool_client().user_pool_id(&self.id).client_id(id);
        let answer = self.send(scope, Operation::DescribeUserPoolClient, request.send()).await?;
        answer.user_pool_client.ok_or_else(|| incomplete("an app client"))
    }

    /// Revokes a refresh token, and the access tokens of its login, as the client that it was issued to.
    pub(crate) async fn revoke(&self, scope: &CallScope, client: &OauthClient, token: &Secret) -> Result<()> {
        let secret = client.secret.as_ref().map(|secret| secret.expose().to_owned());
        let request = self.sdk.revoke_token().client_id(&client.id).set_client_secret(secret).token(token.expose());
        self.send(scope, Operation::RevokeToken, request.send()).await.map(drop)
    }

    /// Ends all logins of the user with this name. Returns the time by Cognito's clock. Succeeds for a missing user.
    pub(crate) async fn sign_out_everywhere(&self, scope: &CallScope, name: &str) -> Result<Timestamp> {
        let request = self.sdk.admin_user_global_sign_out().user_pool_id(&self.id).username(name);
        let (ended, time) = self.send_timed(scope, Operation::AdminUserGlobalSignOut, request.send()).await;
        if_found(ended)?;
        time.ok_or_else(|| incomplete("its time"))
    }

    fn app(&self) -> Result<&OauthClient> {
        self.app.as_ref().ok_or_else(|| Error::unsupported("the settings name no app client"))
    }

    async fn send<T, E>(
        &self,
        scope: &CallScope,
        operation: Operation,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.send_timed(scope, operation, request).await.0
    }

    /// Sends a request. Returns also the time of the answer, if there is one.
    async fn send_timed<T, E>(
        &self,
        scope: &CallScope,
        operation: Operation,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> (Result<T>, Option<Timestamp>)
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        // The HTTP client keeps the deadline for the request. This timeout also covers the credentials before it.
        let deadline = Instant::from_std(scope.deadline());
        match timeout_at(deadline, transport::in_call(scope, operation.effect(), request)).await {
            Ok((answer, time)) => (answer.map_err(|error| to_error(operation, error)), time),
            Err(_) => (Err(timed_out().with("step", operation.to_string())), None),
        }
    }
}

/// Returns Cognito's `SECRET_HASH`: a proof that the sender has the client's secret.
fn secret_hash(client: &OauthClient, name: &str) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, client.secret.as_ref()?.expose().as_bytes());
    Some(STANDARD.encode(hmac::sign(&key, format!("{name}{}", client.id).as_bytes())))
}

/// Returns a configuration without the SDK's own network, retries and clock.
fn sdk_config(config: &CognitoConfig, context: &ConnectorContext) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .sleep_impl(TokioSleep::new())
        .time_source(SdkClock(context.clock.clone()))
        .build()
}

fn with_endpoint(config: SdkConfig, endpoint: Option<&str>) -> SdkConfig {
    match endpoint {
        Some(endpoint) => config.into_builder().endpoint_url(endpoint).build(),
        None => config,
    }
}

/// Adapts the program's clock to the SDK.
#[derive(Debug)]
struct SdkClock(Arc<dyn Clock>);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::try_from(self.0.now().as_duration()).unwrap_or_default()
    }
}

fn page(users: Option<Vec<UserType>>, next: Option<String>) -> Result<Page> {
    // An answer without the list does not mean that there are no users.
    let users = users.ok_or_else(|| incomplete("users"))?;
    Ok(Page { users: users.into_iter().map(PoolUser::try_from).collect::<Result<_>>()?, next })
}

/// Checks that a code was sent by mail. Another medium is visible only in the answer.
fn check_delivery(details: Option<CodeDeliveryDetailsType>) -> Result<()> {
    match details.ok_or_else(|| incomplete("a delivery"))?.delivery_medium {
        Some(DeliveryMediumType::Email) => Ok(()),
        _ => Err(Error::upstream(ErrorKind::State, "cognito sent the code as a text message").with_hint(
            "User pools → the pool → Sign-up and Sign-in: prefer email for verification and for account recovery",
        )),
    }
}

fn incomplete(what: &'static str) -> Error {
    Error::upstream(ErrorKind::InvalidResponse, "cognito's answer lacks the requested part").with("what", what)
}
