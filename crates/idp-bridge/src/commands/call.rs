//! `call`: signs a call, sends it to any bridge, and prints the answer.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use idp_bridge_client::{
    Client, ClientError, Operation, Problem as Answered, ProblemOutcome, SigningKey, TenantId, WebhookId,
};
use idp_bridge_core::Secret;
use idp_bridge_http::{Peer, TransportCause};
use serde_json::json;

use super::runtime;
use crate::cli::{CallCommand, duration};
use crate::config::{self, Problem};
use crate::report::{Ended, Exit, Failure, print, print_json, with_causes};
use crate::show;

pub(crate) const EXAMPLES: &str = "\
Examples:
  idp-bridge call get-by-email ada@acme.example --tenant acme --key-file platform.key --timeout 4s
  idp-bridge call ping --url https://bridge.acme.example --tenant acme --key-file platform.key
  idp-bridge call delete u-1 --tenant acme --key-env ACME_KEY --json
  idp-bridge call get-by-id u-1 --tenant acme --key-file platform.key --print-curl

Exit codes: 0 a positive answer, 1 a negative one or none, 2 wrong usage.";

/// To whom, signed with what.
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
    /// The id of the call: the same one for a retry, so that a write runs once [default: a new one]
    #[arg(long = "id", value_name = "ID")]
    webhook_id: Option<WebhookId>,
    /// How long to wait, such as `4s`; the bridge is asked to answer earlier
    #[arg(long, value_parser = duration, allow_hyphen_values = true, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Print JSON: the answer or the problem
    #[arg(long)]
    pub(crate) json: bool,
    /// Send nothing; print a `curl` line whose signature is valid for five minutes
    #[arg(long, conflicts_with_all = ["json", "timeout"])]
    print_curl: bool,
}

/// The platform's keys; while one is being replaced, several.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Keys {
    /// A key to sign with: `whsk_…` or `whsec_…`; other users of this machine can see it
    #[arg(long, value_name = "KEY")]
    key: Vec<HiddenKey>,
    /// A file with a key to sign with
    #[arg(long, value_name = "PATH")]
    key_file: Vec<PathBuf>,
    /// An environment variable with a key to sign with
    #[arg(long, value_name = "NAME")]
    key_env: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(command: CallCommand) -> Ended {
    let (operation, options) = command.into_parts();
    let id = match options.webhook_id.clone() {
        Some(id) => id,
        None => WebhookId::random().map_err(|error| Problem::new(format!("no id can be made: {error}")))?,
    };
    let keys = options.keys.read()?;
    let client =
        Client::new(&options.url, options.tenant.clone(), keys).map_err(|error| Problem::new(with_causes(&error)))?;
    if options.print_curl {
        print(&show::curl(&client.sign(&id, &operation)))?;
        return Ok(Exit::Done);
    }
    let client = match options.timeout {
        Some(timeout) => client.with_timeout(timeout),
        None => client,
    };
    send(&client, &id, &operation, &options)
}

fn send(client: &Client, id: &WebhookId, operation: &Operation, options: &Options) -> Ended {
    match runtime()?.block_on(client.perform(id, operation)) {
        Ok(answer) if options.json => print_json(&answer)?,
        Ok(answer) => print(&show::answer(&answer))?,
        Err(ClientError::Problem { problem, .. }) if options.json => {
            print_json(&problem)?;
            return Ok(Exit::Negative);
        }
        Err(error) => {
            let sent = Sent { id, is_write: is_write(operation), url: &options.url };
            let problem = sent.explain(&error);
            if options.json {
                let outcome = if sent.may_have_run(&error) { "unknown" } else { "not_applied" };
                print_json(&json!({
                    "error": problem.message,
                    "hint": problem.hint,
                    "outcome": outcome,
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
    fn read(&self) -> Result<Vec<SigningKey>, Problem> {
        let given = self.key.iter().map(|key| parse(key.0.expose(), "--key"));
        let files = self.key_file.iter().map(|path| {
            let text = config::read_text(path, config::MAX_SECRET)
                .map_err(|error| Problem::new(format!("the key file `{}` cannot be read: {error}", path.display())))?;
            parse(&text, &path.display().to_string())
        });
        let variables = self.key_env.iter().map(|name| {
            let text = config::variable(name)
                .ok_or_else(|| Problem::new(format!("the environment variable `{name}` is not set, or empty")))?;
            parse(&text, name)
        });
        given.chain(files).chain(variables).collect()
    }
}

fn parse(text: &str, from: &str) -> Result<SigningKey, Problem> {
    SigningKey::parse(text).map_err(|error| {
        let problem = Problem::new(format!("the key of `{from}` cannot be used: {error}"));
        if text.trim_start().starts_with("whpk_") {
            return problem.hint("`whpk_` is the bridge's half, which only checks; sign with the platform's, `whsk_`");
        }
        problem.hint("`idp-bridge keys new` makes one")
    })
}

/// A key given on the command line, which no message shows.
#[derive(Debug, Clone)]
struct HiddenKey(Secret);

impl From<&str> for HiddenKey {
    fn from(text: &str) -> Self {
        Self(Secret::new(text))
    }
}

/// A call that was sent.
struct Sent<'a> {
    id: &'a WebhookId,
    is_write: bool,
    url: &'a str,
}

impl Sent<'_> {
    /// Says why there is no positive answer, with the next step.
    fn explain(&self, error: &ClientError) -> Problem {
        let timed_out = TransportCause::AnswerTimeout.hint(Peer::Bridge);
        match error {
            ClientError::Settings { .. } => Problem::new(with_causes(error)),
            ClientError::Problem { problem, retry_after } => self.refused(problem, *retry_after, with_causes(error)),
            ClientError::Transport { source, .. } => {
                let https = self.url.starts_with("https:");
                match TransportCause::from_error(&**source, https) {
                    Some(TransportCause::Refused) => Problem::new(TransportCause::Refused.describe(Peer::Bridge))
                        .hint(format!("does a bridge listen at `{}`?", self.url)),
                    Some(cause) => Problem::new(cause.describe(Peer::Bridge))
                        .hint(self.with_repetition(cause.hint(Peer::Bridge), error)),
                    None => Problem::new(with_causes(error)).hint(self.with_repetition("try again", error)),
                }
            }
            ClientError::UnexpectedResponse { .. } => {
                let hint = format!("is `{}` the base URL of a bridge, and nothing in between?", self.url);
                Problem::new(with_causes(error)).hint(self.with_repetition(&hint, error))
            }
            _ => Problem::new(with_causes(error)).hint(self.with_repetition(timed_out, error)),
        }
    }

    /// Whether the call is a write that may have taken effect without an answer.
    fn may_have_run(&self, error: &ClientError) -> bool {
        let surely_not = match error {
            ClientError::Settings { .. } | ClientError::Transport { sent: false, .. } => true,
            ClientError::UnexpectedResponse { status } => status.is_client_error(),
            _ => false,
        };
        self.is_write && !surely_not
    }

    /// A next step; for a write that may have taken effect, also how to repeat it.
    fn with_repetition(&self, hint: &str, error: &ClientError) -> String {
        if self.may_have_run(error) {
            format!(
                "{hint}; the write may have taken effect: repeat it with `--id {}`, so that it runs once",
                self.id.as_str()
            )
        } else {
            hint.to_owned()
        }
    }

    /// Explains an answer that is an error of the bridge.
    fn refused(&self, answered: &Answered, retry_after: Option<Duration>, mut message: String) -> Problem {
        if let Some(field) = &answered.field {
            message += &format!(": `{field}` {}", answered.detail.as_deref().unwrap_or_default());
        }
        if answered.outcome == ProblemOutcome::Unknown {
            message += "; the write may have taken effect";
        }
        message = format!("{}; request {}", message.trim_end(), answered.request_id);
        Problem { hint: self.hint(answered, retry_after), ..Problem::new(message) }
    }

    fn hint(&self, answered: &Answered, retry_after: Option<Duration>) -> Option<String> {
        Some(match answered.code.as_ref() {
            "invalid_signature" => "is the tenant right, and does the bridge have the other half of this key?".into(),
            "timestamp_out_of_range" => "set the clocks: they are more than five minutes apart".into(),
            "upstream_unauthorized" | "misconfigured" => {
                "`idp-bridge doctor` on the bridge's side names the step that is missing".into()
            }
            _ if answered.retryable => {
                let when = retry_after.map(|after| format!(" in {} s", after.as_secs())).unwrap_or_default();
                let with = if self.is_write { format!(" with `--id {}`", self.id.as_str()) } else { String::new() };
                format!("try again{when}{with}")
            }
            _ => return None,
        })
    }
}
