//! The self test: creates a connector in a copy of the workspace, and checks it there.

mod built;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use self::built::Built;
use super::name::Name;
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

/// The checked part of the suite's report.
#[derive(Debug, Deserialize)]
struct Report {
    passed: Vec<Case>,
    failed: Vec<Case>,
    not_applicable: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    case: String,
    #[serde(default)]
    reason: String,
}

impl Report {
    /// Checks that each call has passed cases, and that only the case about open needs failed.
    fn check(&self) -> Result<()> {
        if self.failed.iter().any(|case| case.case != OPEN_NEEDS || !case.reason.contains("not written yet")) {
            bail!("the suite of a new connector should fail only {OPEN_NEEDS}, and fails {:#?}", self.failed);
        }
        if self.failed.is_empty() {
            bail!("the suite of a new connector passed, although its needs are not verified");
        }
        let is_unsupported = |case: &&Case| case.case.contains("an_unsupported_call");
        match self.passed.iter().find(is_unsupported) {
            Some(case) => bail!("a new connector should support every call: {case:?}"),
            None => Ok(()),
        }
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
        for package in [&self.name.package(), PROGRAM] {
            let tests = built.tests(package, &package.replace('-', "_"))?;
            process::run(Command::new(tests).arg("--quiet").current_dir(self.folder(package)))?;
        }
        let report = self.run_suite(built.tests(&self.name.package(), SUITE)?)?;
        report.check()?;
        let (passed, failed, skipped) = (report.passed.len(), report.failed.len(), report.not_applicable.len());
        let counts = format!("{passed} cases passed, {failed} failed as expected, {skipped} do not apply");
        status::step("Scaffolded", format!("a connector: {counts}, in {}", status::elapsed(started.elapsed())));
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
    fn build(&self) -> Result<Built> {
        let mut cargo = self.cargo("test");
        cargo.args(["--workspace", "--lib", "--test", SUITE, "--no-run", "--quiet", "--message-format", "json"]);
        let built = Built::parse(&process::output(&mut cargo)?)?;
        match built.warning(&self.name.package()) {
            Some(warning) => bail!("a new connector does not compile without a warning\n{warning}"),
            None => Ok(built),
        }
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

/// Copies the files of a repository with their modification times, which cargo compares to reuse a build.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(from).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = process::output(&mut git).context("cannot list the files of this repository")?;
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let (source, copy) = (from.join(path), to.join(path));
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
    use super::*;

    fn case(name: &str, reason: &str) -> Case {
        Case { case: name.to_owned(), reason: reason.to_owned() }
    }

    #[test]
    fn only_open_needs_may_fail() {
        let open = || case(OPEN_NEEDS, "`Login` is not written yet");
        let report = |passed, failed| Report { passed, failed, not_applicable: Vec::new() };
        report(vec![case("get::a", "")], vec![open()]).check().unwrap();
        for (passed, failed) in [
            (vec![], vec![]),
            (vec![], vec![open(), case("get::a", "not written yet")]),
            (vec![], vec![case(OPEN_NEEDS, "was not found")]),
            (vec![case("capabilities::an_unsupported_call_sends_no_request/users.delete", "")], vec![open()]),
        ] {
            assert!(report(passed, failed).check().is_err());
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
