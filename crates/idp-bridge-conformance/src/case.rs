//! A case: what it proves, what it needs, and how it is run without taking others down.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{CallKind, Capabilities, FederationCapabilities, Fidelity, Field, Support};

use crate::bullet::Bullet;
use crate::observation::{Observation, Observations};
use crate::scene::Scene;
use crate::{Harness, Need, Staged};

/// How long a case may take; far more than it needs, so that only a hang gets there.
const LIMIT: Duration = Duration::from_secs(60);

type Run = dyn Fn(Scene) -> Pin<Box<dyn Future<Output = Staged<()>> + Send>> + Send + Sync;

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
    beside: Option<fn(&FederationCapabilities) -> bool>,
    run: Arc<Run>,
}

/// Whether a provider's OAuth side promises what a case is about; why not if it does not.
type Promise = fn(&FederationCapabilities) -> Result<(), String>;

/// A case with this name, that proves these bullets.
pub(crate) fn case<F>(
    name: impl Into<String>,
    proves: &[Bullet],
    run: impl Fn(Scene) -> F + Send + Sync + 'static,
) -> Case
where
    F: Future<Output = Staged<()>> + Send + 'static,
{
    Case {
        name: name.into(),
        proves: proves.to_vec(),
        calls: BTreeSet::new(),
        exact: Vec::new(),
        unsupported: None,
        needs: Vec::new(),
        promises: Vec::new(),
        beside: None,
        run: Arc::new(move |scene| Box::pin(run(scene))),
    }
}

/// A case about this call, for providers that can do it.
pub(crate) fn case_of<F>(
    name: &str,
    kind: CallKind,
    proves: &[Bullet],
    run: impl Fn(Scene, CallKind) -> F + Send + Sync + 'static,
) -> Case
where
    F: Future<Output = Staged<()>> + Send + 'static,
{
    case(format!("{name}/{kind}"), proves, move |scene| run(scene, kind)).calls(&[kind])
}

/// Whether a case is run in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// It is.
    Run,
    /// It would be, if the environment could stage it or the provider could do it.
    NotApplicable(String),
    /// It is not meant for this provider: it tests what happens without a capability that is there.
    Beside,
}

impl Case {
    /// The same, for providers that can do these calls.
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

    /// The same, for providers that cannot do this call.
    #[must_use]
    pub(crate) fn unsupported(mut self, call: CallKind) -> Self {
        self.unsupported = Some(call);
        self
    }

    /// The same, for environments that can stage these.
    #[must_use]
    pub(crate) fn needs(mut self, needs: &[Need]) -> Self {
        self.needs.extend(needs);
        self
    }

    /// The same, for providers with an OAuth side that promises this.
    #[must_use]
    pub(crate) fn promised(mut self, promise: Promise) -> Self {
        self.promises.push(promise);
        self
    }

    /// The same, for providers whose OAuth side lacks this.
    #[must_use]
    pub(crate) fn without(mut self, has: fn(&FederationCapabilities) -> bool) -> Self {
        self.beside = Some(has);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn proves(&self) -> &[Bullet] {
        &self.proves
    }

    /// What the environment must be able to stage.
    pub(crate) fn needed(&self) -> &[Need] {
        &self.needs
    }

    /// Whether it is run with this environment and a provider of these capabilities.
    pub(crate) fn select(&self, harness: &dyn Harness, capabilities: &Capabilities) -> Selection {
        if self.unsupported.is_some_and(|call| capabilities.call(call).is_possible()) {
            return Selection::Beside;
        }
        if self.beside.is_some_and(|has| capabilities.federation().is_some_and(has)) {
            return Selection::Beside;
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
            .or_else(|| self.unpromised(harness, capabilities))
            .or_else(|| self.needs.iter().find_map(|need| harness.not_applicable(*need)));
        reason.map_or(Selection::Run, Selection::NotApplicable)
    }

    /// Why the OAuth side is not put to this case.
    fn unpromised(&self, harness: &dyn Harness, capabilities: &Capabilities) -> Option<String> {
        self.promises.first()?;
        match capabilities.federation().filter(|_| harness.federation().is_some()) {
            None => Some("there is no federation".to_owned()),
            Some(own) => self.promises.iter().find_map(|promise| promise(own).err()),
        }
    }

    /// Runs it, and answers how it ended and what it saw; a panic and a hang are failures like any other.
    pub(crate) async fn run(&self, harness: Arc<dyn Harness>) -> (Result<(), String>, Vec<Observation>) {
        let observations = Observations::default();
        let result = self.run_in(harness, observations.clone()).await;
        (result, observations.take())
    }

    async fn run_in(&self, harness: Arc<dyn Harness>, observations: Observations) -> Result<(), String> {
        let case = (self.run)(Scene::new(harness, observations).map_err(|error| error.to_string())?);
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
