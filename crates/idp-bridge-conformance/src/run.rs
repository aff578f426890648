//! Two ways to run the suite: as the `main` of a test binary with a line for each case, and as a function.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use idp_bridge_core::Capabilities;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::case::{Case, Selection};
use crate::report::{Failed, NotApplicable, Passed, Report};
use crate::{Harness, Observation, Staged, cases};

/// How many cases run at a time: most of them wait, for an identity provider or for a deadline.
const AT_A_TIME: usize = 8;

/// Runs every case and answers what came of each. One that fails or panics stops no other.
pub async fn run(harness: Arc<dyn Harness>) -> Staged<Report> {
    run_only(harness, |_| true).await
}

/// The same with those cases only whose name is wanted.
pub async fn run_only(harness: Arc<dyn Harness>, wanted: impl Fn(&str) -> bool) -> Staged<Report> {
    let (mut report, selected) = select(&*harness).await?;
    let mut waiting = selected.into_iter().filter(|case| wanted(case.name()));
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_A_TIME
            && let Some(case) = waiting.next()
        {
            let harness = Arc::clone(&harness);
            running.spawn(async move { (case.run(harness).await, case) });
        }
        let Some(ended) = running.join_next().await else { break };
        let ((result, seen), case) = ended?;
        report.add(&case, result, seen);
    }
    report.sort();
    Ok(report)
}

/// The `main` of a test target with `harness = false`: one line for each case, and the options of a Rust test binary.
///
/// `folder` is where the report goes as JSON, named as the harness: `env!("CARGO_TARGET_TMPDIR")`.
/// It is written when every case was run, so not if a filter was given.
///
/// ```text
/// fn main() -> std::process::ExitCode {
///     idp_bridge_conformance::main(env!("CARGO_TARGET_TMPDIR"), MyHarness::start())
/// }
/// ```
pub fn main<H: Harness>(folder: impl Into<PathBuf>, start: impl Future<Output = Staged<H>>) -> ExitCode {
    let arguments = Arguments::from_args();
    match with_lines(arguments, &folder.into(), start) {
        Ok(code) => code,
        Err(error) => {
            // There is nobody left to tell if even this fails.
            let _ = writeln!(std::io::stderr(), "the conformance suite could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn with_lines<H: Harness>(
    mut arguments: Arguments,
    folder: &Path,
    start: impl Future<Output = Staged<H>>,
) -> Staged<ExitCode> {
    arguments.test_threads.get_or_insert(AT_A_TIME);
    let runtime = Runtime::new()?;
    let harness: Arc<dyn Harness> = Arc::new(runtime.block_on(start)?);
    let (report, selected) = runtime.block_on(select(&*harness))?;
    let report = Arc::new(Mutex::new(report));
    let trials = selected.into_iter().map(|case| trial(case, &runtime, &harness, &report)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.sort();
        writeln!(std::io::stdout(), "{}", report.summary())?;
        if conclusion.num_filtered_out == 0 && conclusion.num_ignored == 0 {
            save(&report, folder)?;
        }
    }
    Ok(conclusion.exit_code())
}

fn trial(case: Case, runtime: &Runtime, harness: &Arc<dyn Harness>, report: &Arc<Mutex<Report>>) -> Trial {
    let (runtime, harness, report) = (runtime.handle().clone(), Arc::clone(harness), Arc::clone(report));
    Trial::test(case.name().to_owned(), move || {
        let (result, seen) = runtime.block_on(case.run(harness));
        report.lock().unwrap_or_else(PoisonError::into_inner).add(&case, result.clone(), seen);
        result.map_err(|reason| format!("{reason}\n{}", promises(&case)).into())
    })
}

fn promises(case: &Case) -> String {
    case.proves().iter().map(|bullet| format!("promised: {bullet}\n")).collect()
}

fn save(report: &Report, folder: &Path) -> Staged<()> {
    let words = report.harness.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    let folder = folder.join("conformance");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    Ok(())
}

/// The cases to run, and a report that holds those that do not apply.
async fn select(harness: &dyn Harness) -> Staged<(Report, Vec<Case>)> {
    let capabilities: Capabilities = harness.provider().await?.capabilities().clone();
    let mut report = Report::new(harness.name(), capabilities.clone());
    let mut selected = Vec::new();
    for case in cases::all() {
        match case.select(harness, &capabilities) {
            Selection::Run => selected.push(case),
            Selection::NotApplicable(reason) => {
                report.not_applicable.push(NotApplicable { case: case.name().to_owned(), reason });
            }
            Selection::Beside => {}
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
