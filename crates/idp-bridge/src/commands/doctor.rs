//! `doctor`: does each tenant's identity provider let the bridge do its work? It asks and changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::{CallKind, CallScope, Finding, Registry, Support, TenantId, Verdict};
use idp_bridge_server::Tenant;
use idp_bridge_server::revocation::{FileRevocations, FolderState};
use serde::Serialize;
use tokio::task::JoinSet;

use super::{load, runtime, users};
use crate::cli::{ConfigOption, duration};
use crate::report::{Ended, Exit, print, print_json, remark};

/// A provider that does not keep its deadline is waited for this much longer.
const GRACE: Duration = Duration::from_secs(1);

/// Whom to ask, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The tenants [default: all]
    #[arg(value_name = "TENANT")]
    tenants: Vec<TenantId>,
    #[command(flatten)]
    config: ConfigOption,
    /// How long to wait for each tenant's identity provider
    #[arg(long, value_parser = duration, allow_hyphen_values = true, value_name = "TIME", default_value = "10s")]
    timeout: Duration,
    /// Pass although it is not visible who can set a user's customer
    #[arg(long)]
    allow_not_visible: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> Ended {
    let settings = load(options.config.config.as_deref(), registry)?;
    let tenants: Vec<_> = if options.tenants.is_empty() {
        settings.tenants().collect()
    } else {
        options.tenants.iter().map(|id| users::choose(&settings, Some(id))).collect::<Result<_, _>>()?
    };
    if io::stderr().is_terminal() && !options.json {
        let names: Vec<_> = tenants.iter().map(|tenant| tenant.id.as_str()).collect();
        remark(&format!("asking the identity provider of {} …", names.join(", ")));
    }
    let mut diagnoses = runtime()?.block_on(diagnose_all(tenants, options));
    if let Some(folder) = settings.revocation_folder() {
        let finding = inspect(folder);
        diagnoses.iter_mut().for_each(|diagnosis| diagnosis.add_to_federation(&finding));
    }
    if options.json {
        print_json(&diagnoses)?;
    } else {
        print(&diagnoses.iter().map(Diagnosis::text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(if diagnoses.iter().all(|diagnosis| diagnosis.ok) { Exit::Done } else { Exit::Negative })
}

/// Checks whether the revocation list can be opened, without changing it.
fn inspect(folder: &Path) -> Finding {
    let check = "`state_dir` can be used";
    match FileRevocations::inspect(folder) {
        Ok(FolderState::New) => {
            Finding::ok(check, &[]).with_detail("the revocation list is made at the first start".to_owned())
        }
        Ok(FolderState::Kept | FolderState::InUse) => Finding::ok(check, &[]),
        Err(error) => {
            let fix = error.hint().unwrap_or("look into the folder").to_owned();
            Finding::failed(check, &[], fix).with_detail(error.to_string())
        }
    }
}

/// What was found of one tenant.
#[derive(Debug, Serialize)]
struct Diagnosis {
    tenant: TenantId,
    connector: String,
    /// Whether nothing failed, and either it is visible who can set a user's customer or that may stay hidden.
    ok: bool,
    /// Whether it is not visible who can set a user's customer, and that may not stay so.
    #[serde(skip)]
    hides_authority: bool,
    findings: Vec<Finding>,
    /// What was found of its federation; none if that is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    federation: Option<Vec<Finding>>,
    calls: BTreeMap<CallKind, CallVerdict>,
}

/// Whether a call will work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum CallVerdict {
    Ok,
    Failed,
    NotVisible,
    Unsupported,
}

async fn diagnose_all(tenants: Vec<Arc<Tenant>>, options: &Options) -> Vec<Diagnosis> {
    let timeout = options.timeout;
    let mut running = JoinSet::new();
    let tasks: Vec<_> =
        tenants.iter().map(|tenant| running.spawn(diagnose(Arc::clone(tenant), timeout)).id()).collect();
    let mut ended = HashMap::new();
    while let Some(joined) = running.join_next_with_id().await {
        let (task, found) = joined.unwrap_or_else(|error| (error.id(), Found::of_no_end("the connector panicked")));
        ended.insert(task, found);
    }
    let found = tasks.iter().map(|task| ended.remove(task).unwrap_or_default());
    tenants.iter().zip(found).map(|(tenant, found)| Diagnosis::new(tenant, found, options.allow_not_visible)).collect()
}

/// What a connector found, of the calls and of its OAuth side.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<Finding>,
    federation: Option<Vec<Finding>>,
}

impl Found {
    /// What is found of a connector that does not end rightly.
    fn of_no_end(detail: &str) -> Self {
        let fix = "report this as a fault of the connector";
        let failed = Finding::failed("the connector can check itself", &CallKind::ALL, fix).with_detail(detail);
        Self { findings: vec![failed], federation: None }
    }
}

async fn diagnose(tenant: Arc<Tenant>, timeout: Duration) -> Found {
    let scope = CallScope::new("doctor", timeout);
    let provider = &tenant.provider;
    let calls = provider.diagnose(&scope);
    let federation = async {
        match provider.federation() {
            Some(federation) => Some(federation.diagnose(&scope).await),
            None => None,
        }
    };
    let both = async { tokio::join!(calls, federation) };
    match tokio::time::timeout(timeout + GRACE, both).await {
        Ok((findings, federation)) => Found { findings, federation },
        Err(_) => Found::of_no_end("the connector did not end in time"),
    }
}

impl Diagnosis {
    fn new(tenant: &Tenant, Found { findings, federation }: Found, allow_not_visible: bool) -> Self {
        let capabilities = tenant.provider.capabilities();
        let verdict = |kind: CallKind| match capabilities.call(kind) {
            Support::Unsupported { .. } => CallVerdict::Unsupported,
            Support::Supported | Support::Conditional { .. } => judge(kind, &findings),
        };
        let all = || findings.iter().chain(federation.iter().flatten());
        let hides_authority = !allow_not_visible && all().any(Finding::hides_authority);
        Self {
            tenant: tenant.id.clone(),
            connector: tenant.connector.clone(),
            ok: !hides_authority && all().all(|finding| finding.verdict != Verdict::Failed),
            hides_authority,
            calls: CallKind::ALL.into_iter().map(|kind| (kind, verdict(kind))).collect(),
            findings,
            federation,
        }
    }

    /// Adds a finding to those of a tenant with federation.
    fn add_to_federation(&mut self, finding: &Finding) {
        if let Some(federation) = &mut self.federation {
            federation.push(finding.clone());
            self.ok &= finding.verdict != Verdict::Failed;
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.tenant, self.connector);
        text.extend(self.findings.iter().map(|finding| line(finding, 2)));
        if let Some(federation) = &self.federation {
            text += "  federation\n";
            text.extend(federation.iter().map(|finding| line(finding, 4)));
        }
        text += "  calls\n";
        for (kind, verdict) in &self.calls {
            text += &format!("    {:<34} {}\n", kind.as_str(), verdict.word());
        }
        if self.hides_authority {
            text += "  it is not visible who can set a user's customer: make it visible as said above, or check it by hand and \
                     pass `--allow-not-visible`\n";
        }
        text
    }
}

/// A finding, with what is behind it and how it is mended.
fn line(finding: &Finding, indent: usize) -> String {
    let mut text = format!("{:indent$}{:<12} {}\n", "", word(finding.verdict), finding.check);
    let detail = finding.detail.clone();
    let fix = finding.fix.as_ref().map(|fix| format!("fix: {fix}"));
    text.extend([detail, fix].into_iter().flatten().map(|more| format!("{:width$}{more}\n", "", width = indent + 13)));
    text
}

/// The worst of what the findings say of a call; a call that none names is not known to work.
fn judge(kind: CallKind, findings: &[Finding]) -> CallVerdict {
    let about: Vec<_> =
        findings.iter().filter(|finding| finding.calls.contains(&kind)).map(|finding| finding.verdict).collect();
    if about.contains(&Verdict::Failed) {
        CallVerdict::Failed
    } else if about.is_empty() || about.contains(&Verdict::NotVisible) {
        CallVerdict::NotVisible
    } else {
        CallVerdict::Ok
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Failed => "FAILED",
        Verdict::NotVisible => "not visible",
    }
}

impl CallVerdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::NotVisible => "not visible",
            Self::Unsupported => "not possible",
        }
    }
}
