//! Reads the table of a tenant.

use std::sync::LazyLock;

use idp_bridge_core::{PrivateNetworks, Secret, TenantId, UpstreamCounters};
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use idp_bridge_server::Tenant;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::connector::Connectors;
use super::document::Document;
use super::explain::explain;
use super::inspect::Inspection;
use super::model::{self, Outbound, Server};
use super::path::{KeyPath, Step};
use super::problem::Problem;
use super::schema::Shape;
use super::secrets::{Reach, Sources};

/// The schema of a tenant's table.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(model::Tenant).to_value());

/// Reads the tenants of one file.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) connectors: &'a Connectors,
    pub(super) sources: Sources,
    pub(super) server: &'a Server,
    pub(super) private_networks: PrivateNetworks,
    /// The counters of the tenant's requests.
    pub(super) counters: UpstreamCounters,
}

impl<'a> Reader<'a> {
    /// Creates a reader for a file, with the settings of the whole configuration.
    pub(super) fn new(
        document: &'a Document<'a>,
        connectors: &'a Connectors,
        server: &'a Server,
        outbound: Outbound,
    ) -> Self {
        let private_networks = outbound.private_networks;
        let reach = match private_networks {
            PrivateNetworks::Allow => Reach::Everything,
            PrivateNetworks::Deny => Reach::Folder(server.secrets_dir.clone()),
        };
        let sources = Sources::new(document.file.folder(), reach);
        let counters = UpstreamCounters::default();
        Self { document, connectors, sources, server, private_networks, counters }
    }

    /// Reads the tenant at this path. Returns all problems at once.
    pub(super) fn read_tenant(&self, id: &str, value: Value, path: &KeyPath) -> Result<Tenant, Vec<Problem>> {
        let mut problems = Vec::new();
        let id = TenantId::new(id).map_err(|error| {
            problems.push(self.document.problem(path, format!("`{id}` is not a tenant id: it {}", error.reason())));
        });
        let Value::Object(mut table) = value else {
            problems.push(self.document.problem(path, "expected a table"));
            return Err(problems);
        };
        let connector = table.remove("connector");
        let has_federation = table.contains_key("federation");
        let mut settings = self.read_settings(table, connector.is_some(), path, &mut problems);
        let keys = settings.as_ref().and_then(|settings| self.read_keys(&settings.webhook_keys, path, &mut problems));
        let federation = settings.as_mut().and_then(|settings| settings.federation.take());
        if let Some(federation) = &federation {
            self.check_federation(federation, path, &mut problems);
        }
        if let Some(settings) = &settings {
            self.check_client_certificates(settings, path, &mut problems);
        }
        let jwt = settings.as_mut().and_then(|settings| settings.rest.jwt.take());
        let access_tokens = jwt.and_then(|jwt| self.read_access_tokens(jwt, path, &mut problems));
        let mut connector = connector.and_then(|connector| self.read_connector(connector, path, &mut problems));
        if let (Some(connector), Some(settings)) = (&mut connector, &settings) {
            connector.outbound.limits = settings.limits.for_requests(settings.deadline.0);
            let keys = keys.iter().flat_map(KeyRing::keys);
            connector.webhook_key_digests = keys.map(VerifyingKey::digest).collect();
        }
        // Without the federation's valid settings, the build could report misleading problems.
        let is_buildable = has_federation == federation.is_some();
        let built = id.as_ref().ok().zip(connector.filter(|_| is_buildable)).and_then(|(id, connector)| {
            let kind = connector.kind;
            let provider = self.build_provider(connector, id, federation.as_ref(), path);
            Some((kind, provider.map_err(|problem| problems.push(problem)).ok()?))
        });
        let (Ok(id), Some(settings), Some(keys), Some((kind, provider)), []) =
            (id, settings, keys, built, problems.as_slice())
        else {
            return Err(problems);
        };
        let mut tenant = Tenant::new(id, kind, provider, keys);
        tenant.deadline = settings.deadline.0;
        tenant.customer_missing = settings.customer.missing;
        tenant.access_tokens = access_tokens;
        tenant.tokens = settings.rest.tokens.into_iter().map(model::Token::into_rest_token).collect();
        tenant.client_names = settings.client_certificates.into_iter().map(|name| name.0).collect();
        tenant.limits = settings.limits.for_calls();
        tenant.user_cache = settings.user_cache.0;
        tenant.switched_off = settings.disabled_calls;
        tenant.federation = federation.map(model::Federation::into_rules);
        tenant.upstream = self.counters.clone();
        Ok(tenant)
    }

    fn read_settings(
        &self,
        mut table: Map<String, Value>,
        has_connector: bool,
        path: &KeyPath,
        problems: &mut Vec<Problem>,
    ) -> Option<model::Tenant> {
        // The connector's table has its own schema and is read separately.
        if has_connector {
            table.insert("connector".into(), Value::Null);
        }
        let before = problems.len();
        let shape = Shape::new(&SCHEMA)?;
        let mut inspection = Inspection::new(self.document, &self.sources);
        inspection.inspect_table(shape, &mut table, path);
        problems.append(&mut inspection.problems);
        deserialize(self.document, table, path, problems).filter(|_| problems.len() == before)
    }

    fn check_client_certificates(&self, settings: &model::Tenant, path: &KeyPath, problems: &mut Vec<Problem>) {
        let has_authority = self.server.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        if !settings.client_certificates.is_empty() && !has_authority {
            let message = "client certificates need their authorities: `server.tls.client_ca_file` is missing";
            let hint = "set it in `[server.tls]`, or remove `client_certificates`";
            problems.push(self.document.problem(&path.key("client_certificates"), message).with_hint(hint));
        }
    }

    fn read_keys(&self, keys: &[Secret], path: &KeyPath, problems: &mut Vec<Problem>) -> Option<KeyRing> {
        let path = path.key("webhook_keys");
        let mut ring = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            match VerifyingKey::parse(key.expose()) {
                Ok(key) => ring.push(key),
                Err(error) => problems.push(self.document.problem(&path.index(index), error.to_string()).with_hint(
                    "`idp-bridge keys new` generates a pair: `whsk_…` for the platform, `whpk_…` for the bridge",
                )),
            }
        }
        if ring.len() != keys.len() {
            return None;
        }
        let ring = KeyRing::new(ring);
        if ring.is_none() {
            let message = format!("expected one to four keys, found {}", keys.len());
            problems.push(self.document.problem(&path, message).with_hint("use two during a key rotation"));
        }
        ring
    }
}

/// Deserializes a table. After a mistake it continues without the wrong key, to find further mistakes.
pub(super) fn deserialize<T: DeserializeOwned>(
    document: &Document<'_>,
    table: Map<String, Value>,
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let mut rest = table;
    let before = problems.len();
    loop {
        match serde_path_to_error::deserialize(&Value::Object(rest.clone())) {
            Ok(value) => return Some(value).filter(|_| problems.len() == before),
            Err(error) => {
                let wrong = KeyPath::default().join(&error.path().to_string());
                report(document, &error.inner().to_string(), &path.join(&error.path().to_string()), problems);
                let key = wrong.0.first().and_then(Step::as_key);
                key.and_then(|key| rest.remove(key))?;
            }
        }
    }
}

/// Reports serde's error about a key, unless the inspection has reported it already.
pub(super) fn report(document: &Document<'_>, message: &str, path: &KeyPath, problems: &mut Vec<Problem>) {
    let explained = explain(message);
    if problems.iter().any(|problem| problem.message == explained.message) {
        return;
    }
    let place = match &explained.key {
        Some(key) if path.last_key() != Some(key) => path.key(key),
        _ => path.clone(),
    };
    let problem = document.problem(&place, explained.message);
    problems.push(match explained.hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    });
}
