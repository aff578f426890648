//! Whether a new connector is what it should be, tried in a copy of the workspace that shares its target folder.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::name::Name;
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, files, process, status, tidy};

/// A name of two words, so that every form of it is another one.
const NAME: &str = "scaffold-probe";

/// The calls that are left to write; all but the first, which is the example.
const LEFT: [&str; 6] = [
    "users.get_by_email",
    "users.get_by_customer",
    "users.delete",
    "users.mark_email_verified",
    "users.send_verification_email",
    "users.send_password_reset_email",
];

/// The packages that are built with the new one: its registration is the program's, and with these three everything from
/// outside is built as for the whole workspace, which is why nothing of it is built again.
const BUILT_TOGETHER: [&str; 2] = ["idp-bridge", "idp-bridge-http"];

/// Makes a connector in a copy of the workspace and checks all of it.
pub(super) fn check(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    let probe = Probe::make(workspace, interrupt)?;
    probe.lint(interrupt)?;
    probe.test(interrupt)
}

/// Checks that a new connector keeps the rules of this repository from its first line.
pub(crate) fn lint(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    Probe::make(workspace, interrupt)?.lint(interrupt)
}

/// Checks that a new connector works as far as it is written, and is red in what is left.
pub(crate) fn test(workspace: &Workspace, interrupt: &Interrupt) -> Result<()> {
    Probe::make(workspace, interrupt)?.test(interrupt)
}

/// A copy of the workspace with a new connector in it.
struct Probe {
    root: PathBuf,
    target: PathBuf,
    name: Name,
}

impl Probe {
    /// Makes it always in the same place, so that a second build has little to do.
    fn make(workspace: &Workspace, interrupt: &Interrupt) -> Result<Self> {
        let root = workspace.target_directory.join("new-connector");
        files::remove(&root)?;
        copy(&workspace.root, &root)?;
        // What belongs to a copy that is ignored as a whole can be listed only if the copy is a repository of its own.
        process::output(Command::new("git").current_dir(&root).args(["init", "--quiet"]))?;
        let probe = Self { root, target: workspace.target_directory.clone(), name: Name::parse(NAME)? };
        super::make(&probe.root, &probe.name, interrupt)?;
        Ok(probe)
    }

    fn lint(&self, interrupt: &Interrupt) -> Result<()> {
        let clippy = ["--quiet", "--all-targets", "--", "--deny", "warnings"];
        process::run(self.cargo("clippy").args(["--package", &self.name.package()]).args(clippy), interrupt)?;
        tidy::run(&Workspace::read_at(&self.root)?)
    }

    fn test(&self, interrupt: &Interrupt) -> Result<()> {
        let started = Instant::now();
        process::run(self.together("test").args(["--quiet", "--lib"]), interrupt)?;
        let report = self.run_suite()?;
        report.check()?;
        let (passed, red, waiting) = (report.passed.len(), report.failed.len(), report.not_applicable.len());
        let counts = format!("{passed} cases passed, {red} are red as they should, {waiting} wait for them");
        status::step("Scaffolded", format!("a connector: {counts}, in {}", status::elapsed(started.elapsed())));
        Ok(())
    }

    fn cargo(&self, task: &str) -> Command {
        let mut command = Command::new(environment::cargo());
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).arg(task);
        command
    }

    fn together(&self, task: &str) -> Command {
        let mut command = self.cargo(task);
        command.args(["--package", &self.name.package()]);
        command.args(BUILT_TOGETHER.iter().flat_map(|package| ["--package", package]));
        command
    }

    /// Runs the suite, which must fail, and answers its report. It is no proof of anything, so it is not left behind.
    fn run_suite(&self) -> Result<Report> {
        let path = self.target.join(format!("tmp/conformance/{NAME}-fake.json"));
        files::remove(&path)?;
        let output = self.together("test").args(["--test", "conformance"]).output().context("cannot run cargo")?;
        let text = fs::read_to_string(&path).with_context(|| {
            format!("the suite left no report, but said\n{}", String::from_utf8_lossy(&output.stderr))
        })?;
        files::remove(&path)?;
        if output.status.success() {
            bail!("the suite of a new connector passed, as if nothing were left to write");
        }
        serde_json::from_str(&text).context("cannot read the report of the suite")
    }
}

/// Copies what belongs to a repository, with the times of the files, by which cargo knows what it has built already.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(from).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = process::output(&mut git).context("cannot list the files of this repository")?;
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let (source, copy) = (from.join(path), to.join(path));
        // Git may list a file that was removed a moment ago.
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

/// The report of the suite, as far as it is checked.
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
    /// Red is what is left and nothing else; whatever does not apply waits for that; the example is green.
    fn check(&self) -> Result<()> {
        let red = LEFT.map(|call| format!("capabilities::an_unsupported_call_is_not_just_unwritten/{call}"));
        let mut expected = BTreeSet::from(red);
        expected.insert("capabilities::nothing_is_left_to_stage".to_owned());
        let failed: BTreeSet<String> = self.failed.iter().map(|case| case.case.clone()).collect();
        if failed != expected {
            bail!("the suite of a new connector should be red in {expected:#?}, and is red in {:#?}", self.failed);
        }
        let silent =
            self.failed.iter().chain(&self.not_applicable).find(|case| !case.reason.contains("not written yet"));
        if let Some(case) = silent {
            bail!("a case is not green, and does not say that something is left to write: {case:?}");
        }
        let is_example = |case: &&Case| case.case.ends_with("/users.get_by_id");
        let green = self.passed.iter().filter(is_example).count();
        if green < 30 {
            bail!("the example of a new connector passes only {green} cases");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, reason: &str) -> Case {
        Case { case: name.to_owned(), reason: reason.to_owned() }
    }

    fn report() -> Report {
        let left = |name: String| case(&name, "`x` is not written yet: do it");
        let mut failed: Vec<Case> = LEFT
            .iter()
            .map(|call| left(format!("capabilities::an_unsupported_call_is_not_just_unwritten/{call}")))
            .collect();
        failed.push(left("capabilities::nothing_is_left_to_stage".to_owned()));
        let passed = (0..30).map(|number| case(&format!("get::case_{number}/users.get_by_id"), "")).collect();
        Report { passed, failed, not_applicable: vec![left("delete::a".to_owned())] }
    }

    #[test]
    fn red_must_be_what_is_left_and_nothing_else() {
        report().check().unwrap();
        let mut red_example = report();
        red_example.failed.push(case("get::a/users.get_by_id", "not written yet"));
        assert!(red_example.check().is_err());
        let mut green = report();
        green.failed.pop();
        assert!(green.check().is_err());
    }

    #[test]
    fn what_does_not_apply_must_wait_for_something_that_is_left() {
        let mut hidden = report();
        hidden.not_applicable.push(case("faults::a", "nobody knows why"));
        assert!(hidden.check().unwrap_err().to_string().contains("nobody knows why"));
        let mut empty = report();
        empty.passed.clear();
        assert!(empty.check().is_err());
    }

    #[test]
    fn a_copy_has_the_times_of_its_files_and_not_what_git_ignores() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        process::output(Command::new("git").current_dir(&from).args(["init", "--quiet"])).unwrap();
        for (path, text) in [("src/lib.rs", "//! Why."), (".gitignore", "/target"), ("target", "built")] {
            fs::write(from.join(path), text).unwrap();
        }
        let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(from.join("src/lib.rs")).unwrap().set_modified(then).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("src/lib.rs")).unwrap(), "//! Why.");
        assert_eq!(fs::metadata(to.join("src/lib.rs")).unwrap().modified().unwrap(), then);
        assert!(!to.join("target").exists());
    }
}
