//! Reads one tenant: its own keys, and what else it is made of.

use idp_bridge_core::{PrivateNetworks, Registry, Secret, TenantId};
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use idp_bridge_server::Tenant;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::document::Document;
use super::explain::explain;
use super::inspect::Inspection;
use super::model::{self, Outbound, Server};
use super::path::{KeyPath, Step};
use super::problem::Problem;
use super::schema::Shape;
use super::secrets::{Reach, Sources};

/// Reads tenants of one file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) registry: &'a Registry,
    pub(super) sources: Sources,
    pub(super) server: &'a Server,
    pub(super) private_networks: PrivateNetworks,
}

impl<'a> Reader<'a> {
    /// A reader of this file, under the rules of the whole configuration.
    pub(super) fn new(
        document: &'a Document<'a>,
        registry: &'a Registry,
        server: &'a Server,
        outbound: Outbound,
    ) -> Self {
        let private_networks = outbound.private_networks;
        let reach = match private_networks {
            PrivateNetworks::Allow => Reach::Everything,
            PrivateNetworks::Deny => Reach::Folder(server.secrets_dir.clone()),
        };
        let sources = Sources::new(document.file.folder(), reach);
        Self { document, registry, sources, server, private_networks }
    }

    /// Reads the tenant at this path; all that is wrong with it at once.
    pub(super) fn tenant(&self, id: &str, value: Value, path: &KeyPath) -> Result<Tenant, Vec<Problem>> {
        let mut problems = Vec::new();
        let id = TenantId::new(id).map_err(|error| {
            problems.push(self.document.problem(path, format!("`{id}` is no tenant id: it {}", error.reason())));
        });
        let Value::Object(mut table) = value else {
            problems.push(self.document.problem(path, "expected a table"));
            return Err(problems);
        };
        let connector = table.remove("connector");
        let federates = table.contains_key("federation");
        let mut settings = self.settings(table, connector.is_some(), path, &mut problems);
        let keys = settings.as_ref().and_then(|settings| self.keys(&settings.webhook_keys, path, &mut problems));
        let federation = settings.as_mut().and_then(|settings| settings.federation.take());
        if let Some(federation) = &federation {
            self.check_federation(federation, path, &mut problems);
        }
        let jwt = settings.as_mut().and_then(|settings| settings.rest.jwt.take());
        let access_tokens = jwt.and_then(|jwt| self.access_tokens(jwt, path, &mut problems));
        let connector = connector.and_then(|connector| self.connector(connector, path, &mut problems));
        // A connector that was built without a table that is there might miss it.
        let buildable = federates == federation.is_some();
        let built = id.as_ref().ok().zip(connector.filter(|_| buildable)).and_then(|(id, connector)| {
            let kind = connector.kind;
            let provider = self.build(connector, id, federation.as_ref(), path);
            Some((kind, provider.map_err(|problem| problems.push(problem)).ok()?))
        });
        let (Ok(id), Some(settings), Some(keys), Some((kind, provider)), []) =
            (id, settings, keys, built, problems.as_slice())
        else {
            return Err(problems);
        };
        Ok(Tenant {
            deadline: settings.deadline.0,
            customer_missing: settings.customer.missing,
            access_tokens,
            tokens: settings.rest.tokens.into_iter().map(model::Token::into_served).collect(),
            switched_off: settings.disabled_calls,
            federation: federation.map(model::Federation::into_rules),
            ..Tenant::new(id, kind, provider, keys)
        })
    }

    fn settings(
        &self,
        mut table: Map<String, Value>,
        has_connector: bool,
        path: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<model::Tenant> {
        // Its own schema would not fit: what else it holds is the connector's business.
        if has_connector {
            table.insert("connector".into(), Value::Null);
        }
        let before = problems.len();
        let schema = schemars::schema_for!(model::Tenant).to_value();
        let shape = Shape::of(&schema)?;
        let mut inspection = Inspection::new(self.document, &self.sources);
        inspection.table(shape, &mut table, path);
        problems.append(&mut inspection.problems);
        read(self.document, table, path, problems).filter(|_| problems.len() == before)
    }

    fn keys(&self, keys: &[Secret], path: &KeyPath, problems: &mut Vec<Problem>) -> Option<KeyRing> {
        let path = path.key("webhook_keys");
        let mut ring = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match VerifyingKey::parse(key.expose()) {
                Ok(key) => ring.push(key),
                Err(error) => problems.push(
                    self.document
                        .problem(&path.index(index), error.to_string())
                        .hint("`idp-bridge keys new` makes a pair: `whsk_…` for the platform, `whpk_…` for the bridge"),
                ),
            }
        }
        if ring.len() != keys.len() {
            return None;
        }
        let ring = KeyRing::new(ring);
        if ring.is_none() {
            let message = format!("expected one to four keys, found {}", keys.len());
            problems.push(self.document.problem(&path, message).hint("while a key is being replaced, there are two"));
        }
        ring
    }
}

/// Reads a table as its type. After a mistake it goes on without the key that is wrong, to find the others as well.
pub(super) fn read<T: DeserializeOwned>(
    document: &Document<'_>,
    table: Map<String, Value>,
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let mut rest = table;
    let before = problems.len();
    loop {
        match serde_path_to_error::deserialize(&Value::Object(rest.clone())) {
            Ok(read) => return Some(read).filter(|_| problems.len() == before),
            Err(error) => {
                let wrong = KeyPath::default().join(&error.path().to_string());
                report(document, &error.inner().to_string(), &path.join(&error.path().to_string()), problems);
                let key = wrong.0.first().and_then(Step::as_key);
                key.and_then(|key| rest.remove(key))?;
            }
        }
    }
}

/// Reports what serde says of a key, unless the inspection has found it already, with a hint.
pub(super) fn report(document: &Document<'_>, message: &str, path: &KeyPath, problems: &mut Vec<Problem>) {
    let explained = explain(message);
    // The inspection has found these already, all of them at once and with a hint.
    if problems.iter().any(|problem| problem.message == explained.message) {
        return;
    }
    let place = match &explained.key {
        Some(key) if path.last_key() != Some(key) => path.key(key),
        _ => path.clone(),
    };
    let problem = document.problem(&place, explained.message);
    problems.push(match explained.hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    });
}
