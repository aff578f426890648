//! The self test: creates a connector in a copy of the workspace, and checks it there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::name::Name;
use crate::conformance::Report;
use crate::workspace::Workspace;
use crate::{environment, files, process, status, tidy};

/// The name of the connector. Two words, so that each of its forms differs.
const NAME: &str = "scaffold-probe";

/// The package that registers connectors.
const PROGRAM: &str = "idp-bridge";
/// The test target of the suite.
const SUITE: &str = "conformance";
/// The case that fails until the needs of the copied harness are verified.
const OPEN_NEEDS: &str = "capabilities::every_need_is_met_or_impossible";

/// The parsed part of a message of `cargo --message-format json`.
#[derive(Debug, Deserialize)]
struct Message {
    package_id: Option<String>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// Checks that each call has passed cases, and that only the case about open needs failed.
fn check_report(report: &Report) -> Result<()> {
    if report.failed.iter().any(|case| case.case != OPEN_NEEDS || !case.reason.contains("not written yet")) {
        bail!("the suite of a new connector should fail only {OPEN_NEEDS}, and fails {:#?}", report.failed);
    }
    if report.failed.is_empty() {
        bail!("the suite of a new connector passed, although its needs are not verified");
    }
    match report.passed.iter().find(|case| case.case.contains("an_unsupported_call")) {
        Some(case) => bail!("a new connector should support every call: {case:?}"),
        None => Ok(()),
    }
}

/// Creates a connector in a copy of the workspace, and runs the lints and the tests.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let probe = Probe::create(workspace)?;
    probe.lint()?;
    probe.test()
}

/// Checks that a new connector passes the lints of this repository.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    Probe::create(workspace)?.lint()
}

/// Checks that a new connector compiles, and that its suite fails only the case about open needs.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    Probe::create(workspace)?.test()
}

/// A copy of the workspace with a new connector in it.
struct Probe {
    root: PathBuf,
    target: PathBuf,
    name: Name,
}

impl Probe {
    /// Creates the copy. It is always in one place, so that a second build is short.
    fn create(workspace: &Workspace) -> Result<Self> {
        let root = workspace.target_directory.join("new-connector");
        files::remove(&root)?;
        copy(&workspace.root, &root)?;
        // `git ls-files` lists the copy, which lies in an ignored folder, only if it is a repository.
        process::output(Command::new("git").current_dir(&root).args(["init", "--quiet"]))?;
        let probe = Self { root, target: workspace.target_directory.clone(), name: Name::parse(NAME)? };
        super::create(&probe.root, &probe.name)?;
        Ok(probe)
    }

    fn lint(&self) -> Result<()> {
        let clippy = ["--quiet", "--all-targets", "--", "--deny", "warnings"];
        process::run(self.cargo("clippy").args(["--package", &self.name.package()]).args(clippy))?;
        tidy::run(&Workspace::read_at(&self.root)?)
    }

    fn test(&self) -> Result<()> {
        let started = Instant::now();
        let built = self.build()?;
        let package = self.name.package();
        for (package, target) in [(&*package, &*package.replace('-', "_")), (PROGRAM, "idp_bridge")] {
            let tests = find_tests(&built, package, target)?;
            process::run(Command::new(tests).arg("--quiet").current_dir(self.folder(package)))?;
        }
        let report = self.run_suite(find_tests(&built, &package, SUITE)?)?;
        check_report(&report)?;
        status::step("Scaffolded", format!("{}, in {}", report.summary(), status::elapsed(started.elapsed())));
        Ok(())
    }

    fn cargo(&self, task: &str) -> Command {
        let mut command = Command::new(environment::cargo());
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).arg(task);
        command
    }

    fn folder(&self, package: &str) -> PathBuf {
        self.root.join("crates").join(package)
    }

    /// Builds the tests of the whole workspace. Building a part would select other features of dependencies and rebuild them.
    fn build(&self) -> Result<Vec<Message>> {
        let mut cargo = self.cargo("test");
        cargo.args(["--workspace", "--lib", "--test", SUITE, "--no-run", "--quiet", "--message-format", "json"]);
        let messages = process::output(&mut cargo)?;
        messages.lines().map(|line| serde_json::from_str(line).context("cannot parse a message of cargo")).collect()
    }

    /// Runs the suite and returns its report. The report is removed, so that the support matrix does not use it.
    fn run_suite(&self, suite: &Path) -> Result<Report> {
        let path = self.target.join(format!("tmp/conformance/{NAME}-fake.json"));
        files::remove(&path)?;
        let mut command = Command::new(suite);
        let output = command.current_dir(self.folder(&self.name.package())).output().context("cannot run the suite")?;
        let text = fs::read_to_string(&path).with_context(|| {
            format!("the suite wrote no report; its output is\n{}", String::from_utf8_lossy(&output.stderr))
        })?;
        files::remove(&path)?;
        serde_json::from_str(&text).context("cannot read the report of the suite")
    }
}

/// Returns the path of a target's test program.
fn find_tests<'a>(messages: &'a [Message], package: &str, target: &str) -> Result<&'a Path> {
    let id = format!("/crates/{package}#");
    let own = messages.iter().filter(|message| message.package_id.as_ref().is_some_and(|own| own.contains(&id)));
    let mut own = own.filter(|message| message.target.as_ref().is_some_and(|own| own.name == target));
    let built = own.find_map(|message| message.executable.as_deref());
    built.with_context(|| format!("cargo built no tests `{target}` of `{package}`"))
}

/// Copies the files of a repository with their modification times, which cargo compares to reuse a build.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for path in Workspace::tracked_files(from)? {
        let (source, copy) = (from.join(&path), to.join(&path));
        // Git also lists removed files that are not committed.
        let Ok(metadata) = fs::metadata(&source) else { continue };
        if let Some(folder) = copy.parent() {
            files::create_folder(folder)?;
        }
        let copied = fs::copy(&source, &copy)
            .and_then(|_| File::options().write(true).open(&copy)?.set_modified(metadata.modified()?));
        copied.with_context(|| format!("cannot copy `{path}`"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_open_needs_may_fail() {
        let case = |case: &str, reason: &str| json!({"case": case, "reason": reason});
        let is_ok = |passed: Value, failed: Value| {
            let report = json!({"harness": "", "passed": passed, "failed": failed, "not_applicable": []});
            check_report(&serde_json::from_value(report).unwrap()).is_ok()
        };
        let open = case(OPEN_NEEDS, "`Login` is not written yet");
        assert!(is_ok(json!([case("get::a", "")]), json!([open])));
        for (passed, failed) in [
            (json!([]), json!([])),
            (json!([]), json!([open, case("get::a", "not written yet")])),
            (json!([]), json!([case(OPEN_NEEDS, "was not found")])),
            (json!([case("capabilities::an_unsupported_call_sends_no_request/users.delete", "")]), json!([open])),
        ] {
            assert!(!is_ok(passed, failed));
        }
    }

    #[test]
    fn the_guide_has_the_number_of_failures() {
        let guide = include_str!("../../../docs/connectors/new.md");
        assert!(guide.contains("passed; 1 failed;"), "the number in the guide is out of date");
    }

    #[test]
    fn a_copy_keeps_times_and_omits_ignored_files() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        process::output(Command::new("git").current_dir(&from).args(["init", "--quiet"])).unwrap();
        for (path, text) in [("src/lib.rs", "//! Code."), (".gitignore", "/target"), ("target", "built")] {
            fs::write(from.join(path), text).unwrap();
        }
        let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(from.join("src/lib.rs")).unwrap().set_modified(then).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("src/lib.rs")).unwrap(), "//! Code.");
        assert_eq!(fs::metadata(to.join("src/lib.rs")).unwrap().modified().unwrap(), then);
        assert!(!to.join("target").exists());
    }
}
