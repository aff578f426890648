//! `users`: the seven calls straight through a configured connector, by the same dispatch that the server uses.

use std::time::Duration;

use clap::Args;
use idp_bridge_client::{Answer, answers};
use idp_bridge_core::{Call, CallScope, Outcome, Registry, TenantId};
use idp_bridge_server::{Tenant, dispatch};
use serde_json::json;
use std::sync::Arc;

use super::{load, runtime};
use crate::cli::{ConfigOption, UserCommand, duration};
use crate::config::{Problem, Settings, list, nearest};
use crate::report::{Ended, Exit, Failure, print, print_json, remark, with_causes};
use crate::show;

/// Through which tenant.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// The tenant; not needed if only one is configured
    #[arg(long)]
    tenant: Option<TenantId>,
    /// How long to wait [default: the tenant's deadline]
    #[arg(long, value_parser = duration, allow_hyphen_values = true, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(command: UserCommand<Options>, registry: &Registry) -> Ended {
    let (call, options) = command.into_parts();
    let settings = load(options.config.config.as_deref(), registry)?;
    let tenant = choose(&settings, options.tenant.as_ref())?;
    let answer = ask(&tenant, call, options.timeout.unwrap_or(tenant.deadline))?;
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) if options.json => {
            print_json(&json!({
                "error": with_causes(&failure.error),
                "kind": format!("{:?}", failure.error.kind()),
                "outcome": if failure.outcome == Outcome::Unknown { "unknown" } else { "not_applied" },
            }))?;
            return Ok(Exit::Negative);
        }
        Err(failure) => return Err(negative(&failure)),
    };
    if options.json {
        print_json(&answer)?
    } else {
        print(&show::answer(&answer))?
    }
    Ok(Exit::Done)
}

/// The tenant with this id, or the only one.
pub(super) fn choose(settings: &Settings, id: Option<&TenantId>) -> Result<Arc<Tenant>, Problem> {
    let known = || list(settings.ids.iter().map(TenantId::as_str));
    let Some(id) = id else {
        let mut tenants = settings.tenants();
        return match (tenants.next(), tenants.next()) {
            (Some(only), None) => Ok(only),
            _ => {
                Err(Problem::new("several tenants are configured")
                    .hint(format!("choose one with `--tenant`: {}", known())))
            }
        };
    };
    settings.tenants.get(id).ok_or_else(|| {
        let problem = Problem::new(format!("no tenant `{id}` is configured"));
        match nearest(id.as_str(), settings.ids.iter().map(TenantId::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("there are {}", known())),
        }
    })
}

fn ask(tenant: &Tenant, call: Call, timeout: Duration) -> Result<Result<Answer, dispatch::Failure>, Failure> {
    let answered = runtime()?.block_on(async {
        let scope = CallScope::new("command-line", timeout);
        dispatch::call(tenant, call, &scope).await
    });
    Ok(answered.map(|answer| match answer {
        dispatch::Answer::User(user) => Answer::User(Box::new(answers::UserAnswer { user: *user })),
        dispatch::Answer::Deleted(deleted) => {
            if tenant.federation.is_some() {
                remark(
                    "the revocation list of the bridge was not written: an access token of the user lives until the identity \
                     provider refuses it; `idp-bridge call delete` writes the list too, also for a user that is gone",
                );
            }
            Answer::Deleted(deleted.into())
        }
        dispatch::Answer::Done => Answer::Done(answers::DoneAnswer {}),
        dispatch::Answer::Concealed(reason) => {
            remark(&format!(
                "no mail was sent: {}; the platform is not told, since it asks for strangers",
                with_causes(&reason)
            ));
            Answer::Done(answers::DoneAnswer {})
        }
    }))
}

fn negative(failure: &dispatch::Failure) -> Failure {
    let mut message = with_causes(&failure.error);
    if failure.outcome == Outcome::Unknown {
        message += "; the write may have taken effect";
    }
    let problem = Problem::new(message);
    Failure::negative(match failure.error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    })
}
