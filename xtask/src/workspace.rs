//! What cargo knows about this workspace: its packages, their targets and how they depend on each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::environment;

/// The answer of `cargo metadata`, as far as these tasks need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// A package, of the workspace or from outside.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Where it comes from; nothing for a member of the workspace.
    pub(crate) source: Option<String>,
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

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that these tasks belong to.
    pub(crate) fn read() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new(environment::cargo())
            .args(["metadata", "--format-version=1", "--all-features", "--manifest-path"])
            .arg(manifest)
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cannot read the answer of `cargo metadata`")
    }

    /// Every package, those from outside included.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The packages of the workspace itself.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The names of all packages that this one is built with, however far away; development dependencies do not count.
    pub(crate) fn built_with(&self, name: &str) -> BTreeSet<&str> {
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let nodes: BTreeMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut open: Vec<&str> =
            self.members().filter(|package| package.name == name).map(|package| package.id.as_str()).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
            for dependency in dependencies {
                let normal = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
                if normal && seen.insert(dependency.pkg.as_str()) {
                    open.push(&dependency.pkg);
                }
            }
        }
        seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
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

    /// A workspace from the given answer, for tests.
    #[cfg(test)]
    pub(crate) fn from_json(answer: serde_json::Value) -> Self {
        serde_json::from_value(answer).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, targets: serde_json::Value) -> serde_json::Value {
        json!({"id": name, "name": name, "version": "1.0.0", "dependencies": [], "targets": targets})
    }

    fn node(id: &str, deps: &[(&str, Option<&str>)]) -> serde_json::Value {
        let deps: Vec<_> = deps.iter().map(|(pkg, kind)| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]})).collect();
        json!({"id": id, "deps": deps})
    }

    #[test]
    fn development_dependencies_do_not_count_as_built_with() {
        let workspace = Workspace::from_json(json!({
            "workspace_root": "/w", "target_directory": "/w/target", "workspace_members": ["core"],
            "packages": [package("core", json!([])), package("serde", json!([])), package("itoa", json!([])),
                         package("tokio", json!([]))],
            "resolve": {"nodes": [
                node("core", &[("serde", None), ("tokio", Some("dev"))]), node("serde", &[("itoa", None)]),
                node("itoa", &[]), node("tokio", &[]),
            ]},
        }));
        assert_eq!(workspace.built_with("core"), BTreeSet::from(["serde", "itoa"]));
    }

    #[test]
    fn only_test_targets_with_the_feature_are_found() {
        let lab = json!({"name": "lab", "kind": ["test"], "required-features": ["lab"]});
        let plain = json!({"name": "blackbox", "kind": ["test"]});
        let example = json!({"name": "demo", "kind": ["example"], "required-features": ["lab"]});
        let workspace = Workspace::from_json(json!({
            "workspace_root": "/w", "target_directory": "/w/target", "workspace_members": ["bridge"],
            "packages": [package("bridge", json!([lab, plain, example])), package("outside", json!([lab]))],
            "resolve": {"nodes": []},
        }));
        assert_eq!(workspace.tests_that_need("lab"), BTreeMap::from([("bridge", vec!["lab"])]));
    }
}
