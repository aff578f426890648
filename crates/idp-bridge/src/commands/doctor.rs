//! The command `doctor`: checks the settings and permissions at each tenant's identity provider, without changes.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use idp_bridge_core::{CallKind, Finding, Registry, Support, TenantId, Verdict};
use idp_bridge_server::{Findings, Tenant};
use serde::Serialize;

use super::{load, runtime, store, users};
use crate::cli::{ConfigOption, parse_duration};
use crate::report::{CommandResult, Exit, print, print_json, print_note};

/// The options of the command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The tenants [default: all]
    #[arg(value_name = "TENANT")]
    tenants: Vec<TenantId>,
    #[command(flatten)]
    config: ConfigOption,
    /// How long to wait for each tenant's identity provider
    #[arg(long, value_parser = parse_duration, allow_hyphen_values = true, value_name = "TIME", default_value = "10s")]
    timeout: Duration,
    /// Pass even if it is not visible who can set a user's customer
    #[arg(long)]
    allow_not_visible: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// Creates the options for all tenants of a configuration.
    pub(super) fn for_configuration(path: &std::path::Path) -> Self {
        Self {
            tenants: Vec::new(),
            config: ConfigOption { config: Some(path.to_owned()) },
            timeout: Duration::from_secs(10),
            allow_not_visible: false,
            json: false,
        }
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options, registry: &Registry) -> CommandResult {
    let settings = load(options.config.config.as_deref(), registry)?;
    let tenants: Vec<_> = if options.tenants.is_empty() {
        settings.tenants().collect()
    } else {
        options.tenants.iter().map(|id| users::select_tenant(&settings, Some(id))).collect::<Result<_, _>>()?
    };
    if io::stderr().is_terminal() && !options.json {
        let names: Vec<_> = tenants.iter().map(|tenant| tenant.id.as_str()).collect();
        print_note(&format!("checking the identity provider of {} …", names.join(", ")));
    }
    let both = async { tokio::join!(diagnose_all(tenants, options), store::diagnose(&settings.store)) };
    let (mut diagnoses, of_store) = runtime()?.block_on(both);
    diagnoses.iter_mut().for_each(|diagnosis| diagnosis.add(&of_store));
    if options.json {
        print_json(&diagnoses)?;
    } else {
        print(&diagnoses.iter().map(Diagnosis::text).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(if diagnoses.iter().all(|diagnosis| diagnosis.ok) { Exit::Done } else { Exit::Negative })
}

/// The diagnosis of one tenant.
#[derive(Debug, Serialize)]
struct Diagnosis {
    tenant: TenantId,
    connector: String,
    /// Whether no check failed, and `hides_authority` is false.
    ok: bool,
    /// Whether it is not visible who can set a user's customer, without `--allow-not-visible`.
    #[serde(skip)]
    hides_authority: bool,
    findings: Vec<Finding>,
    /// The findings about federation, if it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    federation: Option<Vec<Finding>>,
    calls: BTreeMap<CallKind, CallVerdict>,
}

/// The verdict for a call.
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
    let diagnoses = tenants.into_iter().map(|tenant| {
        tokio::spawn(async move {
            let findings = Findings::diagnose(&tenant, timeout).await;
            (tenant, findings)
        })
    });
    let mut all = Vec::new();
    for running in diagnoses.collect::<Vec<_>>() {
        // A panic of the connector is a finding, so the task itself does not fail.
        let Ok((tenant, findings)) = running.await else { continue };
        all.push(Diagnosis::new(&tenant, findings, options.allow_not_visible));
    }
    all
}

impl Diagnosis {
    fn new(tenant: &Tenant, Findings { calls: findings, federation }: Findings, allow_not_visible: bool) -> Self {
        let capabilities = tenant.provider.capabilities();
        let verdict = |kind: CallKind| match capabilities.call(kind) {
            Support::Unsupported { .. } => CallVerdict::Unsupported,
            Support::Supported | Support::Conditional { .. } => CallVerdict::from_findings(kind, &findings),
        };
        let all = || findings.iter().chain(federation.iter().flatten());
        let hides_authority = !allow_not_visible && all().any(Finding::hides_authority);
        Self {
            tenant: tenant.id.clone(),
            connector: tenant.connector.to_owned(),
            ok: !hides_authority && all().all(|finding| finding.verdict != Verdict::Failed),
            hides_authority,
            calls: CallKind::ALL.into_iter().map(|kind| (kind, verdict(kind))).collect(),
            findings,
            federation,
        }
    }

    /// Adds the findings about the store, which federation needs most.
    fn add(&mut self, of_store: &[Finding]) {
        self.federation.as_mut().unwrap_or(&mut self.findings).extend_from_slice(of_store);
        self.ok &= of_store.iter().all(|finding| finding.verdict != Verdict::Failed);
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.tenant, self.connector);
        text.extend(self.findings.iter().map(|finding| format_finding(finding, 2)));
        if let Some(federation) = &self.federation {
            text += "  federation\n";
            text.extend(federation.iter().map(|finding| format_finding(finding, 4)));
        }
        text += "  calls\n";
        for (kind, verdict) in &self.calls {
            text += &format!("    {:<34} {}\n", kind.as_str(), verdict.label());
        }
        if self.hides_authority {
            text += "  it is not visible who can set a user's customer: follow the fix above, or check it by hand and pass \
                     `--allow-not-visible`\n";
        }
        text
    }
}

/// Formats a finding with its detail and its fix.
fn format_finding(finding: &Finding, indent: usize) -> String {
    let mut text = format!("{:indent$}{:<12} {}\n", "", verdict_label(finding.verdict), finding.check);
    let detail = finding.detail.clone();
    let fix = finding.fix.as_ref().map(|fix| format!("fix: {fix}"));
    text.extend([detail, fix].into_iter().flatten().map(|more| format!("{:width$}{more}\n", "", width = indent + 13)));
    text
}

fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Failed => "FAILED",
        Verdict::NotVisible => "not visible",
    }
}

impl CallVerdict {
    /// Returns the worst verdict of the findings about a call. A call without findings is not visible.
    fn from_findings(kind: CallKind, findings: &[Finding]) -> Self {
        let verdicts: Vec<_> =
            findings.iter().filter(|finding| finding.calls.contains(&kind)).map(|finding| finding.verdict).collect();
        if verdicts.contains(&Verdict::Failed) {
            Self::Failed
        } else if verdicts.is_empty() || verdicts.contains(&Verdict::NotVisible) {
            Self::NotVisible
        } else {
            Self::Ok
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::NotVisible => "not visible",
            Self::Unsupported => "not possible",
        }
    }
}
