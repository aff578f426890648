//! What cargo knows about this workspace: its packages, their targets, and what they are built with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{environment, process};

/// The answer of `cargo metadata`, as far as these tasks need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
    packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// What its manifest asks for.
    pub(crate) dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

/// A line of a manifest's dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package asked for.
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for a normal one.
    pub(crate) kind: Option<String>,
    /// Whether a feature brings it.
    pub(crate) optional: bool,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    #[serde(default, rename = "required-features")]
    required_features: Vec<String>,
}

/// A package that something is built with, on any platform.
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
    /// Asks cargo about the workspace that these tasks belong to.
    pub(crate) fn read() -> Result<Self> {
        Self::read_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
    }

    /// Asks cargo about the workspace in this folder.
    pub(crate) fn read_at(root: &Path) -> Result<Self> {
        let output = Command::new(environment::cargo())
            .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cannot read the answer of `cargo metadata`")
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> &[Package] {
        &self.packages
    }

    /// All packages that something is built with, however far away, by the arguments of `cargo tree` that choose it.
    ///
    /// The tree knows which features are on; the lock file and `cargo metadata` also list what no feature brings.
    pub(crate) fn built_with(&self, chosen: &[&str]) -> Result<BTreeSet<Built>> {
        let mut cargo = Command::new(environment::cargo());
        cargo.current_dir(&self.root).args(["tree", "--target=all", "--prefix=none", "--format={p}"]).args(chosen);
        Ok(process::output(&mut cargo)?.lines().filter_map(Built::read).collect())
    }

    /// The test targets that need this feature, by package.
    pub(crate) fn tests_that_need(&self, feature: &str) -> BTreeMap<&str, Vec<&str>> {
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in self.members() {
            for target in &package.targets {
                let is_test = target.kind.iter().any(|kind| kind == "test");
                if is_test && target.required_features.iter().any(|required| required == feature) {
                    found.entry(&package.name).or_default().push(&target.name);
                }
            }
        }
        found
    }
}

impl Built {
    /// Reads a line such as `serde v1.0.0 (proc-macro) (*)`.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // Only a package from git has a URL: one from the registry has nothing, one of the workspace its path.
        let from_git = words.any(|word| word.contains("://"));
        Some(Self { name: name.to_owned(), version: version.to_owned(), from_git })
    }

    /// A package from the registry, for tests.
    #[cfg(test)]
    pub(crate) fn sample(name: &str, version: &str) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), from_git: false }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_of_a_tree_are_read() {
        assert_eq!(Built::read("serde_derive v1.0.2 (proc-macro) (*)"), Some(Built::sample("serde_derive", "1.0.2")));
        assert_eq!(Built::read("xtask v0.1.0 (/home/me/idp-bridge/xtask)"), Some(Built::sample("xtask", "0.1.0")));
        assert!(Built::read("serde v1.0.2 (https://example.com/serde?rev=1#1)").unwrap().from_git);
        assert_eq!(Built::read(""), None);
    }

    #[test]
    fn these_tasks_are_built_with_their_own_dependencies() {
        let built = Workspace::read().unwrap().built_with(&["--package=xtask"]).unwrap();
        assert!(built.iter().any(|package| package.name == "clap"), "{built:?}");
    }

    #[test]
    fn only_test_targets_with_the_feature_are_found() {
        let lab = json!({"name": "lab", "kind": ["test"], "required-features": ["lab"]});
        let plain = json!({"name": "blackbox", "kind": ["test"]});
        let example = json!({"name": "demo", "kind": ["example"], "required-features": ["lab"]});
        let bridge = json!({"name": "bridge", "dependencies": [], "targets": [lab, plain, example]});
        let answer = json!({"workspace_root": "/w", "target_directory": "/w/target", "packages": [bridge]});
        let workspace: Workspace = serde_json::from_value(answer).unwrap();
        assert_eq!(workspace.tests_that_need("lab"), BTreeMap::from([("bridge", vec!["lab"])]));
    }
}
