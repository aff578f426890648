//! Which crate may depend on which, as `docs/ARCHITECTURE.md` draws it.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Problem;
use crate::workspace::{Built, Dependency, Package, Workspace};

const CONNECTOR: &str = "idp-bridge-connector-";
const CONFORMANCE: &str = "idp-bridge-conformance";

/// What the core is never built with, by the beginning of the name: it does no IO, and names no HTTP, TLS or SDK type.
const NOT_IN_CORE: [&str; 9] =
    ["axum", "aws-", "http", "hyper", "keycloak", "native-tls", "reqwest", "rustls", "tokio"];

/// The arrows that should not be there.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let core = workspace.built_with(&["--package=idp-bridge-core", "--edges=normal"])?;
    let mut problems: Vec<_> = workspace.members().iter().flat_map(arrows).collect();
    problems.extend(not_in_core(&core));
    Ok(problems)
}

fn not_in_core(built_with: &BTreeSet<Built>) -> Vec<Problem> {
    let banned = |package: &&Built| NOT_IN_CORE.iter().any(|banned| package.name.starts_with(banned));
    let rule = |package: &Built| format!("is built with `{}`: the core does no IO", package.name);
    built_with.iter().filter(banned).map(|package| problem("idp-bridge-core", rule(package))).collect()
}

fn arrows(package: &Package) -> Vec<Problem> {
    let ours = |dependency: &&Dependency| dependency.name.starts_with("idp-bridge");
    let unwanted =
        |dependency: &&Dependency| dependency.kind.as_deref() != Some("dev") && !may_use(package, dependency);
    let dependencies = package.dependencies.iter().filter(ours).filter(unwanted);
    dependencies
        .map(|dependency| {
            let hint = "a new arrow between crates is a pull request of its own, with a reason";
            problem(&package.name, format!("depends on `{}`: {hint}", dependency.name))
        })
        .collect()
}

/// Whether this crate may be built with that one. In tests it may use any.
fn may_use(package: &Package, dependency: &Dependency) -> bool {
    let target = dependency.name.strip_prefix("idp-bridge-").unwrap_or_default();
    match package.name.as_str() {
        "idp-bridge-protocol" | "idp-bridge-http" | CONFORMANCE => target == "core",
        "idp-bridge-client" => ["core", "protocol"].contains(&target),
        "idp-bridge-server" => ["core", "protocol", "http"].contains(&target),
        "idp-bridge" => {
            let is_switchable_connector = dependency.name.starts_with(CONNECTOR) && dependency.optional;
            is_switchable_connector || ["core", "http", "protocol", "server", "client"].contains(&target)
        }
        // A connector offers its conformance harness to other crates' tests behind a feature.
        name if name.starts_with(CONNECTOR) => {
            ["core", "http"].contains(&target) || dependency.name == CONFORMANCE && dependency.optional
        }
        _ => false,
    }
}

fn problem(package: &str, rule: String) -> Problem {
    Problem { path: format!("crates/{package}/Cargo.toml"), line: None, rule }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, dependency: &str, kind: Option<&str>, optional: bool) -> Package {
        let dependencies = json!([{"name": dependency, "kind": kind, "optional": optional}]);
        let package = json!({"name": name, "dependencies": dependencies, "targets": []});
        serde_json::from_value(package).unwrap()
    }

    fn keeps(from: &str, to: &str, kind: Option<&str>, optional: bool) -> bool {
        arrows(&package(from, to, kind, optional)).is_empty()
    }

    #[test]
    fn the_drawn_arrows_are_fine() {
        assert!(keeps("idp-bridge-server", "idp-bridge-protocol", None, false));
        assert!(keeps("idp-bridge-connector-keycloak", "idp-bridge-http", None, false));
        assert!(keeps("idp-bridge", "idp-bridge-connector-keycloak", None, true));
        assert!(keeps("idp-bridge-core", "serde", None, false));
    }

    #[test]
    fn the_server_sees_no_connector_and_a_connector_no_wire() {
        assert!(!keeps("idp-bridge-server", "idp-bridge-connector-keycloak", None, true));
        assert!(!keeps("idp-bridge-connector-keycloak", "idp-bridge-protocol", None, false));
        assert!(!keeps("idp-bridge-connector-keycloak", "idp-bridge-connector-memory", None, false));
        assert!(!keeps("idp-bridge-core", "idp-bridge-http", None, false));
    }

    #[test]
    fn a_connector_can_be_switched_off_and_the_suite_is_for_tests() {
        assert!(!keeps("idp-bridge", "idp-bridge-connector-keycloak", None, false));
        assert!(!keeps("idp-bridge-connector-keycloak", CONFORMANCE, None, false));
        assert!(keeps("idp-bridge-connector-keycloak", CONFORMANCE, None, true));
        assert!(keeps("idp-bridge-connector-keycloak", CONFORMANCE, Some("dev"), false));
    }

    #[test]
    fn an_io_library_in_the_core_is_found() {
        let packages = ["serde", "hyper-util", "zeroize"].map(|name| Built::sample(name, "1.0.0"));
        let problems = not_in_core(&BTreeSet::from(packages));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].rule.contains("hyper-util"), "{problems:?}");
    }
}
