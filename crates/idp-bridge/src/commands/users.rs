//! The command `users`: makes calls directly through a configured connector, with the server's dispatch.

mod import;

use std::time::Duration;

use clap::{Args, Subcommand};
use idp_bridge_client::{Answer, answers};
use idp_bridge_core::{Call, CallScope, Outcome, Registry, TenantId};
use idp_bridge_server::store::{FileStore, FolderState, Store};
use idp_bridge_server::{Tenant, dispatch};
use serde_json::json;
use std::sync::Arc;

use super::{load, runtime, store};
use crate::cli::{ConfigOption, UserCommand, parse_duration};
use crate::config::{Problem, Settings, StoreSettings, list, nearest};
use crate::report::{CommandResult, Exit, Failure, print, print_json, print_note, with_causes};
use crate::show;
use crate::sqlite::{SqliteOption, SqliteUsers};

/// The subcommands: the calls, and the import.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Call(UserCommand<Options>),
    /// Import users into the file of `--sqlite`: all of them, or none
    Import(import::Options),
}

impl Command {
    /// Returns whether the command prints JSON, including its errors.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::Call(call) => call.options().json,
            Self::Import(import) => import.json,
        }
    }
}

/// The options of a call.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    sqlite: SqliteOption,
    /// The tenant [default: the configured one, if there is only one]
    #[arg(long)]
    tenant: Option<TenantId>,
    /// How long to wait [default: the tenant's deadline]
    #[arg(long, value_parser = parse_duration, allow_hyphen_values = true, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(command: Command, registry: &Registry) -> CommandResult {
    let (call, options) = match command {
        Command::Call(call) => call.into_parts(),
        Command::Import(options) => return import::run(&options),
    };
    let (tenant, store) = match &options.sqlite.sqlite {
        Some(path) => (Arc::new(SqliteUsers::open(path, options.tenant.clone())?.to_tenant()?), None),
        None => {
            let settings = load(options.config.config.as_deref(), registry)?;
            let tenant = select_tenant(&settings, options.tenant.as_ref())?;
            let is_revoking = matches!(call, Call::Delete(_)) && tenant.federation.is_some();
            let store = if is_revoking { Some(open_store(&settings)?) } else { None };
            (tenant, store)
        }
    };
    let result = perform(&tenant, call, store.as_ref(), options.timeout.unwrap_or(tenant.deadline))?;
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) if options.json => {
            print_json(&json!({
                "error": with_causes(&failure.error),
                "kind": format!("{:?}", failure.error.kind()),
                "outcome": failure.outcome.as_str(),
            }))?;
            return Ok(Exit::Negative);
        }
        Err(failure) => return Err(to_failure(&failure)),
    };
    if options.json {
        print_json(&answer)?
    } else {
        print(&show::format_answer(&answer))?
    }
    Ok(Exit::Done)
}

/// Returns the tenant with this id, or the only tenant if there is no id.
pub(super) fn select_tenant(settings: &Settings, id: Option<&TenantId>) -> Result<Arc<Tenant>, Problem> {
    let configured = || list(settings.ids.iter().map(TenantId::as_str));
    let Some(id) = id else {
        let mut tenants = settings.tenants();
        return match (tenants.next(), tenants.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Problem::new("several tenants are configured")
                .with_hint(format!("choose one with `--tenant`: {}", configured()))),
        };
    };
    settings.tenants.get(id).ok_or_else(|| {
        let problem = Problem::new(format!("no tenant `{id}` is configured"));
        match nearest(id.as_str(), settings.ids.iter().map(TenantId::as_str)) {
            Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
            None => problem.with_hint(format!("the configured tenants are {}", configured())),
        }
    })
}

/// Opens the store, before anything is deleted.
fn open_store(settings: &Settings) -> Result<Store, Failure> {
    let in_use = "delete the user through the running bridge with `idp-bridge call delete`, which also revokes the user's \
                  access tokens; or stop the bridge first";
    store::open(&settings.store).map_err(|problem| match &settings.store {
        StoreSettings::File(folder) if matches!(FileStore::inspect(folder), Ok(FolderState::InUse)) => {
            problem.with_hint(in_use).into()
        }
        _ => problem.into(),
    })
}

/// Makes the call. A successful delete revokes the user's access tokens in the store.
fn perform(
    tenant: &Tenant,
    call: Call,
    store: Option<&Store>,
    timeout: Duration,
) -> Result<Result<Answer, dispatch::Failure>, Failure> {
    let result = runtime()?.block_on(async {
        let scope = CallScope::new("command-line", timeout);
        let deleted = if let Call::Delete(id) = &call { Some(id.clone()) } else { None };
        let answer = dispatch::call(tenant, call, &scope).await?;
        if let (Some(store), Some(id)) = (store, deleted) {
            // The command has to be repeated.
            let revoked = store.revoke_deleted_user(tenant, id, scope.deadline()).await;
            revoked.map_err(|error| dispatch::Failure { error, outcome: Outcome::Unknown })?;
        }
        Ok(answer)
    });
    Ok(result.map(|answer| match answer {
        dispatch::Answer::User(answer) => Answer::User(answer),
        dispatch::Answer::Deleted(deleted) => Answer::Deleted(deleted.into()),
        dispatch::Answer::Done => Answer::Done(answers::DoneAnswer {}),
        dispatch::Answer::Concealed(reason) => {
            print_note(&format!(
                "no mail was sent: {}; the platform gets the same answer as for a sent mail, so that it does not reveal who is a user",
                with_causes(&reason)
            ));
            Answer::Done(answers::DoneAnswer {})
        }
    }))
}

fn to_failure(failure: &dispatch::Failure) -> Failure {
    let mut message = with_causes(&failure.error);
    if failure.outcome == Outcome::Unknown {
        message += "; the write may have taken effect";
    }
    Failure::negative(Problem { hint: failure.error.hint().map(str::to_owned), ..Problem::new(message) })
}
