//! Reads the table of a connector: the keys that all connectors share, and the connector's own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, OnceLock};

use idp_bridge_core::{
    ClientCertificate, ConnectorContext, Error, IdentityProvider, OutboundPolicy, PrivateNetworks, Registry,
    RegistryEntry, Secret, TenantId,
};
use serde_json::{Map, Value};

use super::inspect::Inspection;
use super::model;
use super::path::KeyPath;
use super::problem::{Problem, list, nearest};
use super::regular::{MAX_FILE, read_file};
use super::schema::Shape;
use super::tenant::{Reader, deserialize, report};
use crate::connectors;

/// The schema of the keys that all connectors share.
static COMMON_SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(model::Connector).to_value());

/// The connectors of the program, each with the schema of its table, which the first such table makes.
#[derive(Debug)]
pub(super) struct Connectors {
    registry: Registry,
    schemas: BTreeMap<&'static str, OnceLock<Value>>,
}

impl Connectors {
    pub(super) fn new(registry: &Registry) -> Self {
        let schemas = registry.iter().map(|entry| (entry.kind(), OnceLock::new()));
        Self { registry: registry.clone(), schemas: schemas.collect() }
    }

    fn shape(&self, entry: &RegistryEntry) -> Option<Shape<'_>> {
        Shape::new(self.schemas.get(entry.kind())?.get_or_init(|| joined_schema(entry)))
    }
}

type Build = Box<dyn FnOnce(&ConnectorContext) -> Result<Arc<dyn IdentityProvider>, Error>>;

/// The validated settings of a connector, from which its provider is built.
pub(super) struct ConnectorSettings {
    pub(super) kind: &'static str,
    has_federation: bool,
    pub(super) outbound: OutboundPolicy,
    pub(super) webhook_key_digests: Vec<[u8; 32]>,
    build: Build,
}

/// The keys about outbound requests, which several tables share.
#[derive(Debug, Default)]
pub(super) struct OutboundKeys {
    pub(super) ca_file: Option<PathBuf>,
    pub(super) client_certificate_file: Option<PathBuf>,
    pub(super) client_key: Option<Secret>,
    pub(super) allow_http: bool,
    pub(super) proxy: Option<Secret>,
}

impl From<model::Connector> for OutboundKeys {
    fn from(connector: model::Connector) -> Self {
        let model::Connector { ca_file, client_certificate_file, client_key, allow_http, proxy, .. } = connector;
        Self { ca_file, client_certificate_file, client_key, allow_http, proxy }
    }
}

impl Reader<'_> {
    /// Reads a connector's table. Returns `None` after reporting problems.
    pub(super) fn read_connector(
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
        let entry = self.find_connector(&table, path).map_err(|problem| problems.push(problem)).ok()?;
        let mut inspection = Inspection::new(self.document, &self.sources);
        if let Some(shape) = self.connectors.shape(entry) {
            inspection.inspect_table(shape, &mut table, path);
        }
        problems.append(&mut inspection.problems);
        let (common, own) = split_common_keys(table);
        let common: Option<model::Connector> = deserialize(self.document, common, path, problems);
        let outbound = common.and_then(|common| self.outbound_policy(common.into(), path, problems));
        let build = entry.read(&Value::Object(own)).map_err(|error| {
            report(self.document, &error.message, &path.join(&error.path), problems);
        });
        match (outbound, build) {
            (Some(outbound), Ok(build)) if problems.len() == before => {
                let has_federation = entry.capabilities().federation().is_some();
                let webhook_key_digests = Vec::new();
                Some(ConnectorSettings { kind: entry.kind(), has_federation, outbound, webhook_key_digests, build })
            }
            _ => None,
        }
    }

    /// Builds the provider of a tenant.
    pub(super) fn build_provider(
        &self,
        connector: ConnectorSettings,
        id: &TenantId,
        federation: Option<&model::Federation>,
        tenant: &KeyPath,
    ) -> Result<Arc<dyn IdentityProvider>, Problem> {
        if federation.is_some() && !connector.has_federation {
            let message = format!("the connector `{}` has no federation", connector.kind);
            let hint = "remove this table; `idp-bridge connectors` lists the connectors that have it";
            return Err(self.document.problem(&tenant.key("federation"), message).with_hint(hint));
        }
        let context = ConnectorContext {
            outbound: OutboundPolicy {
                tenant: Some(id.clone()),
                counters: self.counters.clone(),
                ..connector.outbound
            },
            public_url: self.server.public_url.as_ref().map(|url| url.0.clone()),
            host_credentials: self.server.aws_default_chain,
            host_roles: self.host_roles(id),
            federation: federation.map(model::Federation::to_settings),
            webhook_key_digests: connector.webhook_key_digests,
            ..ConnectorContext::new(id.clone())
        };
        (connector.build)(&context)
            .map_err(|error| self.build_problem(&error, &["connector", "federation"].map(|table| tenant.key(table))))
    }

    /// Returns the roles that the tenant may assume with the host's credentials, or `None` for any role.
    ///
    /// If tenants bring their own settings, only listed roles are allowed.
    fn host_roles(&self, id: &TenantId) -> Option<Vec<String>> {
        let listed = self.server.aws_roles.get(id.as_str()).cloned();
        let no_roles = || (self.private_networks == PrivateNetworks::Deny).then(Vec::new);
        listed.or_else(no_roles)
    }

    fn find_connector(&self, table: &Map<String, Value>, path: &KeyPath) -> Result<&RegistryEntry, Problem> {
        let built_in = || list(self.connectors.registry.iter().map(RegistryEntry::kind));
        let Some(Value::String(kind)) = table.get("type") else {
            let (place, message) = match table.get("type") {
                Some(_) => (path.key("type"), "expected the name of a connector"),
                None => (path.clone(), "missing key `type`"),
            };
            return Err(self.document.problem(&place, message).with_hint(format!("built in: {}", built_in())));
        };
        self.connectors.registry.get(kind).ok_or_else(|| {
            let problem = self.document.problem(&path.key("type"), format!("this program has no connector `{kind}`"));
            if connectors::IN_TREE.contains(&kind.as_str()) {
                return problem.with_hint(format!("build it with `--features {kind}`; built in: {}", built_in()));
            }
            match nearest(kind, self.connectors.registry.iter().map(RegistryEntry::kind)) {
                Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                None => problem.with_hint(format!("built in: {}", built_in())),
            }
        })
    }

    /// Creates the policy for outbound requests from the keys of the table at this path.
    pub(super) fn outbound_policy(
        &self,
        keys: OutboundKeys,
        path: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<OutboundPolicy> {
        if keys.proxy.is_some() && self.private_networks == PrivateNetworks::Deny {
            let message = "a proxy could reach addresses that `outbound.private_networks = \"deny\"` refuses";
            problems.push(self.document.problem(&path.key("proxy"), message).with_hint("remove the key"));
            return None;
        }
        let mut read = |key: &str, file: Option<PathBuf>| {
            self.read_certificates(path.key(key), file).map_err(|problem| problems.push(problem)).ok()
        };
        let ca_pem = read("ca_file", keys.ca_file)?;
        let chain = read("client_certificate_file", keys.client_certificate_file)?;
        let client_certificate = match (chain, keys.client_key) {
            (Some(chain_pem), Some(key_pem)) => Some(ClientCertificate { chain_pem, key_pem }),
            (None, None) => None,
            (chain, _) => {
                let (set, missing) = match chain {
                    Some(_) => ("client_certificate_file", "client_key_file"),
                    None => ("client_key", "client_certificate_file"),
                };
                let problem = self.document.problem(path, format!("`{set}` needs `{missing}`"));
                problems.push(problem.with_hint("set both to use a client certificate, or remove both"));
                return None;
            }
        };
        Some(OutboundPolicy {
            private_networks: self.private_networks,
            allow_http: keys.allow_http,
            ca_pem,
            client_certificate,
            proxy: keys.proxy.map(|proxy| proxy.expose().to_owned()),
            ..OutboundPolicy::default()
        })
    }

    /// Reads the file with certificates that this key names, if it is set.
    fn read_certificates(&self, key: KeyPath, file: Option<PathBuf>) -> Result<Option<Vec<u8>>, Problem> {
        file.map(|file| read_file(&file, MAX_FILE)).transpose().map_err(|error| {
            let problem = self.document.problem(&key, format!("the file cannot be read: {error}"));
            problem.with_hint("check the path and its permissions")
        })
    }

    /// Converts the error of a failed build into a problem, placed at the setting it names, or else at the first table.
    pub(super) fn build_problem(&self, error: &Error, tables: &[KeyPath]) -> Problem {
        let setting = error.context("setting");
        let message = if setting.is_some() { error.message().to_owned() } else { error.to_string() };
        // Messages quote settings in backticks; the first quoted setting is the place.
        let quoted = message.split('`').nth(1).and_then(|quoted| quoted.split(' ').next());
        let named = setting.or(quoted);
        let named =
            named.and_then(|key| tables.iter().map(|table| table.key(key)).find(|path| self.document.has(path)));
        let place = named.or_else(|| tables.first().cloned()).unwrap_or_default();
        Problem { hint: error.hint().map(str::to_owned), ..self.document.problem(&place, message) }
    }
}

/// Returns the connector's own schema, extended by the keys that all connectors share.
pub(super) fn joined_schema(entry: &RegistryEntry) -> Value {
    let mut schema = entry.schema().to_value();
    for part in ["properties", "$defs"] {
        let Some(Value::Object(more)) = COMMON_SCHEMA.get(part).cloned() else { continue };
        if let Some(whole) = schema.as_object_mut()
            && let Value::Object(own) = whole.entry(part).or_insert_with(|| Value::Object(Map::new()))
        {
            own.extend(more);
        }
    }
    schema
}

/// Separates the keys that all connectors share from the connector's own.
fn split_common_keys(table: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let common: Vec<&str> = Shape::new(&COMMON_SCHEMA).into_iter().flat_map(Shape::keys).map(|(key, _)| key).collect();
    table.into_iter().partition(|(key, _)| common.contains(&key.as_str()))
}
