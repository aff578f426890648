//! Reads a connector's table: the keys that every connector has, and those that only it knows.

use std::path::PathBuf;
use std::sync::Arc;

use idp_bridge_core::{
    ConnectorContext, Error, IdentityProvider, OutboundPolicy, PrivateNetworks, RegistryEntry, Secret, TenantId,
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
    federates: bool,
    outbound: OutboundPolicy,
    build: Build,
}

/// How an address is reached, as several tables may say.
#[derive(Debug, Default)]
pub(super) struct Way {
    pub(super) ca_file: Option<PathBuf>,
    pub(super) allow_http: bool,
    pub(super) proxy: Option<Secret>,
}

impl From<model::Connector> for Way {
    fn from(connector: model::Connector) -> Self {
        let model::Connector { ca_file, allow_http, proxy, .. } = connector;
        Self { ca_file, allow_http, proxy }
    }
}

impl Reader<'_> {
    /// Reads a connector's table; none if something is wrong with it.
    pub(super) fn connector(
        &self,
        value: Value,
        tenant: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<ConnectorSettings> {
        let path = &tenant.key("connector");
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
        let outbound = common.and_then(|common| self.policy(common.into(), path, problems));
        let build = entry.read(&Value::Object(own)).map_err(|error| {
            report(self.document, &error.message, &path.join(&error.path), problems);
        });
        match (outbound, build) {
            (Some(outbound), Ok(build)) if problems.len() == before => {
                let federates = entry.capabilities().federation().is_some();
                Some(ConnectorSettings { kind: entry.kind(), federates, outbound, build })
            }
            _ => None,
        }
    }

    /// Makes the provider of a tenant.
    pub(super) fn build(
        &self,
        connector: ConnectorSettings,
        id: &TenantId,
        federation: Option<&model::Federation>,
        tenant: &KeyPath,
    ) -> Result<Arc<dyn IdentityProvider>, Problem> {
        if federation.is_some() && !connector.federates {
            let message = format!("the connector `{}` has no federation", connector.kind);
            let hint = "remove this table; `idp-bridge connectors` lists the connectors that have it";
            return Err(self.document.problem(&tenant.key("federation"), message).hint(hint));
        }
        let context = ConnectorContext {
            outbound: connector.outbound,
            host_credentials: self.server.aws_default_chain,
            host_roles: self.host_roles(id),
            federation: federation.map(model::Federation::settings),
            ..ConnectorContext::new(id.clone())
        };
        (connector.build)(&context)
            .map_err(|error| self.not_built(&error, &["connector", "federation"].map(|table| tenant.key(table))))
    }

    /// The roles that the tenant may take on with the host's credentials. One that brings its own settings needs a list.
    fn host_roles(&self, id: &TenantId) -> Option<Vec<String>> {
        let listed = self.server.aws_roles.get(id.as_str()).cloned();
        let none = || (self.private_networks == PrivateNetworks::Deny).then(Vec::new);
        listed.or_else(none)
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

    /// How requests are sent, by the keys of the table at this path.
    pub(super) fn policy(&self, way: Way, path: &KeyPath, problems: &mut Vec<Problem>) -> Option<OutboundPolicy> {
        if way.proxy.is_some() && self.private_networks == PrivateNetworks::Deny {
            let message = "a proxy would see addresses that `outbound.private_networks = \"deny\"` refuses";
            problems.push(self.document.problem(&path.key("proxy"), message).hint("remove the key"));
            return None;
        }
        let ca_pem = match way.ca_file.map(std::fs::read).transpose() {
            Ok(pem) => pem,
            Err(error) => {
                let problem = self.document.problem(&path.key("ca_file"), format!("the file cannot be read: {error}"));
                problems.push(problem.hint("check the path and its permissions"));
                return None;
            }
        };
        Some(OutboundPolicy {
            private_networks: self.private_networks,
            allow_http: way.allow_http,
            ca_pem,
            proxy: way.proxy.map(|proxy| proxy.expose().to_owned()),
        })
    }

    /// What a part of the program says of settings that cannot be right: those of the first table, or of one of the others.
    pub(super) fn not_built(&self, error: &Error, tables: &[KeyPath]) -> Problem {
        let message = error.to_string();
        // The settings that a message is about stand in backticks; the first one is where to look.
        let named = message.split('`').nth(1).and_then(|quoted| quoted.split(' ').next());
        let named =
            named.and_then(|key| tables.iter().map(|table| table.key(key)).find(|path| self.document.has(path)));
        let place = named.or_else(|| tables.first().cloned()).unwrap_or_default();
        Problem { hint: error.hint().map(str::to_owned), ..self.document.problem(&place, message) }
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
