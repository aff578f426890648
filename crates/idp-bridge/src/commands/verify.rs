//! The command `verify`: checks that an endpoint follows the protocol, with a verdict for each check.

mod expected;
mod requests;
mod target;
mod users;
mod writes;

use clap::Args;
use idp_bridge_client::{ClientError, CustomerId, Email, TenantId, UserId};
use serde::Serialize;

use self::expected::Expected;
use self::target::Target;
use super::call::{Authorities, Keys};
use super::runtime;
use crate::config::Problem;
use crate::report::{CommandResult, Exit, Failure, print, print_json, with_causes};

pub(crate) const EXAMPLES: &str = "\
Examples:
  idp-bridge verify https://bridge.acme.example --tenant acme --key-file platform.key
  idp-bridge verify http://127.0.0.1:8080 --tenant acme --key-env KEY --user-id u-1 --user-email ada@acme.example
  idp-bridge verify http://127.0.0.1:8080 --tenant acme --key-file platform.key --writes --json

Each key is also checked alone: pass the old and the new one during a key rotation.
Without `--writes` only reads are sent, and calls that a bridge must refuse.
With `--writes`, users are deleted that do not exist, and an address is marked as verified that the user does not have.

Exit codes: 0 all checks passed, 1 a check failed or there was no answer, 2 wrong usage.";

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The base URL of the bridge, or of an endpoint that implements its protocol
    url: String,
    /// The platform's id of the tenant
    #[arg(long)]
    tenant: TenantId,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    authorities: Authorities,
    /// The id of an existing user
    #[arg(long, value_name = "ID")]
    user_id: Option<UserId>,
    /// The address of that user
    #[arg(long, value_name = "EMAIL")]
    user_email: Option<Email>,
    /// The customer of that user
    #[arg(long, value_name = "CUSTOMER")]
    user_customer: Option<CustomerId>,
    /// Also check writes, and that a repeated write runs once
    #[arg(long)]
    writes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Failed,
    Skipped,
}

/// The result of a check.
#[derive(Debug, Serialize)]
struct Checked {
    check: &'static str,
    verdict: Verdict,
    /// The section of docs/protocol.md with the rule.
    section: &'static str,
    /// The differences from the protocol, or the reason for skipping the check.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
}

impl Checked {
    /// Creates the result of a check from the differences from the protocol.
    fn new(check: &'static str, section: &'static str, details: Vec<String>) -> Self {
        let verdict = if details.is_empty() { Verdict::Ok } else { Verdict::Failed };
        Self { check, verdict, section, details }
    }

    /// Creates the result of a check that could not be made.
    fn skipped(check: &'static str, section: &'static str, reason: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Skipped, section, details: vec![reason.into()] }
    }

    fn text(&self) -> String {
        let label = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        };
        let mut text = format!("{label:<8} {}\n", self.check);
        text.extend(self.details.iter().map(|detail| format!("{:9}{detail}\n", "")));
        if self.verdict == Verdict::Failed {
            text += &format!("{:9}see docs/protocol.md, section `{}`\n", "", self.section);
        }
        text
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> CommandResult {
    let target = Target::new(&options.url, &options.tenant, &options.keys, &options.authorities)?;
    let checked = runtime()?.block_on(run_checks(&target, options))?;
    let ok = checked.iter().all(|check| check.verdict != Verdict::Failed);
    if options.json {
        print_json(&serde_json::json!({"ok": ok, "tenant": options.tenant, "checks": checked}))?;
    } else {
        let count = |verdict| checked.iter().filter(|check| check.verdict == verdict).count();
        let (passed, failed, skipped) = (count(Verdict::Ok), count(Verdict::Failed), count(Verdict::Skipped));
        let texts: String = checked.iter().map(Checked::text).collect();
        print(&format!("{texts}\n{passed} ok, {failed} failed, {skipped} skipped"))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Negative })
}

/// Runs all checks in order. Fails only if there is no answer to the first request.
async fn run_checks(target: &Target, options: &Options) -> Result<Vec<Checked>, Failure> {
    target.send(target.ping()).await.map_err(|error| no_answer(&error, &options.url))?;
    let mut checked = Vec::new();
    for check in requests::checks(target) {
        let mut details = Vec::new();
        for (what, request, expected) in check.requests {
            details.extend(target.send_and_compare(what, request, &expected).await);
        }
        checked.push(Checked::new(check.name, check.section, details));
    }
    checked.push(check_keys(target).await);
    checked.extend(users::check(target, options).await);
    checked.extend(writes::check(target, options).await);
    Ok(checked)
}

/// Checks that each of several keys is sufficient.
async fn check_keys(target: &Target) -> Checked {
    let (check, section) = ("each key is accepted alone", "Registration");
    let mut details = Vec::new();
    for (number, key) in target.keys().iter().enumerate() {
        let ping = target.ping_by(key);
        details.extend(target.send_and_compare(&format!("key {}", number + 1), ping, &Expected::Pong).await);
    }
    match target.keys().len() {
        1 => Checked::skipped(check, section, "there is one key: pass a second one to check a key rotation"),
        _ => Checked::new(check, section, details),
    }
}

fn no_answer(error: &ClientError, url: &str) -> Failure {
    let problem = Problem::new(with_causes(error));
    Failure::negative(problem.with_hint(format!("check that a bridge listens at `{url}`, and the proxies before it")))
}
