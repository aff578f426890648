//! The AWS credentials of one tenant: its own keys or the host's credentials, and a role assumed with them.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use idp_bridge_core::{ConnectorContext, Error, Result};
use tokio::sync::OnceCell;

use crate::config::CognitoConfig;

/// The longest name of a role's session.
const MAX_SESSION_NAME: usize = 64;

/// A tenant's credentials. The SDK's provider is created by the first call, since its construction is asynchronous.
#[derive(Debug)]
pub(crate) struct TenantCredentials {
    base: Base,
    role: Option<Role>,
    /// The configuration of the requests to the token service.
    sdk: SdkConfig,
    provider: OnceCell<SharedCredentialsProvider>,
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
    /// Creates the credentials of these settings. `Misconfigured` if they contain no keys and the host's may not be used.
    pub(crate) fn new(config: &CognitoConfig, context: &ConnectorContext, sdk: SdkConfig) -> Result<Self> {
        let role = config.role_arn.clone().map(|arn| {
            // The account's audit log shows the session's name.
            let session = format!("idp-bridge-{}", context.tenant).chars().take(MAX_SESSION_NAME).collect();
            Role { arn, external_id: config.external_id.clone(), session }
        });
        Ok(Self { base: Base::new(config, context)?, role, sdk, provider: OnceCell::new() })
    }

    async fn provider(&self) -> &SharedCredentialsProvider {
        self.provider
            .get_or_init(|| async {
                let base = match &self.base {
                    Base::Keys(keys) => SharedCredentialsProvider::new(keys.clone()),
                    #[cfg(feature = "default-chain")]
                    Base::Host => host_credentials(&self.sdk).await,
                };
                match &self.role {
                    None => base,
                    Some(role) => SharedCredentialsProvider::new(role.assume(base, &self.sdk).await),
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
        Self::from_host(context)
    }

    #[cfg(feature = "default-chain")]
    fn from_host(context: &ConnectorContext) -> Result<Self> {
        if context.host_credentials { Ok(Self::Host) } else { Err(no_credentials()) }
    }

    #[cfg(not(feature = "default-chain"))]
    fn from_host(_: &ConnectorContext) -> Result<Self> {
        Err(no_credentials())
    }
}

impl Role {
    async fn assume(&self, base: SharedCredentialsProvider, sdk: &SdkConfig) -> AssumeRoleProvider {
        let mut role = AssumeRoleProvider::builder(&self.arn).session_name(&self.session).configure(sdk);
        if let Some(id) = &self.external_id {
            role = role.external_id(id);
        }
        role.build_from_provider(base).await
    }
}

/// Creates the SDK's default chain. It uses the SDK's HTTP client, since it connects to the host's metadata service.
#[cfg(feature = "default-chain")]
async fn host_credentials(sdk: &SdkConfig) -> SharedCredentialsProvider {
    let chain = aws_config::default_provider::credentials::DefaultCredentialsChain::builder();
    SharedCredentialsProvider::new(chain.region(sdk.region().cloned()).build().await)
}

/// Checks that this tenant may assume the role with the host's credentials, which tenants share.
fn check_host_role(config: &CognitoConfig, context: &ConnectorContext) -> Result<()> {
    let Some(roles) = context.host_roles.as_ref().filter(|_| context.host_credentials) else { return Ok(()) };
    match &config.role_arn {
        Some(role) if roles.contains(role) => Ok(()),
        Some(_) => Err(Error::misconfigured("this tenant may not assume `role_arn` with the host's credentials")
            .with_hint("the bridge's operator lists the role in `server.aws_roles`; or set `access_key_id`")),
        None => Err(Error::misconfigured("this tenant may use the host's credentials for listed roles only")
            .with_hint(
                "set `role_arn` to a role that `server.aws_roles` lists for the tenant, or set `access_key_id`",
            )),
    }
}

fn no_credentials() -> Error {
    let hint = if cfg!(feature = "default-chain") {
        "set `access_key_id` and `secret_access_key`, or allow the host's credentials with `server.aws_default_chain`"
    } else {
        "set `access_key_id` and `secret_access_key`; this build does not support the host's credentials \
         (feature `cognito-default-chain`)"
    };
    Error::misconfigured("the settings contain no AWS credentials").with_hint(hint)
}

impl ProvideCredentials for TenantCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.provider().await.provide_credentials().await })
    }
}
