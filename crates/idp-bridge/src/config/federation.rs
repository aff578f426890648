//! What the types of a tenant's federation cannot say: what must be there, and what must not be there twice.

use std::collections::BTreeSet;

use super::model::Federation;
use super::path::KeyPath;
use super::problem::Problem;
use super::tenant::Reader;

impl Reader<'_> {
    /// Finds what is wrong with the federation of the tenant at this path.
    pub(super) fn check_federation(&self, federation: &Federation, tenant: &KeyPath, problems: &mut Vec<Problem>) {
        let path = tenant.key("federation");
        if self.server.state_dir.is_none() {
            let message = "federation needs `server.state_dir`, so that ended logins stay ended after a restart";
            let hint =
                "name a folder that outlives the process, such as `state_dir = \"/var/lib/idp-bridge\"`, in `[server]`";
            problems.push(self.document.problem(&path, message).hint(hint));
        }
        if federation.metadata && self.server.public_url.is_none() {
            let message = "applications cannot be told where the bridge is: `server.public_url` is missing";
            let hint = "name it in `[server]`, such as `public_url = \"https://idp-bridge.example\"`";
            problems.push(self.document.problem(&path.key("metadata"), message).hint(hint));
        }
        let clients = path.key("clients");
        if federation.clients.is_empty() {
            let problem = self.document.problem(&clients, "expected at least one client");
            problems.push(problem.hint("add the applications whose tokens are taken: `clients = [{ id = \"…\" }]`"));
        }
        let mut ids = BTreeSet::new();
        for (index, client) in federation.clients.iter().enumerate() {
            let place = clients.index(index).key("id");
            if !is_plain(&client.id) {
                problems.push(self.document.problem(&place, "expected 1 to 256 characters that are visible"));
            } else if !ids.insert(&client.id) {
                problems.push(self.document.problem(&place, "this client is there twice").hint("keep one of them"));
            }
        }
        if federation.customer_claim.as_ref().is_some_and(|claim| !is_plain(claim)) {
            let place = path.key("customer_claim");
            problems.push(self.document.problem(&place, "expected 1 to 256 characters that are visible"));
        }
    }
}

/// Whether a name may be one: what cannot be seen was hardly meant.
fn is_plain(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && !name.chars().any(|character| character.is_control() || character.is_whitespace())
}
