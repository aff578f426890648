//! The command `check`: validates the configuration and its `state_dir`, without network access.

use clap::Args;
use idp_bridge_core::{CallKind, Registry, Support};
use idp_bridge_server::store::{FileStore, FolderState};
use idp_bridge_server::{CustomerMissing, FederationRules, Tenant, Tls};
use serde_json::{Value, json};

use super::load;
use crate::certificate;
use crate::cli::ConfigOption;
use crate::config::{Problem, Settings, StoreSettings};
use crate::log;
use crate::report::{CommandResult, Exit, Failure, print, print_json};

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    let settings = load(options.config.config.as_deref(), registry)?;
    log::check_environment_filter()?;
    let state = inspect_state_dir(&settings)?;
    if options.json {
        let store = match &settings.store {
            StoreSettings::Memory => "memory",
            StoreSettings::File(_) => "file",
            StoreSettings::Redis(_) => "redis",
        };
        let state = state.map(state_name);
        let tls = settings.tls.as_ref().map(tls_json);
        print_json(
            &json!({"ok": true, "store": store, "state_dir": state, "tls": tls, "tenants": tenants(&settings)}),
        )?;
    } else {
        print(&summary(&settings, state))?;
    }
    Ok(Exit::Done)
}

/// Inspects the folder of a store in a file.
fn inspect_state_dir(settings: &Settings) -> Result<Option<FolderState>, Failure> {
    let StoreSettings::File(folder) = &settings.store else { return Ok(None) };
    Ok(Some(FileStore::inspect(folder).map_err(|error| Problem::from_error(&error))?))
}

fn state_name(state: FolderState) -> &'static str {
    match state {
        FolderState::New => "new",
        FolderState::Kept => "kept",
        FolderState::InUse => "in_use",
    }
}

fn tenants(settings: &Settings) -> Vec<Value> {
    settings.tenants().map(|tenant| tenant_json(&tenant)).collect()
}

/// Describes a tenant without its secrets.
fn tenant_json(tenant: &Tenant) -> Value {
    json!({
        "id": tenant.id,
        "connector": tenant.connector,
        "webhook_keys": {"public": count_keys(tenant, false), "shared": count_keys(tenant, true)},
        "client_certificates": tenant.client_names,
        "deadline_ms": tenant.deadline.as_millis(),
        "customer_missing": tenant.customer_missing,
        "disabled_calls": tenant.switched_off,
        "rest": tenant.tokens.iter().map(|token| json!({"name": token.name, "scopes": token.scopes})).collect::<Vec<_>>(),
        "rest_jwt": tenant.access_tokens.as_ref().map(|tokens| json!({"issuer": tokens.issuer()})),
        "federation": tenant.federation.as_ref().map(rules_json),
        "capabilities": tenant.provider.capabilities(),
    })
}

fn summary(settings: &Settings, state: Option<FolderState>) -> String {
    let mut text = format!("the configuration is valid; the bridge listens on {}\n", settings.server.listen);
    text.extend(settings.tls.as_ref().map(tls_summary));
    text += match state {
        None if matches!(settings.store, StoreSettings::Redis(_)) => {
            "the store is in Redis; `idp-bridge doctor` checks that it can be reached\n"
        }
        None => "the store is in memory: after a restart, repeated writes run again\n",
        Some(FolderState::New) => "`state_dir` can be used; the revocation list is created at the first start\n",
        Some(FolderState::Kept) => "`state_dir` can be used, and has a revocation list\n",
        Some(FolderState::InUse) => "`state_dir` can be used, and has a revocation list that a running bridge uses\n",
    };
    text.extend(settings.tenants().map(|tenant| tenant_summary(&tenant)));
    text
}

fn tls_json(tls: &Tls) -> Value {
    json!({"expires": tls.expiry(), "expires_soon": certificate::expires_soon(tls)})
}

fn tls_summary(tls: &Tls) -> String {
    let (expiry, remaining) = (tls.expiry(), certificate::remaining(tls));
    let days = remaining.as_hours() / 24;
    if remaining.is_negative() {
        format!("warning: the certificate expired at {expiry}: replace it, since callers refuse it\n")
    } else if certificate::expires_soon(tls) {
        format!("warning: the certificate expires at {expiry}, in {days} days: check that it is renewed\n")
    } else {
        format!("the certificate expires at {expiry}, in {days} days\n")
    }
}

fn tenant_summary(tenant: &Tenant) -> String {
    let customer = match tenant.customer_missing {
        CustomerMissing::Reject => "a user without a customer is rejected",
        CustomerMissing::UseId => "a user without a customer is its own customer",
    };
    let lines = [
        ("webhook keys", keys_summary(tenant)),
        ("deadline", format!("{:?}", tenant.deadline)),
        ("customer", customer.into()),
        ("REST", rest_summary(tenant)),
        ("federation", federation_summary(tenant)),
        ("not possible", unsupported_calls(tenant)),
        ("switched off", join_or_none(tenant.switched_off.iter().map(ToString::to_string))),
    ]
    .map(|(name, value)| format!("  {name:<14} {value}\n"));
    let certificates = match tenant.client_names.join(", ") {
        names if names.is_empty() => names,
        names => format!("  {:<14} {names}\n", "certificates"),
    };
    format!("\n{} ({})\n{}{certificates}", tenant.id, tenant.connector, lines.concat())
}

fn count_keys(tenant: &Tenant, shared: bool) -> usize {
    tenant.keys.keys().iter().filter(|key| key.is_shared() == shared).count()
}

fn keys_summary(tenant: &Tenant) -> String {
    match (count_keys(tenant, false), count_keys(tenant, true)) {
        (public, 0) => format!("{public} public"),
        (0, shared) => format!("{shared} shared"),
        (public, shared) => format!("{public} public, {shared} shared"),
    }
}

fn rest_summary(tenant: &Tenant) -> String {
    let tokens = tenant.tokens.iter().map(|token| token.name.clone());
    let issuer = tenant.access_tokens.iter().map(|tokens| format!("JWTs of {}", tokens.issuer()));
    let callers: Vec<String> = tokens.chain(issuer).collect();
    if callers.is_empty() { "off".into() } else { callers.join(", ") }
}

fn rules_json(rules: &FederationRules) -> Value {
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

fn federation_summary(tenant: &Tenant) -> String {
    tenant.federation.as_ref().map_or_else(|| "off".into(), |rules| join_or_none(rules.clients.iter().cloned()))
}

fn unsupported_calls(tenant: &Tenant) -> String {
    let capabilities = tenant.provider.capabilities();
    join_or_none(CallKind::ALL.into_iter().filter_map(|kind| match capabilities.call(kind) {
        Support::Unsupported { reason } => Some(format!("{kind} ({reason})")),
        Support::Supported | Support::Conditional { .. } => None,
    }))
}

fn join_or_none(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
