//! The allowed dependencies between crates, as `docs/ARCHITECTURE.md` draws them.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Problem;
use crate::workspace::{Built, Dependency, Package, Workspace};

const CONNECTOR: &str = "idp-bridge-connector-";
const MAILER: &str = "idp-bridge-mailer";
/// Connectors for products that send no mails.
const WITH_MAILER: [&str; 2] = ["idp-bridge-connector-ldap", "idp-bridge-connector-sql"];
const CONFORMANCE: &str = "idp-bridge-conformance";
/// Ends the name of the package with the fake and the harness of a connector, in the connector's folder.
const TESTING: &str = "-testing";

/// Prefixes of packages that the core must not depend on: it does no IO, and names no HTTP, TLS or SDK type.
const NOT_IN_CORE: [&str; 9] =
    ["axum", "aws-", "http", "hyper", "keycloak", "native-tls", "reqwest", "rustls", "tokio"];

/// Returns the dependencies that are not allowed.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let core = workspace.dependencies(&["--package=idp-bridge-core", "--edges=normal"])?;
    let mut problems: Vec<_> = workspace.members().iter().flat_map(check_package).collect();
    problems.extend(check_core(&core));
    Ok(problems)
}

fn check_core(dependencies: &BTreeSet<Built>) -> Vec<Problem> {
    let is_banned = |package: &&Built| NOT_IN_CORE.iter().any(|prefix| package.name.starts_with(prefix));
    let rule = |package: &Built| format!("depends on `{}`: the core does no IO", package.name);
    dependencies.iter().filter(is_banned).map(|package| problem("idp-bridge-core", rule(package))).collect()
}

fn check_package(package: &Package) -> Vec<Problem> {
    let is_unwanted = |dependency: &&Dependency| {
        dependency.name.starts_with("idp-bridge")
            && dependency.kind.as_deref() != Some("dev")
            && !is_allowed(package, dependency)
    };
    let hint = "a new dependency between crates is a pull request of its own, with a reason";
    let rule = |dependency: &Dependency| format!("depends on `{}`: {hint}", dependency.name);
    package.dependencies.iter().filter(is_unwanted).map(|found| problem(&package.name, rule(found))).collect()
}

/// Returns whether the package may depend on the other one outside its tests.
fn is_allowed(package: &Package, dependency: &Dependency) -> bool {
    let target = dependency.name.strip_prefix("idp-bridge-").unwrap_or_default();
    match package.name.as_str() {
        "idp-bridge-protocol" | "idp-bridge-http" | CONFORMANCE => target == "core",
        "idp-bridge-client" => ["core", "protocol"].contains(&target),
        // It signs the calls that it measures.
        "idp-bridge-bench" => matches!(target, "client" | "protocol"),
        // It signs webhooks to a tenant's mailer as the platform signs its own.
        MAILER => ["core", "http", "protocol"].contains(&target),
        "idp-bridge-server" => ["core", "protocol", "http"].contains(&target),
        "idp-bridge" => {
            let is_optional_connector =
                dependency.name.starts_with(CONNECTOR) && !dependency.name.ends_with(TESTING) && dependency.optional;
            is_optional_connector || ["core", "http", "protocol", "server", "client"].contains(&target)
        }
        name if name.starts_with("idp-bridge-test-") => target == "test-process",
        name if name.starts_with(CONNECTOR) => match name.strip_suffix(TESTING) {
            Some(connector) => ["core", "http", "conformance"].contains(&target) || dependency.name == connector,
            None => ["core", "http"].contains(&target) || (target == "mailer" && WITH_MAILER.contains(&name)),
        },
        _ => false,
    }
}

fn problem(package: &str, rule: String) -> Problem {
    let folder = match package.strip_suffix(TESTING) {
        Some(connector) => format!("{connector}/testing"),
        None => package.to_owned(),
    };
    Problem { path: format!("crates/{folder}/Cargo.toml"), line: None, rule }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEYCLOAK: &str = "idp-bridge-connector-keycloak";

    fn allows(from: &str, to: &str, kind: Option<&str>, optional: bool) -> bool {
        let dependencies = json!([{"name": to, "kind": kind, "optional": optional}]);
        let package = json!({"name": from, "dependencies": dependencies, "manifest_path": ""});
        check_package(&serde_json::from_value(package).unwrap()).is_empty()
    }

    #[test]
    fn only_documented_dependencies_are_allowed() {
        const SERVER: &str = "idp-bridge-server";
        const TESTING: &str = "idp-bridge-connector-keycloak-testing";
        const MEMORY: &str = "idp-bridge-connector-memory";
        for (from, to, kind, optional, allowed) in [
            (SERVER, "idp-bridge-protocol", None, false, true),
            (SERVER, KEYCLOAK, None, true, false),
            (KEYCLOAK, "idp-bridge-http", None, false, true),
            (KEYCLOAK, "idp-bridge-protocol", None, false, false),
            (KEYCLOAK, MAILER, None, false, false),
            (WITH_MAILER[0], MAILER, None, false, true),
            (WITH_MAILER[1], "idp-bridge-protocol", None, false, false),
            (KEYCLOAK, MEMORY, None, false, false),
            (KEYCLOAK, TESTING, None, false, false),
            ("idp-bridge-core", "serde", None, false, true),
            ("idp-bridge-core", "idp-bridge-http", None, false, false),
            // Connectors are optional.
            ("idp-bridge", KEYCLOAK, None, true, true),
            ("idp-bridge", KEYCLOAK, None, false, false),
            ("idp-bridge", TESTING, None, false, false),
            ("idp-bridge", TESTING, Some("dev"), false, true),
            // The suite is for tests.
            (KEYCLOAK, CONFORMANCE, None, false, false),
            (KEYCLOAK, CONFORMANCE, None, true, false),
            (KEYCLOAK, CONFORMANCE, Some("dev"), false, true),
            (TESTING, KEYCLOAK, None, false, true),
            (TESTING, CONFORMANCE, None, false, true),
            (TESTING, MEMORY, None, false, false),
            (TESTING, "idp-bridge-protocol", None, false, false),
            ("idp-bridge-test-redis", "idp-bridge-test-process", None, false, true),
            ("idp-bridge-test-redis", "idp-bridge-core", None, false, false),
        ] {
            assert_eq!(allows(from, to, kind, optional), allowed, "{from} on {to}, {kind:?}, {optional}");
        }
    }

    #[test]
    fn the_core_may_not_use_io_libraries() {
        let packages = ["serde", "hyper-util", "zeroize"].map(|name| Built::sample(name, "1.0.0"));
        let problems = check_core(&BTreeSet::from(packages));
        assert_eq!(problems.len(), 1);
        assert!(problems[0].rule.contains("hyper-util"), "{problems:?}");
    }
}
