//! The command `call`: signs a call, sends it to a bridge and prints the answer.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use idp_bridge_client::{
    Client, ClientError, Operation, Problem as BridgeProblem, ProblemOutcome, SigningKey, TenantId, WebhookId,
};
use idp_bridge_core::{Outcome, Secret};
use idp_bridge_http::{Peer, TransportCause};
use serde_json::json;

use super::hints::hint_for_code;
use super::runtime;
use crate::cli::{CallCommand, parse_duration};
use crate::config::{self, Problem};
use crate::report::{CommandResult, Exit, Failure, print, print_json, transport_cause, with_causes};
use crate::show;

pub(crate) const EXAMPLES: &str = "\
Examples:
  idp-bridge call get-by-email ada@acme.example --tenant acme --key-file platform.key --timeout 4s
  idp-bridge call ping --url https://bridge.acme.example --tenant acme --key-file platform.key
  idp-bridge call delete u-1 --tenant acme --key-env ACME_KEY --json
  idp-bridge call get-by-id u-1 --tenant acme --key-file platform.key --print-curl

Exit codes: 0 a positive answer, 1 a negative or no answer, 2 wrong usage.";

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The bridge's base URL
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The platform's id of the tenant
    #[arg(long)]
    tenant: TenantId,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    authorities: Authorities,
    /// The id of the call; reuse it to retry a write, so that the write runs once [default: a new id]
    #[arg(long = "id", value_name = "ID")]
    webhook_id: Option<WebhookId>,
    /// How long to wait, such as `4s`; the bridge gets a slightly shorter deadline
    #[arg(long, value_parser = parse_duration, allow_hyphen_values = true, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Print JSON: the answer or the problem
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a `curl` command instead of sending the call; its signature is valid for five minutes
    #[arg(long, conflicts_with_all = ["json", "timeout"])]
    print_curl: bool,
}

/// The platform's signing keys. During a key rotation there are several.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Keys {
    /// A signing key, `whsk_…` or `whsec_…`; visible to other users of this machine
    #[arg(long, value_name = "KEY")]
    key: Vec<HiddenKey>,
    /// A file with a signing key
    #[arg(long, value_name = "PATH")]
    key_file: Vec<PathBuf>,
    /// An environment variable with a signing key
    #[arg(long, value_name = "NAME")]
    key_env: Vec<String>,
}

/// The certificate authorities of the bridge.
#[derive(Debug, Args)]
pub(super) struct Authorities {
    /// A file with the certificate authorities of the bridge (PEM), instead of the system's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: CallCommand) -> CommandResult {
    let (operation, options) = command.into_parts();
    let id = match options.webhook_id.clone() {
        Some(id) => id,
        None => WebhookId::random().map_err(|error| Problem::new(format!("no id can be generated: {error}")))?,
    };
    let keys = options.keys.read()?;
    let ca_pem = options.authorities.read()?;
    let client = Client::with_authorities(&options.url, options.tenant.clone(), keys, ca_pem.as_deref())
        .map_err(|error| Problem::new(with_causes(&error)))?;
    if options.print_curl {
        let ca_file = options.authorities.ca_file.as_deref();
        print(&show::curl_command(&client.sign(&id, &operation), ca_file))?;
        return Ok(Exit::Done);
    }
    let client = match options.timeout {
        Some(timeout) => client.with_timeout(timeout),
        None => client,
    };
    send(&client, &id, &operation, &options)
}

fn send(client: &Client, id: &WebhookId, operation: &Operation, options: &Options) -> CommandResult {
    match runtime()?.block_on(client.perform(id, operation)) {
        Ok(answer) if options.json => print_json(&answer)?,
        Ok(answer) => print(&show::format_answer(&answer))?,
        Err(ClientError::Problem { problem, .. }) if options.json => {
            print_json(&problem)?;
            return Ok(Exit::Negative);
        }
        Err(error) => {
            let sent = SentCall { id, is_write: is_write(operation), url: &options.url };
            let problem = sent.explain(&error);
            if options.json {
                let outcome = if sent.may_have_run(&error) { Outcome::Unknown } else { Outcome::NotApplied };
                print_json(&json!({
                    "error": problem.message,
                    "hint": problem.hint,
                    "outcome": outcome.as_str(),
                    "webhook_id": id.as_str(),
                }))?;
                return Ok(Exit::Negative);
            }
            return Err(Failure::negative(problem));
        }
    }
    Ok(Exit::Done)
}

fn is_write(operation: &Operation) -> bool {
    matches!(operation, Operation::Users(call) if call.kind().is_write())
}

impl Keys {
    /// Reads all keys.
    pub(super) fn read(&self) -> Result<Vec<SigningKey>, Problem> {
        let given = self.key.iter().map(|key| parse_key(key.0.expose(), "--key"));
        let files = self.key_file.iter().map(|path| {
            let text = config::read_text(path, config::MAX_SECRET)
                .map_err(|error| Problem::new(format!("the key file `{}` cannot be read: {error}", path.display())))?;
            parse_key(&text, &path.display().to_string())
        });
        let variables = self.key_env.iter().map(|name| {
            let text = config::variable(name)
                .ok_or_else(|| Problem::new(format!("the environment variable `{name}` is not set, or empty")))?;
            parse_key(&text, name)
        });
        given.chain(files).chain(variables).collect()
    }
}

impl Authorities {
    /// Reads the file, if there is one.
    pub(super) fn read(&self) -> Result<Option<String>, Problem> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let file = path.display();
        let text = config::read_text(path, config::MAX_FILE)
            .map_err(|error| Problem::new(format!("the file `{file}` cannot be read: {error}")))?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            let problem = Problem::new(format!("the file `{file}` has no certificate authority"));
            return Err(problem.with_hint("give a PEM file with `-----BEGIN CERTIFICATE-----`"));
        }
        Ok(Some(text))
    }
}

fn parse_key(text: &str, source: &str) -> Result<SigningKey, Problem> {
    SigningKey::parse(text).map_err(|error| {
        let problem = Problem::new(format!("the key of `{source}` cannot be used: {error}"));
        if text.trim_start().starts_with("whpk_") {
            return problem.with_hint("`whpk_` is the bridge's verifying key; sign with the platform's half, `whsk_`");
        }
        problem.with_hint("`idp-bridge keys new` generates one")
    })
}

/// A key given on the command line. Error messages never contain it.
#[derive(Debug, Clone)]
struct HiddenKey(Secret);

impl From<&str> for HiddenKey {
    fn from(text: &str) -> Self {
        Self(Secret::new(text))
    }
}

/// A call that was sent, for explaining its errors.
struct SentCall<'a> {
    id: &'a WebhookId,
    is_write: bool,
    url: &'a str,
}

impl SentCall<'_> {
    /// Returns the reason for an error, with the next step.
    fn explain(&self, error: &ClientError) -> Problem {
        let timed_out = TransportCause::AnswerTimeout.hint(Peer::Bridge);
        match error {
            ClientError::Settings { .. } => Problem::new(with_causes(error)),
            ClientError::Problem { problem, retry_after } => {
                self.explain_problem(problem, *retry_after, with_causes(error))
            }
            ClientError::Transport { source, .. } => {
                let https = self.url.starts_with("https:");
                match source.downcast_ref().and_then(|error| transport_cause(error, https)) {
                    Some(TransportCause::Refused) => Problem::new(TransportCause::Refused.describe(Peer::Bridge))
                        .with_hint(format!("check that a bridge listens at `{}`", self.url)),
                    Some(cause) => Problem::new(cause.describe(Peer::Bridge))
                        .with_hint(self.add_repeat_hint(cause.hint(Peer::Bridge), error)),
                    None => Problem::new(with_causes(error)).with_hint(self.add_repeat_hint("try again", error)),
                }
            }
            ClientError::UnexpectedResponse { .. } => {
                let hint = format!("check that `{}` is the base URL of a bridge, and the proxies before it", self.url);
                Problem::new(with_causes(error)).with_hint(self.add_repeat_hint(&hint, error))
            }
            _ => Problem::new(with_causes(error)).with_hint(self.add_repeat_hint(timed_out, error)),
        }
    }

    /// Returns whether the call is a write that may have taken effect despite the error.
    fn may_have_run(&self, error: &ClientError) -> bool {
        let is_rejected = match error {
            ClientError::Settings { .. } | ClientError::Transport { sent: false, .. } => true,
            ClientError::UnexpectedResponse { status } => status.is_client_error(),
            _ => false,
        };
        self.is_write && !is_rejected
    }

    /// Adds to a hint how to repeat a write that may have taken effect.
    fn add_repeat_hint(&self, hint: &str, error: &ClientError) -> String {
        if self.may_have_run(error) {
            format!(
                "{hint}; the write may have taken effect: repeat it with `--id {}`, so that it runs once",
                self.id.as_str()
            )
        } else {
            hint.to_owned()
        }
    }

    /// Explains a problem document of the bridge.
    fn explain_problem(&self, problem: &BridgeProblem, retry_after: Option<Duration>, mut message: String) -> Problem {
        if let Some(field) = &problem.field {
            message += &format!(": `{field}` {}", problem.detail.as_deref().unwrap_or_default());
        }
        if problem.outcome == ProblemOutcome::Unknown {
            message += "; the write may have taken effect";
        }
        message = format!("{}; request {}", message.trim_end(), problem.request_id);
        Problem { hint: self.hint_for(problem, retry_after), ..Problem::new(message) }
    }

    fn hint_for(&self, problem: &BridgeProblem, retry_after: Option<Duration>) -> Option<String> {
        if let Some(hint) = hint_for_code(&problem.code) {
            return Some(hint.to_owned());
        }
        problem.retryable.then(|| {
            let when = retry_after.map(|after| format!(" in {} s", after.as_secs())).unwrap_or_default();
            let with = if self.is_write { format!(" with `--id {}`", self.id.as_str()) } else { String::new() };
            format!("try again{when}{with}")
        })
    }
}
