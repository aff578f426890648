//! `cargo xtask test`: every test, on a machine that has only Rust.

mod tally;

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::tally::Tally;
use crate::auth0_contract::Material;
use crate::workspace::{EVERYTHING, Workspace};
use crate::{auth0_contract, conformance, lab, new_connector, out_of_tree, prerequisites, process, status};

/// The feature of the test targets that need real servers.
const LAB_FEATURE: &str = "lab";
/// Names the folder of the labs' settings to those tests.
const LAB_VARIABLE: &str = "IDP_BRIDGE_LAB";

/// Runs every test and reports how many there were.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let started = Instant::now();
    prerequisites::ensure(&prerequisites::ALL)?;
    lab::expect_none(workspace)?;
    if !workspace.has_tests_with(LAB_FEATURE) {
        bail!("no test target has `required-features = [\"{LAB_FEATURE}\"]`, so real servers would not be tested");
    }
    conformance::remove_reports(workspace)?;

    status::step("Building", "the tests");
    process::run(cargo_test(workspace).arg("--no-run")).context("the tests do not build")?;
    let skipped = compare_auth0(workspace)?;
    install_example(workspace)?;
    let labs = lab::start_all(workspace)?;
    let mut tally = run_tests("the workspace", cargo_test(workspace).arg("--no-fail-fast"))?;
    drop(labs);

    for report in conformance::keep_reports(workspace)? {
        status::step("Conformance", report.summary());
    }
    // After the reports are kept, since these two test connectors outside this workspace.
    new_connector::self_test(workspace)?;
    tally += run_tests("the example out of tree", &mut out_of_tree::test(workspace)?)?;
    let note = skipped.as_ref().map_or("", |_| ", one comparison not run");
    status::step("Finished", format!("{tally}{note} in {}", status::elapsed(started.elapsed())));
    if let Some(skipped) = skipped {
        status::note(format!("not run: {skipped}"));
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

/// Compares the Auth0 connector with recorded traffic. Without recordings, returns a sentence about what was skipped.
fn compare_auth0(workspace: &Workspace) -> Result<Option<String>> {
    match Material::beside(workspace) {
        Ok(material) => {
            status::step("Comparing", "the Auth0 connector with recorded traffic");
            auth0_contract::compare(&material, workspace)?;
            Ok(None)
        }
        Err(skipped) => {
            status::note(format!("not run: {skipped}"));
            Ok(Some(skipped))
        }
    }
}

/// Runs one `cargo test` and counts its tests. An ignored test is a failure.
fn run_tests(title: &str, command: &mut Command) -> Result<Tally> {
    let started = Instant::now();
    status::step("Testing", title);
    let mut tally = Tally::default();
    process::run_read(command, |line| tally.read_line(line)).with_context(|| format!("the tests of {title} failed"))?;
    tally.check().with_context(|| format!("the tests of {title} are incomplete"))?;
    status::step("Tested", format!("{title}: {tally} in {}", status::elapsed(started.elapsed())));
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_script(script: &str) -> Result<Tally> {
        run_tests("the sample", Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn ignored_tests_fail_the_run() {
        let error = run_script("echo 'test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured'").unwrap_err();
        assert!(format!("{error:#}").contains("1 ignored"), "{error:#}");
    }

    #[test]
    fn passed_tests_are_counted() {
        let tally = run_script("echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured'").unwrap();
        assert_eq!(tally.to_string(), "2 tests passed");
    }
}
