//! Reads a connector's table: the keys that every connector has, and those that only it knows.

use std::sync::Arc;

use idp_bridge_core::{
    ConnectorContext, Error, IdentityProvider, OutboundPolicy, PrivateNetworks, RegistryEntry, TenantId,
};
use serde_json::{Map, Value};

use super::inspect::Inspection;
use super::model;
use super::path::KeyPath;
use super::problem::{Problem, list, nearest};
use super::schema::Shape;
use super::tenant::{Reader, read, report};
use crate::connectors;

type Build = Box<dyn FnOnce(&ConnectorContext) -> Result<Arc<dyn IdentityProvider>, Error>>;

/// A connector's settings that were read, so that all is left is to make the provider.
pub(super) struct ConnectorSettings {
    pub(super) kind: &'static str,
    outbound: OutboundPolicy,
    host_credentials: bool,
    build: Build,
}

impl ConnectorSettings {
    /// Makes the provider of this tenant.
    pub(super) fn build(self, tenant: &TenantId) -> Result<Arc<dyn IdentityProvider>, Error> {
        let Self { outbound, host_credentials, .. } = self;
        (self.build)(&ConnectorContext { outbound, host_credentials, ..ConnectorContext::new(tenant.clone()) })
    }
}

impl Reader<'_> {
    /// Reads a connector's table; none if something is wrong with it.
    pub(super) fn connector(
        &self,
        value: Value,
        path: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<ConnectorSettings> {
        let before = problems.len();
        let Value::Object(mut table) = value else {
            problems.push(self.document.problem(path, "expected a table"));
            return None;
        };
        let entry = self.entry(&table, path).map_err(|problem| problems.push(problem)).ok()?;
        let schema = joined_schema(entry);
        let mut inspection = Inspection::new(self.document, &self.sources);
        if let Some(shape) = Shape::of(&schema) {
            inspection.table(shape, &mut table, path);
        }
        problems.append(&mut inspection.problems);
        let (common, own) = split(table);
        let common: Option<model::Connector> = read(self.document, common, path, problems);
        let outbound = common.and_then(|common| self.policy(common, path, problems));
        let build = entry.read(&Value::Object(own)).map_err(|error| {
            report(self.document, &error.message, &path.join(&error.path), problems);
        });
        match (outbound, build) {
            (Some(outbound), Ok(build)) if problems.len() == before => {
                let host_credentials = self.host_credentials;
                Some(ConnectorSettings { kind: entry.kind(), outbound, host_credentials, build })
            }
            _ => None,
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
    pub(super) fn not_built(&self, error: &Error, path: &KeyPath) -> Problem {
        let message = error.to_string();
        // The settings that a message is about stand in backticks; the first one is where to look.
        let named = message.split('`').nth(1).and_then(|quoted| quoted.split(' ').next());
        let named = named.map(|key| path.key(key)).filter(|path| self.document.has(path));
        let problem = self.document.problem(named.as_ref().unwrap_or(path), message);
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// The connector's own schema, with the keys that every connector's table may have.
pub(super) fn joined_schema(entry: &RegistryEntry) -> Value {
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
