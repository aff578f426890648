//! A case of the suite: its conditions, and how it is run.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallKind, Capabilities, FederationCapabilities, Fidelity, Field, Support};

use crate::bullet::Bullet;
use crate::context::CaseContext;
use crate::observation::{Observation, Observations};
use crate::{Harness, Need, TestResult};

/// The time limit of a case. Only a case that hangs reaches it.
const LIMIT: Duration = Duration::from_secs(60);

type Run = dyn Fn(CaseContext) -> Pin<Box<dyn Future<Output = TestResult<()>> + Send>> + Send + Sync;

/// One case of the suite.
#[derive(Clone)]
pub(crate) struct Case {
    name: String,
    proves: Vec<Bullet>,
    calls: BTreeSet<CallKind>,
    exact: Vec<Field>,
    unsupported: Option<CallKind>,
    needs: Vec<Need>,
    promises: Vec<Promise>,
    excluded_by: Option<fn(&FederationCapabilities) -> bool>,
    run: Arc<Run>,
}

/// Returns `Ok` if federation promises the subject of a case, or the reason why not.
type Promise = fn(&FederationCapabilities) -> Result<(), String>;

/// Creates a case that proves these bullets.
pub(crate) fn case<F>(
    name: impl Into<String>,
    proves: &[Bullet],
    run: impl Fn(CaseContext) -> F + Send + Sync + 'static,
) -> Case
where
    F: Future<Output = TestResult<()>> + Send + 'static,
{
    Case {
        name: name.into(),
        proves: proves.to_vec(),
        calls: BTreeSet::new(),
        exact: Vec::new(),
        unsupported: None,
        needs: Vec::new(),
        promises: Vec::new(),
        excluded_by: None,
        run: Arc::new(move |context| Box::pin(run(context))),
    }
}

/// Creates a case about one call, for providers that support it.
pub(crate) fn call_case<F>(
    name: &str,
    kind: CallKind,
    proves: &[Bullet],
    run: impl Fn(CaseContext, CallKind) -> F + Send + Sync + 'static,
) -> Case
where
    F: Future<Output = TestResult<()>> + Send + 'static,
{
    case(format!("{name}/{kind}"), proves, move |context| run(context, kind)).calls(&[kind])
}

/// The decision whether a case runs with a harness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The case runs.
    Run,
    /// The provider or the harness does not support the case, for this reason.
    NotApplicable(String),
    /// The case tests the absence of a capability that the provider has.
    Excluded,
}

impl Case {
    /// Limits the case to providers that support these calls.
    #[must_use]
    pub(crate) fn calls(mut self, calls: &[CallKind]) -> Self {
        self.calls.extend(calls);
        self
    }

    /// Limits the case to providers that declare this field exact.
    #[must_use]
    pub(crate) fn exact(mut self, field: Field) -> Self {
        self.exact.push(field);
        self
    }

    /// Limits the case to providers that do not support this call.
    #[must_use]
    pub(crate) fn unsupported(mut self, call: CallKind) -> Self {
        self.unsupported = Some(call);
        self
    }

    /// Limits the case to harnesses that implement these needs.
    #[must_use]
    pub(crate) fn needs(mut self, needs: &[Need]) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Limits the case to providers with federation that makes this promise.
    #[must_use]
    pub(crate) fn requires(mut self, promise: Promise) -> Self {
        self.promises.push(promise);
        self
    }

    /// Excludes providers with federation that has this capability.
    #[must_use]
    pub(crate) fn without(mut self, has: fn(&FederationCapabilities) -> bool) -> Self {
        self.excluded_by = Some(has);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn proves(&self) -> &[Bullet] {
        &self.proves
    }

    /// Returns the needs of the case.
    pub(crate) fn needed(&self) -> &[Need] {
        &self.needs
    }

    /// Returns whether the case runs with this harness and a provider of these capabilities.
    pub(crate) fn select(&self, harness: &dyn Harness, capabilities: &Capabilities) -> Selection {
        if self.unsupported.is_some_and(|call| capabilities.call(call).is_possible()) {
            return Selection::Excluded;
        }
        if self.excluded_by.is_some_and(|has| capabilities.federation().is_some_and(has)) {
            return Selection::Excluded;
        }
        let unsupported = self.calls.iter().find_map(|call| match capabilities.call(*call) {
            Support::Unsupported { reason } => Some(format!("`{call}` is unsupported: {reason}")),
            _ => None,
        });
        let inexact = |field: &Field| {
            let fidelity = capabilities.field(*field);
            (fidelity != Fidelity::Exact).then(|| format!("the field {field:?} is declared {fidelity:?}, not exact"))
        };
        let reason = unsupported
            .or_else(|| self.exact.iter().find_map(inexact))
            .or_else(|| self.missing_promise(harness, capabilities))
            .or_else(|| self.needs.iter().find_map(|need| harness.not_applicable(*need)));
        reason.map_or(Selection::Run, Selection::NotApplicable)
    }

    /// Returns the reason if federation is missing or does not make the required promises.
    fn missing_promise(&self, harness: &dyn Harness, capabilities: &Capabilities) -> Option<String> {
        self.promises.first()?;
        match capabilities.federation().filter(|_| harness.federation().is_some()) {
            None => Some("there is no federation".to_owned()),
            Some(own) => self.promises.iter().find_map(|promise| promise(own).err()),
        }
    }

    /// Runs the case and returns its result and observations. A panic and a timeout are failures.
    pub(crate) async fn run(&self, harness: Arc<dyn Harness>) -> (Result<(), String>, Vec<Observation>) {
        let observations = Observations::default();
        let result = self.run_in(harness, observations.clone()).await;
        (result, observations.take())
    }

    async fn run_in(&self, harness: Arc<dyn Harness>, observations: Observations) -> Result<(), String> {
        let case = (self.run)(CaseContext::new(harness, observations).map_err(|error| error.to_string())?);
        match tokio::spawn(tokio::time::timeout(LIMIT, case)).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(failure))) => Err(failure.to_string()),
            Ok(Err(_)) => Err(format!("did not end within {} s", LIMIT.as_secs())),
            Err(join) => Err(panic_message(join)),
        }
    }
}

fn panic_message(join: tokio::task::JoinError) -> String {
    let Ok(panic) = join.try_into_panic() else { return "was cancelled".to_owned() };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    format!("panicked: {}", text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}
