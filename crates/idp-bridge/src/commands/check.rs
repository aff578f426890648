//! `check`: is the configuration right, and can its `state_dir` be used? Nothing is asked over any network.

use clap::Args;
use idp_bridge_core::{CallKind, Registry, Support};
use idp_bridge_server::revocation::{FileRevocations, FolderState};
use idp_bridge_server::{CustomerMissing, FederationRules, Tenant};
use serde_json::{Value, json};

use super::load;
use crate::cli::ConfigOption;
use crate::config::{Problem, Settings};
use crate::log;
use crate::report::{Ended, Exit, Failure, print, print_json};

/// What to check, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> Ended {
    match read(options, registry) {
        Ok((settings, state)) if options.json => {
            print_json(&json!({"ok": true, "state_dir": state.map(state_name), "tenants": tenants(&settings)}))?
        }
        Ok((settings, state)) => print(&text(&settings, state))?,
        Err(failure) => return Err(failure),
    }
    Ok(Exit::Done)
}

/// Reads the configuration, and looks at the folder of the revocation list if there is one.
fn read(options: &Options, registry: &Registry) -> Result<(Settings, Option<FolderState>), Failure> {
    let settings = load(options.config.config.as_deref(), registry)?;
    log::check()?;
    let state = settings.revocation_folder().map(FileRevocations::inspect).transpose();
    let state = state.map_err(|error| Problem::of(&error))?;
    Ok((settings, state))
}

fn state_name(state: FolderState) -> &'static str {
    match state {
        FolderState::New => "new",
        FolderState::Kept => "kept",
        FolderState::InUse => "in_use",
    }
}

fn tenants(settings: &Settings) -> Vec<Value> {
    settings.tenants().map(|tenant| describe(&tenant)).collect()
}

/// A tenant without its secrets.
fn describe(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "connector": tenant.connector,
        "webhook_keys": {"public": count_keys(tenant, false), "shared": count_keys(tenant, true)},
        "deadline_ms": tenant.deadline.as_millis(),
        "customer_missing": tenant.customer_missing,
        "disabled_calls": tenant.switched_off,
        "rest": tenant.tokens.iter().map(|token| json!({"name": token.name, "scopes": token.scopes})).collect::<Vec<_>>(),
        "rest_jwt": tenant.access_tokens.as_ref().map(|tokens| json!({"issuer": tokens.issuer()})),
        "federation": tenant.federation.as_ref().map(rules),
        "capabilities": tenant.provider.capabilities(),
    })
}

fn text(settings: &Settings, state: Option<FolderState>) -> String {
    let mut text = format!("the configuration is right; it listens on {}\n", settings.server.listen);
    text += match state {
        Some(FolderState::New) => "`state_dir` can be used; the revocation list is made at the first start\n",
        Some(FolderState::Kept) => "`state_dir` can be used, and has a revocation list\n",
        Some(FolderState::InUse) => "`state_dir` can be used, and has a revocation list that a running bridge uses\n",
        None => "",
    };
    for tenant in settings.tenants() {
        text += &format!("\n{} ({})\n", tenant.id, tenant.connector);
        let customer = match tenant.customer_missing {
            CustomerMissing::Reject => "a user without a customer is not answered",
            CustomerMissing::UseId => "a user without a customer is its own customer",
        };
        for (name, value) in [
            ("webhook keys", keys(&tenant)),
            ("deadline", format!("{:?}", tenant.deadline)),
            ("customer", customer.into()),
            ("REST", rest(&tenant)),
            ("federation", federation(&tenant)),
            ("not possible", impossible(&tenant)),
            ("switched off", names(tenant.switched_off.iter().map(ToString::to_string))),
        ] {
            text += &format!("  {name:<14} {value}\n");
        }
    }
    text
}

fn count_keys(tenant: &Tenant, shared: bool) -> usize {
    tenant.keys.keys().iter().filter(|key| key.is_shared() == shared).count()
}

fn keys(tenant: &Tenant) -> String {
    match (count_keys(tenant, false), count_keys(tenant, true)) {
        (public, 0) => format!("{public} public"),
        (0, shared) => format!("{shared} shared"),
        (public, shared) => format!("{public} public, {shared} shared"),
    }
}

fn rest(tenant: &Tenant) -> String {
    let tokens = tenant.tokens.iter().map(|token| token.name.clone());
    let issuer = tenant.access_tokens.iter().map(|tokens| format!("JWTs of {}", tokens.issuer()));
    let callers: Vec<String> = tokens.chain(issuer).collect();
    if callers.is_empty() { "off".into() } else { callers.join(", ") }
}

fn rules(rules: &FederationRules) -> Value {
    json!({
        "clients": rules.clients,
        "customer": rules.customer,
        "cache_ms": rules.cache.map(|cache| cache.as_millis()),
        "max_token_age_ms": rules.max_token_age.as_millis(),
        "post_logout_redirect_uris": rules.post_logout_redirect_uris,
        "cors_origins": rules.cors_origins,
        "metadata": rules.publish,
        "anonymous_per_second": rules.anonymous_per_second,
    })
}

fn federation(tenant: &Tenant) -> String {
    tenant.federation.as_ref().map_or_else(|| "off".into(), |rules| names(rules.clients.iter().cloned()))
}

fn impossible(tenant: &Tenant) -> String {
    let capabilities = tenant.provider.capabilities();
    names(CallKind::ALL.into_iter().filter_map(|kind| match capabilities.call(kind) {
        Support::Unsupported { reason } => Some(format!("{kind} ({reason})")),
        Support::Supported | Support::Conditional { .. } => None,
    }))
}

fn names(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
