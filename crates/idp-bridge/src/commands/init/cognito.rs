//! Sets up a user pool of Amazon Cognito.

use clap::Args;
use idp_bridge_connector_cognito::setup::{PoolSetup, SetUpPool};
use idp_bridge_core::{ConnectorContext, TenantId};

use super::Connector;
use super::prompts::Prompts;
use super::setup::{describe_steps, refused, scope};
use crate::commands::runtime;
use crate::report::Failure;

/// The remaining step in IAM, for an example of a pool.
const RIGHTS: &str = include_str!("cognito.txt");
/// The pool of the example.
const EXAMPLE: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI";
const DEFAULT_ATTRIBUTE: &str = "custom:customer_id";
const HINT: &str = "check `--user-pool-id`, and the AWS credentials of the environment";

/// The options for Cognito.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cognito")]
pub(super) struct CognitoOptions {
    /// The id of the pool, such as `eu-west-1_AbCdEfGhI`
    #[arg(long, value_name = "ID")]
    user_pool_id: Option<String>,
    /// The name of the app client that requests mails, which is created if it does not exist
    #[arg(long, value_name = "NAME", default_value = "idp-bridge")]
    app_client: String,
    /// The user attribute with the customer id, which is created if its name begins with `custom:`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_ATTRIBUTE)]
    pool_attribute: String,
}

/// Creates the missing parts of the pool, with the AWS credentials of the environment, and returns the settings of the connector.
pub(super) fn set_up(
    tenant: &TenantId,
    options: &CognitoOptions,
    endpoint: Option<&str>,
    prompts: &mut Prompts,
) -> Result<Connector, Failure> {
    let setup = PoolSetup {
        user_pool_id: prompts.value(
            options.user_pool_id.as_deref(),
            "--user-pool-id",
            "the id of the user pool",
            None,
        )?,
        endpoint: endpoint.map(str::to_owned),
        app_client: options.app_client.clone(),
        customer_attribute: options.pool_attribute.clone(),
    };
    let context = ConnectorContext::new(tenant.clone());
    let done = runtime()?.block_on(setup.run(&context, &scope())).map_err(|error| refused(&error, HINT))?;
    let title = format!("Amazon Cognito, user pool `{}`", setup.user_pool_id);
    Ok(Connector {
        kind: "cognito".into(),
        settings: settings(&setup, &done),
        report: format!("{}\n{}", describe_steps(&title, &done.steps), RIGHTS.replace(EXAMPLE, &done.arn)),
        secret: done.client_secret.map(|secret| ("client_secret_file", secret)),
        // The bridge's own credentials are missing.
        is_complete: false,
    })
}

fn settings(setup: &PoolSetup, done: &SetUpPool) -> toml::Table {
    let mut settings = toml::Table::new();
    let mut set = |key: &str, value: &str| settings.insert(key.into(), value.into());
    set("user_pool_id", &setup.user_pool_id);
    set("client_id", &done.client_id);
    if setup.customer_attribute != DEFAULT_ATTRIBUTE {
        set("customer_attribute", &setup.customer_attribute);
    }
    if let Some(endpoint) = &setup.endpoint {
        set("endpoint", endpoint);
    }
    settings
}
