//! Sets up an Auth0 tenant.

use std::path::PathBuf;

use clap::Args;
use idp_bridge_connector_auth0::setup::{SetUpTenant, TenantSetup};
use idp_bridge_core::{ConnectorContext, TenantId};

use super::Connector;
use super::prompts::Prompts;
use super::secret_input::read_secret;
use super::setup::{describe_steps, refused, scope};
use crate::commands::runtime;
use crate::report::Failure;

const HINT: &str = "check `--domain`, and that Auth0 can be reached from here";

/// The options for Auth0.
#[derive(Debug, Args)]
#[command(next_help_heading = "Auth0")]
pub(super) struct Auth0Options {
    /// The tenant's own domain, such as `acme.eu.auth0.com`
    #[arg(long)]
    domain: Option<String>,
    /// A file with a token of the Management API, instead of typing it: Applications → APIs → Auth0 Management API → API Explorer
    #[arg(long, value_name = "PATH")]
    management_token_file: Option<PathBuf>,
    /// The name of the bridge's application, which is created if it does not exist
    #[arg(long, value_name = "NAME", default_value = "idp-bridge")]
    application: String,
    /// The database whose users can get reset mails [default: the only one]
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// The application that reset mails are sent for [default: the only one that users log in to]
    #[arg(long, value_name = "ID")]
    email_client_id: Option<String>,
}

/// Creates the missing parts of the tenant, and returns the settings of the connector.
pub(super) fn set_up(
    tenant: &TenantId,
    options: &Auth0Options,
    endpoint: Option<&str>,
    prompts: &mut Prompts,
) -> Result<Connector, Failure> {
    let setup = TenantSetup {
        domain: prompts.value(options.domain.as_deref(), "--domain", "the Auth0 tenant's own domain", None)?,
        endpoint: endpoint.map(str::to_owned),
        application: options.application.clone(),
        connection: options.connection.clone(),
        email_client_id: options.email_client_id.clone(),
    };
    let context = ConnectorContext::new(tenant.clone());
    let runtime = runtime()?;
    // A wrong domain shows before the token is typed.
    runtime.block_on(setup.discover(&context, &scope())).map_err(|error| refused(&error, HINT))?;
    let prompt = "a token of the Management API (Applications → APIs → Auth0 Management API → API Explorer), \
                  used now and not stored: ";
    let token = read_secret("token", options.management_token_file.as_deref(), "--management-token-file", prompt)?;
    let done = runtime.block_on(setup.run(&token, &context, &scope())).map_err(|error| refused(&error, HINT))?;
    Ok(Connector {
        kind: "auth0".into(),
        settings: settings(&setup, &done),
        report: report(&setup, &done),
        secret: Some(("client_secret_file", done.client_secret)),
        is_complete: true,
    })
}

fn settings(setup: &TenantSetup, done: &SetUpTenant) -> toml::Table {
    let mut settings = toml::Table::new();
    let mut set = |key: &str, value: &str| settings.insert(key.into(), value.into());
    set("domain", &setup.domain);
    set("client_id", &done.client_id);
    if let Some(mails) = &done.mails {
        set("connection", &mails.connection);
        set("email_client_id", &mails.email_client_id);
    }
    if let Some(endpoint) = &setup.endpoint {
        set("endpoint", endpoint);
    }
    settings
}

fn report(setup: &TenantSetup, done: &SetUpTenant) -> String {
    let without_mails = "Reset mails are off: the tenant has several databases or applications, or none.\n\
                         Choose with `--connection` and `--email-client-id`.\n";
    let more = if done.mails.is_some() { "" } else { without_mails };
    format!("{}{more}", describe_steps(&format!("Auth0, tenant `{}`", setup.domain), &done.steps))
}
