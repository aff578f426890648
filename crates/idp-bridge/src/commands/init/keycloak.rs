//! Sets up a realm of Keycloak.

use std::path::{Path, PathBuf};

use clap::Args;
use idp_bridge_connector_keycloak::setup::{Administrator, RealmSetup};
use idp_bridge_core::{ConnectorContext, TenantId};

use super::Connector;
use super::prompts::Prompts;
use super::secret_input::read_secret;
use super::setup::{describe_steps, refused, scope};
use crate::commands::runtime;
use crate::config::{MAX_FILE, Problem, read_text};
use crate::report::Failure;

const HINT: &str = "check `--url`, and that Keycloak can be reached from here";

/// The options for Keycloak.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keycloak")]
pub(super) struct KeycloakOptions {
    /// Keycloak's URL, including the path if there is one (`/auth`)
    #[arg(long)]
    url: Option<String>,
    /// The realm, which must exist
    #[arg(long)]
    realm: Option<String>,
    /// The bridge's client, which is created if it does not exist
    #[arg(long, value_name = "ID", default_value = "idp-bridge")]
    client_id: String,
    /// The user attribute with the customer id
    #[arg(long, value_name = "NAME", default_value = "customer_id")]
    customer_attribute: String,
    /// Also assign `view-realm` and `view-clients`, with which `doctor` checks the mail server and the applications' tokens
    #[arg(long)]
    view_roles: bool,
    /// The user name of an administrator
    #[arg(long, value_name = "NAME")]
    admin_user: Option<String>,
    /// A file with the administrator's password, instead of typing it
    #[arg(long, value_name = "PATH")]
    admin_password_file: Option<PathBuf>,
    /// The realm in which the administrator logs in
    #[arg(long, value_name = "REALM", default_value = "master")]
    admin_realm: String,
    /// Certificate authorities (PEM) to trust instead of the system's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
    /// Allow plain `http` to another host than this one
    #[arg(long)]
    allow_http: bool,
}

/// Creates the missing parts of the realm, and returns the settings of the connector.
pub(super) fn set_up(
    tenant: &TenantId,
    options: &KeycloakOptions,
    prompts: &mut Prompts,
) -> Result<Connector, Failure> {
    let setup = RealmSetup {
        url: prompts.value(options.url.as_deref(), "--url", "Keycloak's URL", None)?,
        realm: prompts.value(options.realm.as_deref(), "--realm", "the realm", Some(tenant.as_str()))?,
        client_id: options.client_id.clone(),
        customer_attribute: options.customer_attribute.clone(),
        roles: roles(options),
    };
    let mut context = ConnectorContext::new(tenant.clone());
    context.outbound.allow_http = options.allow_http;
    context.outbound.ca_pem = options.ca_file.as_deref().map(read_authorities).transpose()?;
    let runtime = runtime()?;
    // A wrong URL or realm shows before the password is typed.
    runtime.block_on(setup.discover(&context, &scope())).map_err(|error| refused(&error, HINT))?;
    let administrator = read_administrator(options, prompts)?;
    let done =
        runtime.block_on(setup.run(&administrator, &context, &scope())).map_err(|error| refused(&error, HINT))?;
    Ok(Connector {
        kind: "keycloak".into(),
        settings: settings(&setup, options, done.issuer.as_deref())?,
        report: describe_steps(&format!("Keycloak, realm `{}`", setup.realm), &done.steps),
        secret: Some(("client_secret_file", done.client_secret)),
        is_complete: true,
    })
}

fn roles(options: &KeycloakOptions) -> Vec<String> {
    let more: &[&str] = if options.view_roles { &["view-realm", "view-clients"] } else { &[] };
    ["manage-users"].iter().chain(more).map(|role| (*role).to_owned()).collect()
}

fn read_administrator(options: &KeycloakOptions, prompts: &mut Prompts) -> Result<Administrator, Problem> {
    let question = format!("the name of an administrator, who logs in to the realm `{}`", options.admin_realm);
    let name = prompts.value(options.admin_user.as_deref(), "--admin-user", &question, None)?;
    let prompt = format!("password of `{name}`, used once and not stored: ");
    let password = read_secret("password", options.admin_password_file.as_deref(), "--admin-password-file", &prompt)?;
    Ok(Administrator { realm: options.admin_realm.clone(), name, password })
}

fn read_authorities(path: &Path) -> Result<Vec<u8>, Problem> {
    let text = read_text(path, MAX_FILE);
    text.map(String::into_bytes).map_err(|error| Problem::new(format!("`{}` cannot be read: {error}", path.display())))
}

/// Returns the settings that differ from their defaults, and the required ones.
fn settings(setup: &RealmSetup, options: &KeycloakOptions, issuer: Option<&str>) -> Result<toml::Table, Problem> {
    let mut settings = toml::Table::new();
    let mut set = |key: &str, value: &str| settings.insert(key.into(), value.into());
    set("url", &setup.url);
    set("realm", &setup.realm);
    set("client_id", &setup.client_id);
    if setup.customer_attribute != "customer_id" {
        set("customer_attribute", &setup.customer_attribute);
    }
    if let Some(issuer) = issuer {
        set("issuer", issuer);
    }
    if let Some(path) = &options.ca_file {
        let path = path.canonicalize().map_err(|error| Problem::new(format!("`{}`: {error}", path.display())))?;
        set("ca_file", &path.display().to_string());
    }
    if options.allow_http {
        settings.insert("allow_http".into(), true.into());
    }
    Ok(settings)
}
