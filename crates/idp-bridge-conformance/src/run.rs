//! Runs the suite, as the `main` of a test binary or as a function.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_core::Capabilities;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::case::{Case, Selection};
use crate::report::{Failed, NotApplicable, Passed, Report};
use crate::{Harness, Observation, Setup, TestResult, cases};

/// The maximum number of cases that run at a time.
const CONCURRENCY: usize = 8;

/// Runs every case and returns the report. A failure or a panic of one case does not stop the others.
pub async fn run(harness: Arc<dyn Harness>) -> TestResult<Report> {
    run_only(harness, |_| true).await
}

/// Runs the cases with matching names.
pub async fn run_only(harness: Arc<dyn Harness>, matches: impl Fn(&str) -> bool) -> TestResult<Report> {
    run_each(harness, CONCURRENCY, matches, |_, _| {}).await
}

/// Runs the cases with matching names, at most `concurrency` at a time. `ended` gets the name and the failure of each case.
pub async fn run_each(
    harness: Arc<dyn Harness>,
    concurrency: usize,
    matches: impl Fn(&str) -> bool,
    mut ended: impl FnMut(&str, Option<&str>),
) -> TestResult<Report> {
    let (mut report, selected) = select(&*harness).await?;
    let mut pending = selected.into_iter().filter(|case| matches(case.name()));
    let mut running = JoinSet::new();
    loop {
        while running.len() < concurrency.max(1)
            && let Some(case) = pending.next()
        {
            let harness = Arc::clone(&harness);
            running.spawn(async move { (case.run(harness).await, case) });
        }
        let Some(joined) = running.join_next().await else { break };
        let ((result, seen), case) = joined?;
        ended(case.name(), result.as_ref().err().map(String::as_str));
        report.add(&case, result, seen);
    }
    report.sort();
    Ok(report)
}

/// The `main` of a test target with `harness = false`. Prints a line for each case, and accepts the options of a test binary.
///
/// Writes the report as JSON to `folder`, which is `env!("CARGO_TARGET_TMPDIR")`, under the name of the harness.
/// A run with a filter writes no report.
///
/// ```text
/// fn main() -> std::process::ExitCode {
///     idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), MyHarness::start())
/// }
/// ```
pub fn main<H: Harness>(folder: impl Into<PathBuf>, start: impl Future<Output = TestResult<H>> + 'static) -> ExitCode {
    Suites::new(folder).add("", start).run()
}

/// The suite with several harnesses, as the `main` of one test target.
///
/// The names of the cases begin with the name of the harness, such as `keycloak::get::…`.
/// A filter that begins so starts this harness alone.
///
/// ```text
/// fn main() -> std::process::ExitCode {
///     Suites::new(env!("CARGO_TARGET_TMPDIR")).add("mine", MyHarness::start()).add("other", Other::start()).run()
/// }
/// ```
pub struct Suites {
    folder: PathBuf,
    starts: Vec<(String, Start)>,
}

type Start = Pin<Box<dyn Future<Output = TestResult<Arc<dyn Harness>>>>>;

/// The report of a run that other threads add results to.
type SharedReport = Arc<Mutex<Report>>;

impl Suites {
    /// Creates a program without harnesses, which writes reports to this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), starts: Vec::new() }
    }

    /// Adds a harness, which is started in [`run`](Self::run).
    #[must_use]
    pub fn add<H: Harness>(mut self, name: &str, start: impl Future<Output = TestResult<H>> + 'static) -> Self {
        let prefix = if name.is_empty() { String::new() } else { format!("{name}::") };
        let start = async move { Ok(Arc::new(start.await?) as Arc<dyn Harness>) };
        self.starts.push((prefix, Box::pin(start)));
        self
    }

    /// Runs the cases that the command line selects, and prints a line for each.
    pub fn run(self) -> ExitCode {
        self.run_with(Arguments::from_args()).unwrap_or_else(|error| {
            // An error of `stderr` cannot be reported.
            let _ = writeln!(std::io::stderr(), "the conformance suite could not be run: {error}");
            ExitCode::FAILURE
        })
    }

    /// Removes the harnesses that a filter with the name of another one excludes.
    fn keep_selected(&mut self, filter: &str) {
        let names = |prefix: &str| !prefix.is_empty() && filter.starts_with(prefix);
        if self.starts.iter().any(|(prefix, _)| names(prefix)) {
            self.starts.retain(|(prefix, _)| names(prefix));
        }
    }

    fn run_with(mut self, mut arguments: Arguments) -> TestResult<ExitCode> {
        arguments.test_threads.get_or_insert(CONCURRENCY);
        let filter = arguments.filter.as_deref().unwrap_or_default();
        self.keep_selected(filter);
        let runtime = Runtime::new()?;
        let (mut trials, mut reports) = (Vec::new(), Vec::new());
        for (prefix, start) in self.starts {
            let harness = runtime.block_on(start)?;
            let (report, selected) = runtime.block_on(select(&*harness))?;
            let report = Arc::new(Mutex::new(report));
            trials.extend(selected.into_iter().map(|case| trial(&prefix, case, &runtime, &harness, &report)));
            reports.push(report);
        }
        let conclusion = libtest_mimic::run(&arguments, trials);
        if !arguments.list {
            let is_whole = conclusion.num_filtered_out == 0 && conclusion.num_ignored == 0;
            reports.iter().try_for_each(|report| finish(report, is_whole.then_some(&*self.folder)))?;
        }
        Ok(conclusion.exit_code())
    }
}

fn trial(prefix: &str, case: Case, runtime: &Runtime, harness: &Arc<dyn Harness>, report: &SharedReport) -> Trial {
    let (runtime, harness, report) = (runtime.handle().clone(), Arc::clone(harness), Arc::clone(report));
    Trial::test(format!("{prefix}{}", case.name()), move || {
        let (result, seen) = runtime.block_on(case.run(harness));
        report.lock().unwrap_or_else(PoisonError::into_inner).add(&case, result.clone(), seen);
        result.map_err(|reason| format!("{reason}\n{}", promises(&case)).into())
    })
}

/// Prints the summary of a run, and writes its report to the folder.
fn finish(report: &SharedReport, folder: Option<&Path>) -> TestResult<()> {
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.sort();
    writeln!(std::io::stdout(), "{}", report.summary())?;
    folder.map_or(Ok(()), |folder| save(&report, folder))
}

fn promises(case: &Case) -> String {
    case.proves().iter().map(|bullet| format!("promised: {bullet}\n")).collect()
}

fn save(report: &Report, folder: &Path) -> TestResult<()> {
    let words = report.harness.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    let folder = folder.join("conformance");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    Ok(())
}

/// Returns the cases to run, and a report with those that do not apply.
async fn select(harness: &dyn Harness) -> TestResult<(Report, Vec<Case>)> {
    let capabilities: Capabilities = harness.provider(Setup::Working).await?.capabilities().clone();
    let mut report = Report::new(harness.name(), capabilities.clone());
    let mut selected = Vec::new();
    for case in cases::all() {
        match case.select(harness, &capabilities) {
            Selection::Run => selected.push(case),
            Selection::NotApplicable(reason) => {
                report.not_applicable.push(NotApplicable { case: case.name().to_owned(), reason });
            }
            Selection::Excluded => {}
        }
    }
    Ok((report, selected))
}

impl Report {
    fn add(&mut self, case: &Case, result: Result<(), String>, seen: Vec<Observation>) {
        self.observations.extend(seen);
        let (name, proves) = (case.name().to_owned(), case.proves().iter().map(ToString::to_string).collect());
        match result {
            Ok(()) => self.passed.push(Passed { case: name, proves }),
            Err(reason) => self.failed.push(Failed { case: name, proves, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_with_a_name_select_one_harness() {
        let selected = |filter: &str| {
            let start = |prefix: &str| (prefix.to_owned(), Box::pin(async { Err("not started".into()) }) as Start);
            let mut suites = Suites { folder: PathBuf::new(), starts: vec![start("one::"), start("two::")] };
            suites.keep_selected(filter);
            suites.starts.into_iter().map(|(prefix, _)| prefix).collect::<Vec<_>>()
        };
        assert_eq!(selected("two::get::"), ["two::"]);
        for filter in ["", "get::", "two", "x::two::"] {
            assert_eq!(selected(filter), ["one::", "two::"], "{filter}");
        }
    }
}
