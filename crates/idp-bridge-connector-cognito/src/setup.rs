//! Sets up a user pool for the bridge with the AWS credentials of the environment: the customer attribute and the app client.
//!
//! It takes the steps that docs/connectors/cognito.md describes for the console except the rights of the bridge's IAM user, and
//! can be repeated: existing parts are not changed. Operations and members are those of the reference
//! (<https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/>, November 2026).

use idp_bridge_core::ErrorKind::Misconfigured;
use idp_bridge_core::{CallScope, ConnectorContext, Error, Result, Secret, SetupStep};
use idp_bridge_http::Client;

use crate::client::UserPool;
use crate::config::CognitoConfig;

/// The prefix of custom attributes, which is not part of the name in the pool's schema requests.
const CUSTOM: &str = "custom:";

/// The parts of a pool that the bridge needs.
#[derive(Debug, Clone)]
pub struct PoolSetup {
    /// The id of the pool, which must exist.
    pub user_pool_id: String,
    /// The URL of Cognito, if not the region's.
    pub endpoint: Option<String>,
    /// The name of the app client.
    pub app_client: String,
    /// The user attribute with the customer id.
    pub customer_attribute: String,
}

/// The result of setting up a pool.
#[derive(Debug, Clone)]
pub struct SetUpPool {
    /// The id of the app client.
    pub client_id: String,
    /// The secret of the app client, if it has one.
    pub client_secret: Option<Secret>,
    /// The ARN of the pool.
    pub arn: String,
    /// The steps, in order.
    pub steps: Vec<SetupStep>,
}

impl PoolSetup {
    /// Creates the parts that the pool lacks, with the host's credentials.
    pub async fn run(&self, context: &ConnectorContext, scope: &CallScope) -> Result<SetUpPool> {
        let mut config = CognitoConfig::new(&self.user_pool_id);
        config.endpoint.clone_from(&self.endpoint);
        config.customer_attribute.clone_from(&self.customer_attribute);
        config.check()?;
        let mut context = context.clone();
        context.host_credentials = true;
        let pool = UserPool::new(&config, &context, Client::new(&context.outbound)?)?;
        let mut steps = Vec::new();
        let arn = self.ensure_attribute(&pool, scope, &mut steps).await?;
        let (client_id, client_secret) = self.ensure_app_client(&pool, scope, &mut steps).await?;
        Ok(SetUpPool { client_id, client_secret, arn, steps })
    }

    /// Declares the customer attribute if it is missing, and returns the pool's ARN.
    async fn ensure_attribute(&self, pool: &UserPool, scope: &CallScope, steps: &mut Vec<SetupStep>) -> Result<String> {
        let settings = pool.settings(scope).await?;
        let part = format!("the user attribute `{}`", self.customer_attribute);
        let mut declared =
            settings.schema_attributes.iter().flatten().filter_map(|attribute| attribute.name.as_deref());
        if declared.any(|name| name == self.customer_attribute) {
            steps.push(SetupStep::found(part));
        } else if let Some(name) = self.customer_attribute.strip_prefix(CUSTOM) {
            pool.add_attribute(scope, name).await?;
            steps.push(SetupStep::created(part));
        } else {
            return Err(Error::upstream(Misconfigured, "the pool has no such standard attribute")
                .with_hint("choose one that begins with `custom:`, which can be created"));
        }
        settings.arn.ok_or_else(|| Error::upstream(Misconfigured, "cognito did not return the pool's ARN"))
    }

    /// Finds or creates the app client, and returns its id and secret.
    async fn ensure_app_client(
        &self,
        pool: &UserPool,
        scope: &CallScope,
        steps: &mut Vec<SetupStep>,
    ) -> Result<(String, Option<Secret>)> {
        let part = format!("the app client `{}`", self.app_client);
        let client = match pool.app_clients_named(scope, &self.app_client).await?.as_slice() {
            [] => {
                steps.push(SetupStep::created(part));
                pool.create_app_client(scope, &self.app_client).await?
            }
            [id] => {
                steps.push(SetupStep::found(part));
                pool.app_client(scope, id).await?
            }
            _ => {
                return Err(Error::upstream(Misconfigured, "several app clients have the name of the bridge's")
                    .with_hint("rename the others, or choose another name with `--app-client`"));
            }
        };
        let id = client.client_id.ok_or_else(|| Error::upstream(Misconfigured, "the app client has no id"))?;
        Ok((id, client.client_secret.map(Secret::new)))
    }
}
