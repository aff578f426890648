//! The invariants of `docs/ARCHITECTURE.md` that can be seen in the text of the code.

use super::{Problem, Source};
use crate::workspace::Workspace;

const CONNECTOR: &str = "idp-bridge-connector-";
const SERVER: &str = "crates/idp-bridge-server/src/";

/// Statuses that say that a call went well, or that name no error; every other one is chosen in one place.
const NOT_ERRORS: [&str; 6] = ["OK", "CREATED", "ACCEPTED", "NO_CONTENT", "SEE_OTHER", "from_u16"];

/// Connectors that have the name of an everyday word, or of what every connector speaks, so that only their crates are looked for.
const WORDS: [&str; 2] = ["memory", "oidc"];

/// The places that break an invariant.
pub(super) fn check(sources: &[Source], workspace: &Workspace) -> Vec<Problem> {
    let products: Vec<&str> =
        workspace.members().iter().filter_map(|package| package.name.strip_prefix(CONNECTOR)).collect();
    let rust = sources.iter().filter(|source| source.is_rust());
    rust.flat_map(|source| {
        let mut problems = environment(source);
        problems.extend(statuses(source));
        problems.extend(products_of_others(source, &products));
        problems
    })
    .collect()
}

/// Only the configuration reads the environment. The arguments of the program are not the environment.
fn environment(source: &Source) -> Vec<Problem> {
    let reader = "crates/idp-bridge/src/config";
    if source.path.starts_with("xtask/") || source.path.starts_with(reader) {
        return Vec::new();
    }
    let rule = format!("reads the environment: only `{reader}` does; pass the value in");
    let reads = |line: &str| {
        let rest = line.split("std::env").nth(1);
        rest.is_some_and(|rest| !rest.starts_with("::args"))
    };
    found(source, reads, &rule)
}

/// Only `error.rs` chooses the status of a downstream error.
fn statuses(source: &Source) -> Vec<Problem> {
    if !source.path.starts_with(SERVER) || source.path.starts_with(&format!("{SERVER}error")) {
        return Vec::new();
    }
    let chooses = |line: &str| {
        line.split("StatusCode::").skip(1).any(|rest| {
            let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            name.is_some_and(|name| !name.is_empty() && !NOT_ERRORS.contains(&name))
        })
    };
    found(source, chooses, &format!("chooses the status of an error: only `{SERVER}error.rs` does"))
}

/// No connector names another, and the server names none.
fn products_of_others(source: &Source, products: &[&str]) -> Vec<Problem> {
    let own = source.path.strip_prefix("crates/").and_then(|path| path.strip_prefix(CONNECTOR));
    let own = own.and_then(|path| path.split('/').next());
    if own.is_none() && !source.path.starts_with(SERVER) {
        return Vec::new();
    }
    let others = products.iter().filter(|product| Some(**product) != own);
    others
        .flat_map(|product| {
            let crate_name = format!("idp_bridge_connector_{product}");
            let names = |line: &str| {
                line.contains(&crate_name) || !WORDS.contains(product) && line.to_lowercase().contains(product)
            };
            found(source, names, &format!("names the connector `{product}`: connectors and the server know no other"))
        })
        .collect()
}

fn found(source: &Source, breaks: impl Fn(&str) -> bool, rule: &str) -> Vec<Problem> {
    let lines = source.shipped_code().filter(|(_, line)| breaks(line));
    lines.map(|(number, _)| Problem::at(source, number, rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_configuration_and_these_tasks_read_the_environment() {
        let read = "let home = std::env::var(\"HOME\");";
        assert_eq!(environment(&Source::new("crates/idp-bridge-http/src/tls.rs", read)).len(), 1);
        assert_eq!(environment(&Source::new("crates/idp-bridge-http/src/tls.rs", "use std::env;")).len(), 1);
        assert_eq!(environment(&Source::new("crates/idp-bridge/src/main.rs", "std::env::args_os()")), []);
        assert_eq!(environment(&Source::new("crates/idp-bridge/src/config.rs", read)), []);
        assert_eq!(environment(&Source::new("crates/idp-bridge/src/config/secrets.rs", read)), []);
        assert_eq!(environment(&Source::new("xtask/src/environment.rs", read)), []);
    }

    #[test]
    fn only_one_file_of_the_server_chooses_error_statuses() {
        let chosen = "return (StatusCode::OK, StatusCode::BAD_GATEWAY);";
        assert_eq!(statuses(&Source::new("crates/idp-bridge-server/src/webhook.rs", chosen)).len(), 1);
        assert_eq!(statuses(&Source::new("crates/idp-bridge-server/src/error.rs", chosen)), []);
        assert_eq!(statuses(&Source::new("crates/idp-bridge-client/src/lib.rs", chosen)), []);
        let fine = "return StatusCode::OK;";
        assert_eq!(statuses(&Source::new("crates/idp-bridge-server/src/webhook.rs", fine)), []);
    }

    #[test]
    fn no_connector_names_another_and_the_server_names_none() {
        let products = ["keycloak", "memory"];
        let count = |path: &str, text: &str| products_of_others(&Source::new(path, text), &products).len();
        let keycloak = "crates/idp-bridge-connector-keycloak/src/lib.rs";
        let memory = "crates/idp-bridge-connector-memory/src/lib.rs";
        assert_eq!(count(memory, "let like_keycloak = true;"), 1);
        assert_eq!(count(keycloak, "let keycloak = in_memory;"), 0);
        assert_eq!(count(keycloak, "use idp_bridge_connector_memory::User;"), 1);
        assert_eq!(count("crates/idp-bridge-server/src/lib.rs", "if connector == \"keycloak\" {"), 1);
        assert_eq!(count("crates/idp-bridge/src/connectors.rs", "use idp_bridge_connector_keycloak::Keycloak;"), 0);
    }
}
