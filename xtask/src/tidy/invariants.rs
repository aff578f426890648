//! The invariants of `docs/ARCHITECTURE.md` that can be checked in the text of the code.

use super::{Problem, Source};
use crate::workspace::Workspace;

const CONNECTOR: &str = "idp-bridge-connector-";
const SERVER: &str = "crates/idp-bridge-server/src/";

/// Statuses of success, and functions of `StatusCode`. All other statuses are chosen in one file.
const NOT_ERRORS: [&str; 6] = ["OK", "CREATED", "ACCEPTED", "NO_CONTENT", "SEE_OTHER", "from_u16"];

/// Connectors named like a common word. Of these only the crate's name is searched for.
const COMMON_WORDS: [&str; 5] = ["http", "ldap", "memory", "oidc", "sql"];

/// Returns the places that break an invariant.
pub(super) fn check(sources: &[Source], workspace: &Workspace) -> Vec<Problem> {
    let names = workspace.members().iter().filter_map(|package| package.name.strip_prefix(CONNECTOR));
    let connectors: Vec<&str> = names.filter(|name| !name.ends_with("-testing")).collect();
    let rust = sources.iter().filter(|source| source.is_rust());
    rust.flat_map(|source| {
        let mut problems = error_statuses(source);
        problems.extend(other_connectors(source, &connectors));
        problems.extend(test_clocks(source));
        problems
    })
    .collect()
}

/// Only `error.rs` of the server chooses the status of an error.
fn error_statuses(source: &Source) -> Vec<Problem> {
    if !source.path.starts_with(SERVER) || source.path.starts_with(&format!("{SERVER}error")) {
        return Vec::new();
    }
    let chooses = |line: &str| {
        line.split("StatusCode::").skip(1).any(|rest| {
            let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            name.is_some_and(|name| !name.is_empty() && !NOT_ERRORS.contains(&name))
        })
    };
    find(source, chooses, &format!("chooses the status of an error: only `{SERVER}error.rs` does"))
}

/// Only tests stop the clock of the runtime. The feature that it needs is enabled in all builds of CI.
fn test_clocks(source: &Source) -> Vec<Problem> {
    let controls =
        |line: &str| ["time::pause(", "time::advance(", "time::resume("].iter().any(|call| line.contains(call));
    if source.path.starts_with("crates/") {
        find(source, controls, "stops the clock of the runtime: only tests may")
    } else {
        Vec::new()
    }
}

/// A connector names no other connector, and the server names no connector.
fn other_connectors(source: &Source, connectors: &[&str]) -> Vec<Problem> {
    let own = source.path.strip_prefix("crates/").and_then(|path| path.strip_prefix(CONNECTOR));
    let own = own.and_then(|path| path.split('/').next());
    if own.is_none() && !source.path.starts_with(SERVER) {
        return Vec::new();
    }
    let others = connectors.iter().filter(|connector| Some(**connector) != own);
    others
        .flat_map(|other| {
            let crate_name = format!("idp_bridge_connector_{other}");
            let names = |line: &str| {
                line.contains(&crate_name) || !COMMON_WORDS.contains(other) && line.to_lowercase().contains(other)
            };
            find(source, names, &format!("names the connector `{other}`: only its own crate and the program may"))
        })
        .collect()
}

fn find(source: &Source, breaks_rule: impl Fn(&str) -> bool, rule: &str) -> Vec<Problem> {
    let lines = source.shipped_code().filter(|(_, line)| breaks_rule(line));
    lines.map(|(number, _)| Problem::at(source, number, rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_file_chooses_error_statuses() {
        let chosen = "return (StatusCode::OK, StatusCode::BAD_GATEWAY);";
        assert_eq!(error_statuses(&Source::new("crates/idp-bridge-server/src/webhook.rs", chosen)).len(), 1);
        assert_eq!(error_statuses(&Source::new("crates/idp-bridge-server/src/error.rs", chosen)), []);
        assert_eq!(error_statuses(&Source::new("crates/idp-bridge-client/src/lib.rs", chosen)), []);
        let success = "return StatusCode::OK;";
        assert_eq!(error_statuses(&Source::new("crates/idp-bridge-server/src/webhook.rs", success)), []);
    }

    #[test]
    fn only_tests_stop_the_clock() {
        let text = "async fn wait() { tokio::time::pause(); }";
        assert_eq!(test_clocks(&Source::new("crates/idp-bridge-http/src/client.rs", text)).len(), 1);
        assert_eq!(test_clocks(&Source::new("crates/idp-bridge-http/src/client/tests.rs", text)), []);
    }

    #[test]
    fn connectors_are_named_by_the_program_only() {
        let connectors = ["keycloak", "memory"];
        let count = |path: &str, text: &str| other_connectors(&Source::new(path, text), &connectors).len();
        let keycloak = "crates/idp-bridge-connector-keycloak/src/lib.rs";
        let memory = "crates/idp-bridge-connector-memory/src/lib.rs";
        assert_eq!(count(memory, "let like_keycloak = true;"), 1);
        assert_eq!(count(keycloak, "let keycloak = in_memory;"), 0);
        assert_eq!(count(keycloak, "use idp_bridge_connector_memory::User;"), 1);
        assert_eq!(count("crates/idp-bridge-server/src/lib.rs", "if connector == \"keycloak\" {"), 1);
        assert_eq!(count("crates/idp-bridge/src/connectors.rs", "use idp_bridge_connector_keycloak::Keycloak;"), 0);
    }
}
