//! `doctor`: does each tenant's identity provider let the bridge do its work? It asks and changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::{CallKind, CallScope, Finding, Registry, Support, TenantId, Verdict};
use idp_bridge_server::Tenant;
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
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "10s")]
    timeout: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    let diagnoses = runtime()?.block_on(diagnose_all(tenants, options.timeout));
    if options.json {
        print_json(&diagnoses)?;
    } else {
        print(&diagnoses.iter().map(Diagnosis::text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(if diagnoses.iter().all(|diagnosis| diagnosis.ok) { Exit::Done } else { Exit::Negative })
}

/// What was found of one tenant.
#[derive(Debug, Serialize)]
struct Diagnosis {
    tenant: TenantId,
    connector: String,
    /// Nothing failed.
    ok: bool,
    findings: Vec<Finding>,
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

async fn diagnose_all(tenants: Vec<Arc<Tenant>>, timeout: Duration) -> Vec<Diagnosis> {
    let mut running = JoinSet::new();
    let tasks: Vec<_> =
        tenants.iter().map(|tenant| running.spawn(diagnose(Arc::clone(tenant), timeout)).id()).collect();
    let mut ended = HashMap::new();
    while let Some(joined) = running.join_next_with_id().await {
        let (task, findings) = joined.unwrap_or_else(|error| (error.id(), vec![broken("the connector panicked")]));
        ended.insert(task, findings);
    }
    let findings = tasks.iter().map(|task| ended.remove(task).unwrap_or_default());
    tenants.iter().zip(findings).map(|(tenant, findings)| Diagnosis::new(tenant, findings)).collect()
}

async fn diagnose(tenant: Arc<Tenant>, timeout: Duration) -> Vec<Finding> {
    let scope = CallScope::new("doctor", timeout);
    let findings = tokio::time::timeout(timeout + GRACE, tenant.provider.diagnose(&scope)).await;
    findings.unwrap_or_else(|_| vec![broken("the connector did not end in time")])
}

fn broken(detail: &str) -> Finding {
    Finding::failed("the connector can check itself", &CallKind::ALL, "report this as a fault of the connector")
        .with_detail(detail)
}

impl Diagnosis {
    fn new(tenant: &Tenant, findings: Vec<Finding>) -> Self {
        let capabilities = tenant.provider.capabilities();
        let verdict = |kind: CallKind| match capabilities.call(kind) {
            Support::Unsupported { .. } => CallVerdict::Unsupported,
            Support::Supported | Support::Conditional { .. } => judge(kind, &findings),
        };
        Self {
            tenant: tenant.id.clone(),
            connector: tenant.connector.clone(),
            ok: !findings.iter().any(|finding| finding.verdict == Verdict::Failed),
            calls: CallKind::ALL.into_iter().map(|kind| (kind, verdict(kind))).collect(),
            findings,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.tenant, self.connector);
        for finding in &self.findings {
            text += &format!("  {:<12} {}\n", word(finding.verdict), finding.check);
            if let Some(detail) = &finding.detail {
                text += &format!("{:15}{detail}\n", "");
            }
            if let Some(fix) = &finding.fix {
                text += &format!("{:15}fix: {fix}\n", "");
            }
        }
        text += "  calls\n";
        for (kind, verdict) in &self.calls {
            text += &format!("    {:<34} {}\n", kind.as_str(), verdict.word());
        }
        text
    }
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
