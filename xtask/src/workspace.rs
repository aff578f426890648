//! The workspace as `cargo metadata` and `cargo tree` describe it, and the cargo commands that build it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{environment, process};

/// The packages and features that every check and test is built with. Each other selection builds dependencies again.
pub(crate) const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];

/// The part of the output of `cargo metadata` that these tasks need.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// The folder that cargo builds in.
    pub(crate) target_directory: PathBuf,
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// The dependencies in its manifest.
    pub(crate) dependencies: Vec<Dependency>,
    /// The path of its manifest.
    pub(crate) manifest_path: PathBuf,
    /// The registries that it may be published to. `None` for all.
    publish: Option<Vec<String>>,
}

impl Package {
    /// Returns whether the package is published.
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }
}

/// A dependency in a manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The name of the package.
    pub(crate) name: String,
    /// `dev`, `build`, or `None` for a normal dependency.
    pub(crate) kind: Option<String>,
    /// Whether only a feature enables it.
    pub(crate) optional: bool,
}

/// A package in a dependency tree, on any platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Built {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Whether it comes from a git repository.
    pub(crate) from_git: bool,
}

impl Workspace {
    /// Reads the workspace that these tasks belong to.
    pub(crate) fn read() -> Result<Self> {
        Self::read_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
    }

    /// Reads the workspace in a folder.
    pub(crate) fn read_at(root: &Path) -> Result<Self> {
        let mut cargo = Command::new(environment::cargo());
        cargo.args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"]).arg(root.join("Cargo.toml"));
        serde_json::from_str(&process::output(&mut cargo)?).context("cannot read the output of `cargo metadata`")
    }

    /// Returns a cargo command in the root of the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(environment::cargo());
        cargo.current_dir(&self.root).args(arguments);
        cargo
    }

    /// Builds a program with the features of the tests, so that nothing is built twice, and returns its path.
    ///
    /// `test` is an integration test of the program's package: cargo builds the programs of a package for such a test.
    pub(crate) fn build_program(&self, name: &str, test: &str) -> Result<PathBuf> {
        let mut cargo = self.cargo(&["test", "--no-run", "--quiet", "--test", test]);
        process::run(cargo.args(EVERYTHING)).with_context(|| format!("cannot build `{name}`"))?;
        Ok(self.target_directory.join("debug").join(name))
    }

    /// Returns the paths of all files in a repository that git tracks or would track, and of removed ones.
    pub(crate) fn tracked_files(root: &Path) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = process::output(&mut git).context("cannot list the files of this repository")?;
        Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// Returns the version of all packages, from the text of the root `Cargo.toml`.
    pub(crate) fn version(manifest: &str) -> Result<String> {
        let manifest: toml::Table = toml::from_str(manifest)?;
        let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
        let version = package.and_then(|package| package.get("version")).and_then(toml::Value::as_str);
        version.map(str::to_owned).context("the workspace has no `package.version`")
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> &[Package] {
        &self.packages
    }

    /// Returns all direct and indirect dependencies, for the given selection of `cargo tree`.
    ///
    /// `Cargo.lock` and `cargo metadata` would also list packages that no enabled feature needs.
    pub(crate) fn dependencies(&self, selection: &[&str]) -> Result<BTreeSet<Built>> {
        let mut cargo = self.cargo(&["tree", "--target=all", "--prefix=none", "--format={p}"]);
        Ok(process::output(cargo.args(selection))?.lines().filter_map(Built::parse).collect())
    }
}

impl Built {
    /// Parses a line such as `serde v1.0.0 (proc-macro) (*)`.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // Only a package from git has a URL: a package of the workspace has its path.
        let from_git = words.any(|word| word.contains("://"));
        Some(Self { name: name.to_owned(), version: version.to_owned(), from_git })
    }

    /// Returns the major version.
    pub(crate) fn major(&self) -> u64 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }

    /// Returns a package from the registry, for tests.
    #[cfg(test)]
    pub(crate) fn sample(name: &str, version: &str) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), from_git: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_are_parsed() {
        assert_eq!(Built::parse("serde_derive v1.0.2 (proc-macro) (*)"), Some(Built::sample("serde_derive", "1.0.2")));
        let from_git = Built::parse("foo v0.1.0 (https://git.example/foo?branch=main#0123abcd)").unwrap();
        assert!(from_git.from_git);
        let member = Built::parse("idp-bridge v0.1.0 (/work/idp-bridge)").unwrap();
        assert!(!member.from_git);
        assert_eq!(Built::parse(""), None);
    }
}
