//! `cargo xtask test`: every test there is, on a machine that has nothing but Rust.

mod tally;

use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::tally::Tally;
use crate::auth0_contract::Material;
use crate::interrupt::Interrupt;
use crate::lab;
use crate::prerequisites::{self, Node, Tools};
use crate::workspace::Workspace;
use crate::{auth0_contract, conformance, environment, federation_app, new_connector, out_of_tree, process, status};

/// The feature of the test targets that need real servers.
const LAB_FEATURE: &str = "lab";
/// Tells those tests in which folder the labs' settings are.
const LAB_VARIABLE: &str = "IDP_BRIDGE_LAB";

/// Runs every test and says at the end how many there were.
pub(crate) fn run(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let started = Instant::now();
    let (tools, node) = prerequisites::ensure_all(interrupt)?;
    lab::expect_none(workspace)?;
    if workspace.tests_that_need(LAB_FEATURE).is_empty() {
        bail!(
            "no test target has `required-features = [\"{LAB_FEATURE}\"]`, so nothing would be tested on real servers"
        );
    }
    conformance::forget(workspace)?;

    let tests = Tests::default();
    let mut all = cargo_test(workspace);
    all.args(["--workspace", "--no-fail-fast", "--features", auth0_contract::FEATURE]);
    tests.phase("the workspace", &mut all, interrupt)?;
    let not_run = compare_auth0(workspace, interrupt)?;
    federation_app::install(workspace, &node, interrupt)?;
    with_labs(workspace, (&tools, &node), &tests, interrupt)?;

    for report in conformance::keep(workspace)? {
        status::step("Conformance", report.summary());
    }
    // What these prove is no connector's of this workspace, so it comes after their reports are kept.
    new_connector::self_test(workspace, interrupt)?;
    tests.phase("the example out of tree", &mut out_of_tree::test(workspace)?, interrupt)?;
    let (tally, took) = (tests.tally(), status::elapsed(started.elapsed()));
    let skipped = not_run.as_ref().map_or("", |_| ", one comparison not run");
    status::step("Finished", format!("{tally}{skipped} in {took}"));
    if let Some(what) = not_run {
        status::note(format!("not run: {what}"));
    }
    Ok(())
}

/// Compares the Auth0 connector with recorded traffic; answers what was not run where there is none.
fn compare_auth0(workspace: &Workspace, interrupt: &Interrupt) -> Result<Option<String>> {
    match Material::beside(workspace) {
        Ok(material) => {
            let started = Instant::now();
            status::step("Comparing", "the Auth0 connector with recorded traffic");
            auth0_contract::compare(&material, workspace, interrupt)?;
            status::step("Compared", format!("in {}", status::elapsed(started.elapsed())));
            Ok(None)
        }
        Err(what) => {
            status::note(format!("not run: {what}"));
            Ok(Some(what))
        }
    }
}

/// The tests so far.
#[derive(Debug, Clone, Default)]
struct Tests(Arc<Mutex<Tally>>);

impl Tests {
    /// Runs one `cargo test` and counts what it says.
    fn phase(&self, title: &str, command: &mut Command, interrupt: &Interrupt) -> Result<()> {
        let (started, before) = (Instant::now(), self.tally());
        status::step("Testing", title);
        let tally = Arc::clone(&self.0);
        let on_line = move |line: &str| tally.lock().unwrap_or_else(PoisonError::into_inner).read(line);
        process::run_read(command, interrupt, on_line)
            .with_context(|| format!("the tests of {title} failed; run `cargo xtask test` again after mending them"))?;
        let counted = self.tally().since(before);
        status::step("Tested", format!("{title}: {counted} in {}", status::elapsed(started.elapsed())));
        Ok(())
    }

    fn tally(&self) -> Tally {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the labs, runs the tests that need them, and stops them, however the tests ended.
fn with_labs(
    workspace: &Workspace,
    (tools, node): (&Tools, &Node),
    tests: &Tests,
    interrupt: &Interrupt,
) -> Result<()> {
    let labs = lab::start_all(workspace, tools, node, interrupt)?;
    for lab in &labs {
        status::step("Started", format!("the lab `{}` in {}", lab.name(), status::elapsed(lab.took())));
    }
    for (package, names) in workspace.tests_that_need(LAB_FEATURE) {
        let mut command = on_labs(workspace, package);
        command.args(names.iter().flat_map(|name| ["--test", name]));
        tests.phase(&format!("{package} on real servers"), &mut command, interrupt)?;
    }
    Ok(())
}

/// A `cargo test` of the package's tests that need labs; the caller says which.
pub(crate) fn on_labs(workspace: &Workspace, package: &str) -> Command {
    // The whole workspace with the same features as before, so that no dependency is built a second time.
    let mut command = cargo_test(workspace);
    command.args(["--workspace", "--no-fail-fast", "--features", auth0_contract::FEATURE]);
    command.args(["--features", &format!("{package}/{LAB_FEATURE}")]);
    command.env(LAB_VARIABLE, lab::folder(workspace));
    command
}

fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = Command::new(environment::cargo());
    command.current_dir(&workspace.root).arg("test");
    command
}
