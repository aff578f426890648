//! The manifests: published crates have the license, and all files name one version.

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

/// Returns the published packages without a license, and the places that name another version than the workspace.
pub(super) fn check(sources: &[Source], workspace: &Workspace) -> Vec<Problem> {
    let mut problems: Vec<_> =
        workspace.members().iter().filter_map(|package| unlicensed(package, &workspace.root)).collect();
    problems.extend(differing(sources, &RUST_VERSION));
    problems.extend(differing(sources, &VERSION));
    problems
}

/// A published package has a link to the license. Clippy checks the rest of its manifest (`cargo_common_metadata`).
fn unlicensed(package: &Package, root: &Path) -> Option<Problem> {
    let folder = package.manifest_path.parent().unwrap_or(root);
    let is_missing = package.is_published() && !folder.join("LICENSE").exists();
    let path = package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path).display().to_string();
    is_missing.then(|| Problem {
        path,
        line: None,
        rule: "lacks a file `LICENSE`: link it to that of the repository".into(),
    })
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
    fn published_packages_have_the_license() {
        let folder = tempfile::tempdir().unwrap();
        let is_complete = |publish: serde_json::Value| {
            let manifest = folder.path().join("Cargo.toml");
            let package = json!({"name": "a", "dependencies": [], "manifest_path": manifest, "publish": publish});
            unlicensed(&serde_json::from_value(package).unwrap(), folder.path()).is_none()
        };
        assert_eq!((is_complete(json!(null)), is_complete(json!([]))), (false, true));
        std::fs::write(folder.path().join("LICENSE"), "MIT").unwrap();
        assert!(is_complete(json!(null)));
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
