//! `cargo xtask test`: runs all tests, on a machine that has only Rust.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::workspace::{EVERYTHING, Workspace};
use crate::{auth0_contract, conformance, lab, new_connector, out_of_tree, prerequisites, process, status};

/// The variable with the folder of the labs' settings, for these tests.
const LAB_VARIABLE: &str = "IDP_BRIDGE_LAB";

/// Runs every test and reports how many there were.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    prerequisites::ensure(&prerequisites::ALL)?;
    lab::expect_none(workspace)?;
    conformance::remove_reports(workspace)?;

    status::step("Building", "the tests");
    process::run(cargo_test(workspace).arg("--no-run")).context("the tests do not build")?;
    let is_compared = auth0_contract::compare_if_available(workspace)?;
    install_example(workspace)?;
    install_schemathesis(workspace)?;
    let labs = lab::start_all(workspace)?;
    let mut passed = run_tests("the workspace", cargo_test(workspace).arg("--no-fail-fast"))?;
    drop(labs);

    for report in conformance::keep_reports(workspace)? {
        status::step("Conformance", report.summary());
    }
    // After the reports are kept, since these two test connectors outside this workspace.
    new_connector::self_test(workspace)?;
    passed += run_tests("the example out of tree", &mut out_of_tree::test(workspace)?)?;
    status::step("Finished", format!("{passed} tests passed in {}", status::elapsed(started.elapsed())));
    if !is_compared {
        status::note(auth0_contract::SKIPPED);
    }
    Ok(())
}

/// Returns the `cargo test` of the whole workspace, with the labs' settings.
pub(crate) fn cargo_test(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(&["test"]);
    command.args(EVERYTHING).env(LAB_VARIABLE, lab::folder(workspace));
    command
}

/// Installs the packages of the example application, which the tests with a browser run.
pub(crate) fn install_example(workspace: &Workspace) -> Result<()> {
    let log = lab::folder(workspace).join("log/federation-app.log");
    lab::packages::install_node(&workspace.root.join("examples/federation-app"), &log)
}

/// Installs schemathesis, which sends requests that match the OpenAPI document, and requests that do not.
fn install_schemathesis(workspace: &Workspace) -> Result<()> {
    let folder = lab::folder(workspace);
    let log = folder.join("log/pip-schemathesis.log");
    let packages = ["schemathesis==4.32.5"];
    lab::packages::install_python(&folder.join("schemathesis"), &packages, "import schemathesis", &log).map(drop)
}

/// Runs one `cargo test` and returns the number of passed tests. An ignored test is a failure.
fn run_tests(title: &str, command: &mut Command) -> Result<u64> {
    let started = Instant::now();
    status::step("Testing", title);
    let (mut passed, mut ignored, mut failures) = (0, 0, Failures::default());
    let read = |line: &str| {
        passed += count(line, "passed");
        ignored += count(line, "ignored");
        failures.read(line);
    };
    let result = process::run_read(command, read);
    result.with_context(|| format!("the tests of {title} failed{}", failures.text))?;
    if ignored > 0 {
        bail!("{ignored} ignored tests; hint: remove `#[ignore]`, and let the test fail with what is missing");
    }
    status::step("Tested", format!("{title}: {passed} tests passed in {}", status::elapsed(started.elapsed())));
    Ok(passed)
}

/// The messages of failed tests, repeated at the end of a long output.
#[derive(Debug, Default)]
struct Failures {
    text: String,
    is_inside: bool,
}

impl Failures {
    /// The maximum number of bytes.
    const LIMIT: usize = 16 * 1024;

    /// Adds a line between the title of the failures and the summary of their test target.
    fn read(&mut self, line: &str) {
        self.is_inside = (self.is_inside || line == "failures:") && !line.starts_with("test result: ");
        if self.is_inside && !line.is_empty() && self.text.len() + line.len() < Self::LIMIT {
            self.text.push_str("\n    ");
            self.text.push_str(line);
        }
    }
}

/// Returns a count in the summary of a test target, or zero for another line.
fn count(line: &str, outcome: &str) -> u64 {
    let Some(counts) = line.trim().strip_prefix("test result: ") else { return 0 };
    let count = counts.split([';', '.']).find_map(|part| part.trim().strip_suffix(outcome));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_script(script: &str) -> Result<u64> {
        run_tests("the sample", Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn ignored_tests_fail_the_run() {
        let error = run_script("echo 'test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured'").unwrap_err();
        assert!(format!("{error:#}").contains("1 ignored"), "{error:#}");
    }

    #[test]
    fn error_repeats_the_failures() {
        let script = "echo 'test a ... FAILED'; echo; echo 'failures:'; echo; echo '---- a stdout ----'; echo broken
            echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; echo unrelated; exit 101";
        let error = run_script(script).unwrap_err();
        let expected = "the tests of the sample failed\n    failures:\n    ---- a stdout ----\n    broken";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn passed_tests_of_summaries_are_counted() {
        let script = "echo 'running 2 tests'; echo 'test a ... ok'
            echo 'test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.04s'
            echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s'";
        assert_eq!(run_script(script).unwrap(), 13);
    }
}
