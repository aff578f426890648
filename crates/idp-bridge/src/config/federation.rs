//! Checks of a tenant's federation that its types cannot express: required settings and duplicates.

use std::collections::BTreeSet;

use super::model::Federation;
use super::path::KeyPath;
use super::problem::Problem;
use super::tenant::Reader;

impl Reader<'_> {
    /// Checks the federation of the tenant at this path.
    pub(super) fn check_federation(&self, federation: &Federation, tenant: &KeyPath, problems: &mut Vec<Problem>) {
        let path = tenant.key("federation");
        if !self.server.keeps_revocations() {
            let message = "federation needs `server.state_dir`, so that ended logins stay ended after a restart";
            let hint = "set a folder that survives restarts, such as `state_dir = \"/var/lib/idp-bridge\"`, in `[server]`; \
                        several replicas need `[server.store]` with `type = \"redis\"` instead";
            problems.push(self.document.problem(&path, message).with_hint(hint));
        }
        if federation.metadata && self.server.public_url.is_none() {
            let message = "`metadata` needs the bridge's own URL: `server.public_url` is missing";
            let hint = "set it in `[server]`, such as `public_url = \"https://idp-bridge.example\"`";
            problems.push(self.document.problem(&path.key("metadata"), message).with_hint(hint));
        }
        let clients = path.key("clients");
        if federation.clients.is_empty() {
            let problem = self.document.problem(&clients, "expected at least one client");
            problems.push(
                problem.with_hint("add the applications whose tokens are accepted: `clients = [{ id = \"…\" }]`"),
            );
        }
        let mut ids = BTreeSet::new();
        for (index, client) in federation.clients.iter().enumerate() {
            let place = clients.index(index).key("id");
            if !is_visible_name(&client.id) {
                problems.push(self.document.problem(&place, "expected 1 to 256 visible characters"));
            } else if !ids.insert(&client.id) {
                problems
                    .push(self.document.problem(&place, "this client is listed twice").with_hint("keep one of them"));
            }
        }
        if federation.customer_claim.as_ref().is_some_and(|claim| !is_visible_name(claim)) {
            let place = path.key("customer_claim");
            problems.push(self.document.problem(&place, "expected 1 to 256 visible characters"));
        }
    }
}

/// Returns whether a name has 1 to 256 bytes without whitespace and control characters.
fn is_visible_name(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && !name.chars().any(|character| character.is_control() || character.is_whitespace())
}
