//! The command `init`: sets up a tenant, from its identity provider to a signed call.

#[cfg(feature = "auth0")]
mod auth0;
#[cfg(feature = "cognito")]
mod cognito;
mod files;
#[cfg(feature = "keycloak")]
mod keycloak;
mod prompts;
#[cfg(any(feature = "auth0", feature = "keycloak"))]
mod secret_input;
#[cfg(any(feature = "auth0", feature = "cognito", feature = "keycloak"))]
mod setup;
mod written;

use std::path::PathBuf;

use clap::Args;
use idp_bridge_core::{Registry, TenantId};

use self::files::Files;
use self::prompts::Prompts;
use super::{doctor, keys};
use crate::config::{Problem, list, nearest};
use crate::report::{CommandResult, Exit, Failure, print};
use crate::show;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # prompts for missing values, and for the administrator's password
  idp-bridge init keycloak --url https://login.acme.example --realm acme --tenant acme
  # without prompts
  idp-bridge init keycloak --url https://login.acme.example --realm acme --tenant acme \\
    --admin-user admin --admin-password-file admin.password --out /etc/idp-bridge
  # prompts for a token of the Management API, which the API Explorer in Auth0's Dashboard shows
  idp-bridge init auth0 --domain acme.eu.auth0.com --tenant acme
  # uses the AWS credentials of the environment, and prints the policy for the bridge's own
  idp-bridge init cognito --user-pool-id eu-west-1_AbCdEfGhI --tenant initech
  # with `--set` it writes the configuration, and prints what to do in the console
  idp-bridge init auth0 --tenant acme --set domain=acme.eu.auth0.com --set client_id=abc --set client_secret_file=auth0.secret

`init` creates what the bridge needs, or finds it: for Keycloak the client `idp-bridge`, its role `manage-users` and the attribute
`customer_id`; for Auth0 the application `idp-bridge` and its scopes; for Cognito the app client `idp-bridge` and the attribute
`custom:customer_id`.
An administrator's password or token is used for this setup only, and stored nowhere.

Exit codes: 0 done, 1 the identity provider refused, or `doctor` found a mistake, 2 wrong usage or a file exists.";

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The identity provider: `keycloak`, or another connector of this program
    product: Option<String>,
    /// The platform's id of the tenant
    #[arg(long)]
    tenant: Option<String>,
    /// The folder of the written files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Replace files that exist, keys included
    #[arg(long)]
    force: bool,
    /// The address on which the bridge listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: std::net::SocketAddr,
    /// A setting of the connector; can be repeated. Auth0 and Cognito are then not set up: the steps in the console are printed
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The URL of Auth0's or Cognito's API instead of the usual one, such as a gateway
    #[cfg(any(feature = "auth0", feature = "cognito"))]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[cfg(feature = "auth0")]
    #[command(flatten)]
    auth0: auth0::Auth0Options,
    #[cfg(feature = "cognito")]
    #[command(flatten)]
    cognito: cognito::CognitoOptions,
    #[cfg(feature = "keycloak")]
    #[command(flatten)]
    keycloak: keycloak::KeycloakOptions,
}

/// The settings of a tenant's connector.
struct Connector {
    kind: String,
    settings: toml::Table,
    /// The secret of the connector's client, with the key of its file. It is missing if the operator has to copy it.
    secret: Option<(&'static str, idp_bridge_core::Secret)>,
    /// The created part, or the step to do by hand.
    report: String,
    /// Whether nothing is left to do at the identity provider.
    is_complete: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    let mut prompts = Prompts::new();
    let kind = choose_product(options, registry, &mut prompts)?;
    let tenant = prompts.value(options.tenant.as_deref(), "--tenant", "the platform's id of the tenant", None)?;
    let tenant = TenantId::new(&tenant)
        .map_err(|error| Problem::new(format!("`{tenant}` is not an id of a tenant: {error}")))?;
    let files = Files::new(&options.out, &kind, options.force)?;
    let connector = set_up(&kind, &tenant, options, registry, &mut prompts)?;
    print(&connector.report)?;
    write(&files, &tenant, &connector, options)?;
    finish(&files, &tenant, &connector, registry)
}

fn set_up(
    kind: &str,
    tenant: &TenantId,
    options: &Options,
    registry: &Registry,
    prompts: &mut Prompts,
) -> Result<Connector, Failure> {
    match kind {
        #[cfg(feature = "keycloak")]
        "keycloak" => keycloak::set_up(tenant, &options.keycloak, prompts),
        #[cfg(feature = "auth0")]
        "auth0" if options.settings.is_empty() => {
            auth0::set_up(tenant, &options.auth0, options.endpoint.as_deref(), prompts)
        }
        #[cfg(feature = "cognito")]
        "cognito" if options.settings.is_empty() => {
            cognito::set_up(tenant, &options.cognito, options.endpoint.as_deref(), prompts)
        }
        _ => written::set_up(kind, tenant, options, registry, prompts),
    }
}

/// Returns the type of a connector that is built in.
fn choose_product(options: &Options, registry: &Registry, prompts: &mut Prompts) -> Result<String, Failure> {
    let kinds: Vec<&str> = registry.iter().map(|entry| entry.kind()).filter(|kind| *kind != "memory").collect();
    let question = format!("the identity provider, one of {}", list(kinds.iter().copied()));
    let kind = prompts.value(options.product.as_deref(), "PRODUCT", &question, None)?;
    if kinds.contains(&kind.as_str()) {
        return Ok(kind);
    }
    let problem = Problem::new(format!("`init` does not support the identity provider `{kind}`"));
    Err(match nearest(&kind, kinds.iter().copied()) {
        Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
        None => problem.with_hint(format!("choose one of {}", list(kinds.iter().copied()))),
    }
    .into())
}

/// Writes the secret, the keys and the configuration, which is the last one.
fn write(files: &Files, tenant: &TenantId, connector: &Connector, options: &Options) -> Result<(), Failure> {
    let mut settings = connector.settings.clone();
    if let Some((key, secret)) = &connector.secret {
        settings.insert((*key).into(), files.secret_name().into());
        files.write_secret(secret)?;
    }
    let key = keys::generate(false)?;
    files.write_keys(&key.to_text(), &key.to_verifying_text())?;
    let lines: String = settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    files.write_configuration(&format!(
        "# Written by `idp-bridge init`. docs/configuration.example.toml describes all keys.\n\
         [server]\n\
         listen = \"{}\"\n\
         # With a folder here, results of writes and revoked tokens survive a restart.\n\
         # state_dir = \"/var/lib/idp-bridge\"\n\n\
         [tenants.{tenant}]\n\
         webhook_keys_file = [\"{}\"]\n\n\
         [tenants.{tenant}.connector]\n\
         type = \"{}\"\n{lines}",
        options.listen,
        files::BRIDGE_KEY,
        connector.kind,
    ))
}

/// Runs `doctor` if the identity provider is set up, and prints the next commands.
fn finish(files: &Files, tenant: &TenantId, connector: &Connector, registry: &Registry) -> CommandResult {
    print(&files.describe(connector.secret.is_some()))?;
    let exit = if connector.is_complete {
        doctor::run(&doctor::Options::for_configuration(&files.configuration()), registry)?
    } else {
        Exit::Done
    };
    let program = show::invocation();
    let (config, key) = (files.configuration(), files.platform_key());
    let (config, key) = (show::quote_path(&config), show::quote_path(&key));
    let doctor = if connector.is_complete { String::new() } else { format!("  {program} doctor --config {config}\n") };
    print(&format!(
        "\nnext:\n{doctor}  {program} serve --config {config}\n\
         and in another terminal:\n  {program} call ping --tenant {tenant} --key-file {key}\n"
    ))?;
    Ok(exit)
}
