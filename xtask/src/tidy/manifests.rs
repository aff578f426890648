//! The manifests: published crates have what a registry shows, and all files name the same versions.

use std::path::Path;

use super::{Problem, Source};
use crate::workspace::{Package, Workspace};

/// A file that names a version, with the text before and after it.
type Place = (&'static str, &'static str, &'static str);

/// The places of the oldest supported Rust version. The first one decides.
const RUST_VERSION: [Place; 5] = [
    ("Cargo.toml", "rust-version = \"", "\""),
    ("examples/out-of-tree/Cargo.toml", "rust-version = \"", "\""),
    ("docs/versioning.md", "The oldest supported Rust version is ", ", "),
    (".github/workflows/ci.yml", "rust: [\"", "\""),
    ("packaging/Dockerfile", "ARG RUST_VERSION=", "\n"),
];

/// The places of the version of idp-bridge. The first one decides.
const VERSION: [Place; 4] = [
    ("Cargo.toml", "[workspace.package]\nversion = \"", "\""),
    ("packaging/helm/Chart.yaml", "\nversion: ", "\n"),
    ("packaging/helm/Chart.yaml", "\nappVersion: ", "\n"),
    ("packaging/kustomize/base/kustomization.yaml", "newTag: ", "\n"),
];

/// Returns the incomplete manifests, and the places that name another Rust version than the workspace.
pub(super) fn check(sources: &[Source], workspace: &Workspace) -> Vec<Problem> {
    let mut problems: Vec<_> =
        workspace.members().iter().flat_map(|package| incomplete(package, &workspace.root)).collect();
    problems.extend(differing(sources, &RUST_VERSION));
    problems.extend(differing(sources, &VERSION));
    problems
}

/// Returns what a package lacks that is published.
fn incomplete(package: &Package, root: &Path) -> Vec<Problem> {
    if !package.is_published() {
        return Vec::new();
    }
    let manifest = package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path);
    let folder = package.manifest_path.parent().unwrap_or(root);
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let lacks = [
        ("a description", !has(&package.description)),
        ("a license", !has(&package.license)),
        ("a repository", !has(&package.repository)),
        ("keywords", package.keywords.is_empty()),
        ("categories", package.categories.is_empty()),
        ("a file `README.md`", !folder.join("README.md").exists()),
        ("a file `LICENSE`: link it to that of the repository", !folder.join("LICENSE").exists()),
    ];
    let problem =
        |what: &str| Problem { path: manifest.display().to_string(), line: None, rule: format!("lacks {what}") };
    lacks.iter().filter(|(_, is_missing)| *is_missing).map(|(what, _)| problem(what)).collect()
}

/// Returns the places that name another version than the first one.
fn differing(sources: &[Source], places: &[Place]) -> Vec<Problem> {
    let named = places.iter().filter_map(|(path, before, after)| {
        let source = sources.iter().find(|source| source.path == *path)?;
        Some((source, between(&source.text, before, after)))
    });
    let named: Vec<_> = named.collect();
    let Some((first, expected)) = named.first() else { return Vec::new() };
    let expected = expected.unwrap_or("no version");
    let wrong = named.iter().filter(|(_, version)| *version != Some(expected));
    let rule =
        |version: &Option<&str>| format!("names {}, and `{}` {expected}", version.unwrap_or("no version"), first.path);
    wrong.map(|(source, version)| Problem::whole(source, rule(version))).collect()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_packages_are_complete() {
        let folder = tempfile::tempdir().unwrap();
        let package = |publish: serde_json::Value| -> Package {
            let manifest = folder.path().join("Cargo.toml");
            let fields = json!({"name": "a", "dependencies": [], "manifest_path": manifest, "publish": publish,
                "description": "What", "license": "MIT", "repository": "https://example.org", "keywords": ["a"]});
            serde_json::from_value(fields).unwrap()
        };
        let rules = |package: &Package| -> Vec<String> {
            incomplete(package, folder.path()).into_iter().map(|problem| problem.rule).collect()
        };
        std::fs::write(folder.path().join("README.md"), "# a").unwrap();
        let found = rules(&package(json!(null)));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("categories") && found[1].contains("LICENSE"), "{found:?}");
        assert!(rules(&package(json!([]))).is_empty());
    }

    #[test]
    fn differing_versions_are_problems() {
        let check = |workflow: &str| {
            let workspace = Source::new("Cargo.toml", "rust-version = \"1.95\"\n");
            differing(&[workspace, Source::new(".github/workflows/ci.yml", workflow)], &RUST_VERSION)
        };
        assert!(check("rust: [\"1.95\", stable]").is_empty());
        assert_eq!(check("rust: [\"1.90\", stable]")[0].rule, "names 1.90, and `Cargo.toml` 1.95");
        assert_eq!(check("rust: stable")[0].rule, "names no version, and `Cargo.toml` 1.95");
    }
}
