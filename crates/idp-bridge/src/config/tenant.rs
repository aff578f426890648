//! Reads one tenant: its own keys, its connector's, and makes the provider of them.

use std::sync::Arc;

use idp_bridge_core::{
    ConnectorContext, Error, IdentityProvider, OutboundPolicy, PrivateNetworks, Registry, RegistryEntry, Secret,
    TenantId,
};
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use idp_bridge_server::Tenant;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::document::Document;
use super::explain::explain;
use super::inspect::Inspection;
use super::model;
use super::path::{KeyPath, Step};
use super::problem::{Problem, list, nearest};
use super::schema::Shape;
use super::secrets::Sources;
use crate::connectors;

/// Reads tenants of one file.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) document: &'a Document<'a>,
    pub(crate) registry: &'a Registry,
    pub(crate) sources: &'a Sources,
    pub(crate) private_networks: PrivateNetworks,
}

impl Reader<'_> {
    /// Reads the tenant at this path; all that is wrong with it at once.
    pub(crate) fn tenant(&self, id: &str, value: Value, path: &KeyPath) -> Result<Tenant, Vec<Problem>> {
        let mut problems = Vec::new();
        let id = TenantId::new(id).map_err(|error| {
            problems.push(self.document.problem(path, format!("`{id}` is no tenant id: it {}", error.reason())));
        });
        let Value::Object(mut table) = value else {
            problems.push(self.document.problem(path, "expected a table"));
            return Err(problems);
        };
        let connector = table.remove("connector");
        let settings: Option<model::Tenant> = self.settings(table, connector.is_some(), path, &mut problems);
        let keys = settings
            .as_ref()
            .filter(|_| problems.is_empty())
            .and_then(|settings| self.keys(&settings.webhook_keys, path).map_err(|more| problems.extend(more)).ok());
        let built = connector.map(|connector| {
            let path = path.key("connector");
            self.connector(id.as_ref().ok(), connector, &path).map_err(|more| problems.extend(more))
        });
        match (id, settings, keys, built) {
            (Ok(id), Some(settings), Some(keys), Some(Ok((connector, Some(provider))))) if problems.is_empty() => {
                Ok(Tenant {
                    deadline: settings.deadline.0,
                    customer_missing: settings.customer.missing,
                    tokens: settings.rest.tokens.into_iter().map(model::Token::into_served).collect(),
                    switched_off: settings.disabled_calls,
                    ..Tenant::new(id, connector, provider, keys)
                })
            }
            _ => Err(problems),
        }
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
        let schema = schemars::schema_for!(model::Tenant).to_value();
        let shape = Shape::of(&schema)?;
        let mut inspection = Inspection::new(self.document, self.sources);
        inspection.table(shape, &mut table, path);
        problems.append(&mut inspection.problems);
        read(self.document, table, path, problems)
    }

    fn keys(&self, keys: &[Secret], path: &KeyPath) -> Result<KeyRing, Vec<Problem>> {
        let path = path.key("webhook_keys");
        let mut problems = Vec::new();
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
        if !problems.is_empty() {
            return Err(problems);
        }
        KeyRing::new(ring).ok_or_else(|| {
            let message = format!("expected one to four keys, found {}", keys.len());
            vec![self.document.problem(&path, message).hint("while a key is being replaced, there are two")]
        })
    }

    /// The type of the connector, and the provider made of its settings.
    #[expect(clippy::type_complexity, reason = "a pair is all there is to it")]
    fn connector(
        &self,
        tenant: Option<&TenantId>,
        value: Value,
        path: &KeyPath,
    ) -> Result<(&'static str, Option<Arc<dyn IdentityProvider>>), Vec<Problem>> {
        let Value::Object(mut table) = value else {
            return Err(vec![self.document.problem(path, "expected a table")]);
        };
        let entry = self.entry(&table, path).map_err(|problem| vec![problem])?;
        let schema = joined_schema(entry);
        let mut inspection = Inspection::new(self.document, self.sources);
        if let Some(shape) = Shape::of(&schema) {
            inspection.table(shape, &mut table, path);
        }
        let mut problems = inspection.problems;
        let (common, own) = split(table);
        let common = read::<model::Connector>(self.document, common, path, &mut problems);
        let policy = common.and_then(|common| self.policy(common, path, &mut problems));
        let build = match entry.read(&Value::Object(own)) {
            Ok(build) => Some(build),
            Err(error) => {
                self.explain(&error.message, &path.join(&error.path), &mut problems);
                None
            }
        };
        let (Some(tenant), Some(outbound), Some(build), true) = (tenant, policy, build, problems.is_empty()) else {
            return if problems.is_empty() { Ok((entry.kind(), None)) } else { Err(problems) };
        };
        let context = ConnectorContext { outbound, ..ConnectorContext::new(tenant.clone()) };
        match build(&context) {
            Ok(provider) => Ok((entry.kind(), Some(provider))),
            Err(error) => Err(vec![self.not_built(&error, path)]),
        }
    }

    fn entry(&self, table: &Map<String, Value>, path: &KeyPath) -> Result<&RegistryEntry, Problem> {
        let built_in = || list(self.registry.iter().map(RegistryEntry::kind));
        let Some(Value::String(kind)) = table.get("type") else {
            let (place, message) = match table.get("type") {
                Some(_) => (path.key("type"), "expected the name of a connector"),
                None => (path.clone(), "missing key `type`"),
            };
            return Err(self.document.problem(&place, message).hint(format!("built in: {}", built_in())));
        };
        self.registry.get(kind).ok_or_else(|| {
            let problem =
                self.document.problem(&path.key("type"), format!("there is no connector `{kind}` in this program"));
            if connectors::IN_TREE.contains(&kind.as_str()) {
                return problem.hint(format!("build it with `--features {kind}`; built in: {}", built_in()));
            }
            match nearest(kind, self.registry.iter().map(RegistryEntry::kind)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("built in: {}", built_in())),
            }
        })
    }

    fn policy(&self, common: model::Connector, path: &KeyPath, problems: &mut Vec<Problem>) -> Option<OutboundPolicy> {
        if common.proxy.is_some() && self.private_networks == PrivateNetworks::Deny {
            let message = "a proxy would see addresses that `outbound.private_networks = \"deny\"` refuses";
            problems.push(self.document.problem(&path.key("proxy"), message).hint("remove the key"));
            return None;
        }
        let ca_pem = match common.ca_file.map(std::fs::read).transpose() {
            Ok(pem) => pem,
            Err(error) => {
                let problem = self.document.problem(&path.key("ca_file"), format!("the file cannot be read: {error}"));
                problems.push(problem.hint("check the path and its permissions"));
                return None;
            }
        };
        Some(OutboundPolicy {
            private_networks: self.private_networks,
            allow_http: common.allow_http,
            ca_pem,
            proxy: common.proxy.map(|proxy| proxy.expose().to_owned()),
        })
    }

    /// A connector's own word on settings that cannot be right.
    fn not_built(&self, error: &Error, path: &KeyPath) -> Problem {
        let mut message = error.message().to_owned();
        let inline = message.split_once("; hint: ").map(|(start, hint)| (start.to_owned(), hint.to_owned()));
        let mut hint = error.context("hint").map(str::to_owned);
        if let Some((start, inline)) = inline {
            (message, hint) = (start, Some(inline));
        } else if hint.is_none() {
            message = error.to_string();
        }
        // The settings that a message is about stand in backticks; the first one is where to look.
        let named = message.split('`').nth(1).and_then(|quoted| quoted.split(' ').next());
        let named = named.map(|key| path.key(key)).filter(|path| self.document.has(path));
        let problem = self.document.problem(named.as_ref().unwrap_or(path), message);
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }

    fn explain(&self, message: &str, path: &KeyPath, problems: &mut Vec<Problem>) {
        report(self.document, message, path, problems);
    }
}

/// Reads a table as its type. After a mistake it goes on without the key that is wrong, to find the others as well.
pub(crate) fn read<T: DeserializeOwned>(
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

fn report(document: &Document<'_>, message: &str, path: &KeyPath, problems: &mut Vec<Problem>) {
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

/// The connector's own schema, with the keys that every connector's table may have.
pub(crate) fn joined_schema(entry: &RegistryEntry) -> Value {
    let mut schema = entry.schema().to_value();
    let common = schemars::schema_for!(model::Connector).to_value();
    for part in ["properties", "$defs"] {
        let Some(Value::Object(more)) = common.get(part).cloned() else { continue };
        if let Some(whole) = schema.as_object_mut()
            && let Value::Object(own) = whole.entry(part).or_insert_with(|| Value::Object(Map::new()))
        {
            own.extend(more);
        }
    }
    schema
}

/// Parts the keys that every connector's table may have from the connector's own.
fn split(table: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let schema = schemars::schema_for!(model::Connector).to_value();
    let common: Vec<&str> = Shape::of(&schema).into_iter().flat_map(Shape::keys).map(|(key, _)| key).collect();
    table.into_iter().partition(|(key, _)| common.contains(&key.as_str()))
}
