//! The command `explain`: shows the steps of one of the last calls of a running bridge, and the reason of a failure.

mod recorded;

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::Secret;
use idp_bridge_http::{Peer, TransportCause};
use reqwest::StatusCode;
use serde_json::Value;

use self::recorded::RecordedCall;
use crate::config::{self, Problem};
use crate::report::{CommandResult, Exit, Failure, print, print_json, transport_cause, with_causes};

/// The time limit for the response of the bridge.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum size of the response.
const MAX_RESPONSE: u64 = 1024 * 1024;

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The id of the request: `x-request-id` of the response, `request_id` of a problem, or `request.id` of a log line
    request_id: String,
    /// The URL of the bridge's `server.metrics_listen`
    #[arg(long, default_value = "http://127.0.0.1:9090")]
    url: String,
    /// A file with the `server.metrics_token`, which another host needs
    #[arg(long, value_name = "PATH", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// An environment variable with the `server.metrics_token`
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> CommandResult {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_id(&options.request_id) {
        let problem = Problem::new(format!("`{}` is not a request id", options.request_id.escape_default()));
        return Err(problem.with_hint("take `x-request-id` of the response: 32 hexadecimal digits").into());
    }
    let call = fetch(options)?;
    if options.json {
        print_json(&call)?;
        return Ok(Exit::Done);
    }
    let call: RecordedCall = serde_json::from_value(call).map_err(|_| Failure::negative(unexpected(options)))?;
    print(&call.describe())?;
    Ok(Exit::Done)
}

/// Gets the call from the bridge.
fn fetch(options: &Options) -> Result<Value, Failure> {
    let token = read_token(options)?;
    let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).no_proxy().build();
    let client = client.map_err(|error| Problem::new(with_causes(&error)))?;
    let url = format!("{}/calls/{}", options.url.trim_end_matches('/'), options.request_id);
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose().trim());
    }
    let response = request.send().map_err(|error| unreachable(options, &error))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(Failure::negative(unknown_call(options))),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            let problem = Problem::new("the bridge refused the request: another host needs the right token");
            let hint =
                "name a file with its `server.metrics_token` with `--token-file`, or run this on the bridge's host";
            return Err(Failure::negative(problem.with_hint(hint)));
        }
        _ => return Err(Failure::negative(unexpected(options))),
    }
    let mut body = Vec::new();
    let unreadable = |error| Problem::new(format!("the bridge's response cannot be read: {error}"));
    response.take(MAX_RESPONSE).read_to_end(&mut body).map_err(|error| Failure::negative(unreadable(error)))?;
    serde_json::from_slice(&body).map_err(|_| Failure::negative(unexpected(options)))
}

fn read_token(options: &Options) -> Result<Option<Secret>, Problem> {
    if let Some(path) = &options.token_file {
        let text = config::read_text(path, config::MAX_SECRET)
            .map_err(|error| Problem::new(format!("the token cannot be read: {error}")).in_file(path))?;
        return Ok(Some(Secret::new(text)));
    }
    let Some(name) = &options.token_env else { return Ok(None) };
    let unset = || Problem::new(format!("the environment variable `{name}` is not set, or empty"));
    config::variable(name).map(|text| Some(Secret::new(text))).ok_or_else(unset)
}

fn unreachable(options: &Options, error: &reqwest::Error) -> Failure {
    let listens = format!("check that a bridge with `server.metrics_listen` listens at `{}`", options.url);
    Failure::negative(match transport_cause(error, options.url.starts_with("https:")) {
        Some(TransportCause::Refused) => {
            Problem::new(TransportCause::Refused.describe(Peer::Bridge)).with_hint(listens)
        }
        None => Problem::new(format!("`{}` is not a URL that can be requested", options.url)).with_hint(listens),
        Some(cause) => Problem::new(cause.describe(Peer::Bridge)).with_hint(cause.hint(Peer::Bridge)),
    })
}

fn unknown_call(options: &Options) -> Problem {
    let problem = Problem::new(format!("the bridge does not have the call `{}` any more", options.request_id));
    problem.with_hint(format!(
        "it keeps the last 1,000 calls of each kind (`server.limits.recent_calls`), of this replica, since its start: look for \
         the id in the log, and check that `{}` is its `server.metrics_listen`",
        options.url
    ))
}

fn unexpected(options: &Options) -> Problem {
    let problem = Problem::new("the response is not that of a bridge of this version");
    problem.with_hint(format!("check that `{}` is `server.metrics_listen` of a bridge", options.url))
}
