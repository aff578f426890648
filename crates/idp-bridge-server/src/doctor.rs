//! Diagnoses of the tenants' identity providers, and their last problems.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use idp_bridge_core::{CallKind, CallScope, Clock, Finding, TenantId, Verdict};
use jiff::Timestamp;
use serde::Serialize;

use crate::tenant::Tenant;
use crate::tenants::CurrentTenants;

/// The time limit of a diagnosis.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Additional time for a provider that exceeds its deadline.
const GRACE: Duration = Duration::from_secs(1);
/// The longest pause between two tenants in the first round, so that an operator soon sees problems.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The findings of a connector.
#[derive(Debug, Default)]
pub struct Findings {
    /// The findings about calls.
    pub calls: Vec<Finding>,
    /// The findings about federation, if it is on.
    pub federation: Option<Vec<Finding>>,
}

impl Findings {
    /// Checks a tenant's settings and rights at its identity provider, without changes.
    pub async fn diagnose(tenant: &Arc<Tenant>, timeout: Duration) -> Self {
        let tenant = Arc::clone(tenant);
        // A task of its own, so that a panic of the connector ends this diagnosis only.
        let running = tokio::spawn(async move {
            let scope = CallScope::new("doctor", timeout);
            let calls = tenant.provider.diagnose(&scope);
            let federation = async {
                match tenant.provider.federation() {
                    Some(federation) => Some(federation.diagnose(&scope).await),
                    None => None,
                }
            };
            let (calls, federation) = tokio::join!(calls, federation);
            Self { calls, federation }
        });
        let abort = running.abort_handle();
        match tokio::time::timeout(timeout + GRACE, running).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(_)) => Self::connector_failed("the connector panicked"),
            Err(_) => {
                abort.abort();
                Self::connector_failed("the connector exceeded the deadline")
            }
        }
    }

    /// Creates the finding of a connector that panicked or timed out.
    fn connector_failed(detail: &str) -> Self {
        let fix = "report this as a fault of the connector";
        let failed = Finding::failed("the connector can check itself", &CallKind::ALL, fix).with_detail(detail);
        Self { calls: vec![failed], federation: None }
    }

    /// Returns all findings.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.calls.iter().chain(self.federation.iter().flatten())
    }
}

/// The last diagnosis of a tenant. Passed checks are counted only, since there may be many tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Diagnosis {
    pub(crate) tenant: TenantId,
    pub(crate) time: Timestamp,
    /// The number of checks that passed.
    pub(crate) passed: usize,
    /// The checks that failed or were not visible.
    pub(crate) problems: Vec<Finding>,
}

impl Diagnosis {
    fn new(tenant: &TenantId, time: Timestamp, findings: &Findings) -> Self {
        let (passed, problems): (Vec<_>, Vec<_>) =
            findings.iter().cloned().partition(|finding| finding.verdict == Verdict::Ok);
        Self { tenant: tenant.clone(), time, passed: passed.len(), problems }
    }

    /// Returns the number of failed checks.
    pub(crate) fn failed(&self) -> usize {
        self.problems.iter().filter(|finding| finding.verdict == Verdict::Failed).count()
    }
}

/// The last diagnoses of the tenants.
#[derive(Debug, Default)]
pub(crate) struct Diagnoses(Mutex<HashMap<TenantId, Arc<Diagnosis>>>);

impl Diagnoses {
    /// Returns the diagnoses, those with the most failed checks first.
    pub(crate) fn list(&self) -> Vec<Arc<Diagnosis>> {
        let mut all: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by_cached_key(|diagnosis| {
            let key = (diagnosis.failed(), diagnosis.problems.len());
            (std::cmp::Reverse(key), diagnosis.tenant.to_string())
        });
        all
    }

    /// Returns the number of failed checks of each tenant.
    pub(crate) fn failed(&self) -> HashMap<TenantId, usize> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(tenant, diagnosis)| (tenant.clone(), diagnosis.failed())).collect()
    }

    /// Replaces the diagnosis of a tenant, and logs the failed checks that are new.
    fn insert(&self, diagnosis: Diagnosis) {
        let diagnosis = Arc::new(diagnosis);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = all.insert(diagnosis.tenant.clone(), Arc::clone(&diagnosis));
        drop(all);
        let was_failed = |check: &str| {
            let failed = |finding: &Finding| finding.verdict == Verdict::Failed && finding.check == check;
            earlier.iter().any(|earlier| earlier.problems.iter().any(failed))
        };
        let failed = diagnosis.problems.iter().filter(|finding| finding.verdict == Verdict::Failed);
        for Finding { check, detail, fix, .. } in failed.filter(|finding| !was_failed(&finding.check)) {
            tracing::warn!(tenant.id = %diagnosis.tenant, check, detail, fix, "a check of the identity provider failed");
        }
    }

    fn retain(&self, is_current: impl Fn(&TenantId) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|tenant, _| is_current(tenant));
    }
}

/// Diagnoses all tenants again and again, one after the other and evenly over the interval.
pub(crate) async fn run(
    tenants: Arc<CurrentTenants>,
    diagnoses: Arc<Diagnoses>,
    clock: Arc<dyn Clock>,
    interval: Duration,
) {
    let mut longest_pause = FIRST_PAUSE;
    loop {
        // The ids only, so that a tenant that is removed or replaced meanwhile is released.
        let ids: Vec<_> = tenants.load().iter().map(|tenant| tenant.id.clone()).collect();
        let current: HashSet<_> = ids.iter().collect();
        diagnoses.retain(|id| current.contains(id));
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let pause = (interval / count.max(1)).min(longest_pause);
        for tenant in ids.iter().filter_map(|id| tenants.load().get(id)) {
            let findings = Findings::diagnose(&tenant, TIMEOUT).await;
            diagnoses.insert(Diagnosis::new(&tenant.id, clock.now(), &findings));
            drop(tenant);
            tokio::time::sleep(pause).await;
        }
        tokio::time::sleep(interval.saturating_sub(pause * count)).await;
        longest_pause = interval;
    }
}
