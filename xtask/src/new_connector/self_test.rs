//! Whether a new connector is what it should be, tried in a copy of the workspace that shares its target folder.

mod built;
mod expected;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::built::Built;
use self::expected::Report;
use super::name::Name;
use crate::interrupt::Interrupt;
use crate::workspace::Workspace;
use crate::{environment, files, process, status, tidy};

/// A name of two words, so that every form of it is another one.
const NAME: &str = "scaffold-probe";

/// The package that a new connector is registered in.
const PROGRAM: &str = "idp-bridge";
/// The test target of the suite.
const SUITE: &str = "conformance";

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
        let built = self.build()?;
        for package in [&self.name.package(), PROGRAM] {
            let tests = built.tests(package, &package.replace('-', "_"))?;
            process::run(Command::new(tests).arg("--quiet").current_dir(self.folder(package)), interrupt)?;
        }
        let report = self.run_suite(built.tests(&self.name.package(), SUITE)?)?;
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

    fn folder(&self, package: &str) -> PathBuf {
        self.root.join("crates").join(package)
    }

    /// Builds the tests. Of the whole workspace, since packages from outside get other features if only a part of it is built, and
    /// would be built again; all but the new connector and the program is as it was, and is not.
    fn build(&self) -> Result<Built> {
        let mut cargo = self.cargo("test");
        cargo.args(["--workspace", "--lib", "--test", SUITE, "--no-run", "--quiet", "--message-format", "json"]);
        let built = Built::read(&process::output(&mut cargo)?)?;
        match built.warning(&self.name.package()) {
            Some(warning) => bail!("a new connector does not compile without a warning\n{warning}"),
            None => Ok(built),
        }
    }

    /// Runs the suite, which must fail, and answers its report. It is no proof of anything, so it is not left behind.
    fn run_suite(&self, suite: &Path) -> Result<Report> {
        let path = self.target.join(format!("tmp/conformance/{NAME}-fake.json"));
        files::remove(&path)?;
        let mut command = Command::new(suite);
        let output = command.current_dir(self.folder(&self.name.package())).output().context("cannot run the suite")?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
