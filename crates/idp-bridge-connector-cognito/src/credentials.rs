//! The AWS credentials of one tenant: keys of its own or the host's, and a role taken on with them.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use idp_bridge_core::{ConnectorContext, Error, Result};
use tokio::sync::OnceCell;

use crate::config::CognitoConfig;

/// The longest name of a role's session.
const SESSION_NAME: usize = 64;

/// A tenant's credentials. What the AWS SDK can only make asynchronously is made when a call needs it first.
#[derive(Debug)]
pub(crate) struct TenantCredentials {
    base: Base,
    role: Option<Role>,
    /// How the host's chain and the token service are reached.
    sdk: SdkConfig,
    made: OnceCell<SharedCredentialsProvider>,
}

#[derive(Debug)]
enum Base {
    Keys(Credentials),
    #[cfg(feature = "default-chain")]
    Host,
}

#[derive(Debug)]
struct Role {
    arn: String,
    external_id: Option<String>,
    session: String,
}

impl TenantCredentials {
    /// The credentials that the settings name; `Misconfigured` if they name none and the host's may not be used.
    pub(crate) fn new(config: &CognitoConfig, context: &ConnectorContext, sdk: SdkConfig) -> Result<Self> {
        let role = config.role_arn.clone().map(|arn| {
            // The session's name is what the account's audit log shows.
            let session = format!("idp-bridge-{}", context.tenant).chars().take(SESSION_NAME).collect();
            Role { arn, external_id: config.external_id.clone(), session }
        });
        Ok(Self { base: Base::new(config, context)?, role, sdk, made: OnceCell::new() })
    }

    async fn provider(&self) -> &SharedCredentialsProvider {
        self.made
            .get_or_init(|| async {
                let base = match &self.base {
                    Base::Keys(keys) => SharedCredentialsProvider::new(keys.clone()),
                    #[cfg(feature = "default-chain")]
                    Base::Host => host(&self.sdk).await,
                };
                match &self.role {
                    None => base,
                    Some(role) => SharedCredentialsProvider::new(role.with(base, &self.sdk).await),
                }
            })
            .await
    }
}

impl Base {
    fn new(config: &CognitoConfig, context: &ConnectorContext) -> Result<Self> {
        if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
            let token = config.session_token.as_ref().map(|token| token.expose().to_owned());
            return Ok(Self::Keys(Credentials::new(id, secret.expose(), token, None, "settings")));
        }
        check_host_role(config, context)?;
        Self::of_host(context)
    }

    #[cfg(feature = "default-chain")]
    fn of_host(context: &ConnectorContext) -> Result<Self> {
        if context.host_credentials { Ok(Self::Host) } else { Err(no_credentials()) }
    }

    #[cfg(not(feature = "default-chain"))]
    fn of_host(_: &ConnectorContext) -> Result<Self> {
        Err(no_credentials())
    }
}

impl Role {
    async fn with(&self, base: SharedCredentialsProvider, sdk: &SdkConfig) -> AssumeRoleProvider {
        let mut role = AssumeRoleProvider::builder(&self.arn).session_name(&self.session).configure(sdk);
        if let Some(id) = &self.external_id {
            role = role.external_id(id);
        }
        role.build_from_provider(base).await
    }
}

/// The default chain of the AWS SDK. It has an HTTP client of its own, since it asks the metadata service of its host.
#[cfg(feature = "default-chain")]
async fn host(sdk: &SdkConfig) -> SharedCredentialsProvider {
    let chain = aws_config::default_provider::credentials::DefaultCredentialsChain::builder();
    SharedCredentialsProvider::new(chain.region(sdk.region().cloned()).build().await)
}

/// Refuses a role that this tenant may not take on with the host's credentials, which other tenants use as well.
fn check_host_role(config: &CognitoConfig, context: &ConnectorContext) -> Result<()> {
    let Some(roles) = context.host_roles.as_ref().filter(|_| context.host_credentials) else { return Ok(()) };
    match &config.role_arn {
        Some(role) if roles.contains(role) => Ok(()),
        Some(_) => {
            Err(Error::misconfigured("`role_arn` is no role that this tenant may take on with the host's credentials")
                .with_hint("whoever runs the bridge lists it in `server.aws_roles`; or set `access_key_id`"))
        }
        None => Err(Error::misconfigured("this tenant may use the host's credentials for listed roles only")
            .with_hint("set `role_arn` to one that `server.aws_roles` lists for the tenant, or set `access_key_id`")),
    }
}

fn no_credentials() -> Error {
    let hint = if cfg!(feature = "default-chain") {
        "set `access_key_id` and `secret_access_key`, or allow the host's own with `server.aws_default_chain`"
    } else {
        "set `access_key_id` and `secret_access_key`; this program was built without the host's own (`cognito-default-chain`)"
    };
    Error::misconfigured("the settings name no AWS credentials").with_hint(hint)
}

impl ProvideCredentials for TenantCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.provider().await.provide_credentials().await })
    }
}
