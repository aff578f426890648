//! Reads the tables of the main file that are not about one tenant.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::document::Document;
use super::inspect::Inspection;
use super::model::{self, Audit, Outbound, Server, Traces};
use super::path::KeyPath;
use super::problem::Problem;
use super::schema::Shape;
use super::secrets::{Reach, Sources};
use super::store::StoreSettings;
use super::tenant::deserialize;

/// The tables of the main file.
#[derive(Default)]
pub(super) struct RootTables {
    pub(super) server: Server,
    pub(super) store: StoreSettings,
    pub(super) outbound: Outbound,
    pub(super) audit: Option<Audit>,
    pub(super) traces: Option<Traces>,
    /// The tables of the tenants, which are read later.
    pub(super) tenants: Map<String, Value>,
    /// All other tables, as written.
    pub(super) settings: Value,
}

/// The JSON schema of the main file.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(model::Root).to_value());

impl RootTables {
    /// Reads the tables, and adds their problems to `problems`.
    pub(super) fn read(document: &Document<'_>, problems: &mut Vec<Problem>) -> Self {
        let Value::Object(mut table) = document.to_json() else { return Self::default() };
        let path = KeyPath::default();
        let tenants = table.remove("tenants");
        let settings = table.clone();
        let sources = Sources::new(document.file.folder(), Reach::Everything);
        let mut inspection = Inspection::new(document, &sources);
        if let Some(shape) = Shape::new(&SCHEMA) {
            inspection.inspect_table(shape, &mut table, &path);
        }
        problems.append(&mut inspection.problems);
        let root: model::Root = deserialize(document, table, &path, problems).unwrap_or_default();
        let tenants = match tenants {
            Some(Value::Object(tenants)) => tenants,
            Some(_) => {
                problems.push(document.problem(&path.key("tenants"), "expected a table"));
                Map::new()
            }
            None => Map::new(),
        };
        let store = StoreSettings::read(&root.server, document, problems);
        let model::Root { server, outbound, audit, traces, .. } = root;
        // A secret that could not be read is a problem already.
        if let Some(Err(message)) = traces.as_ref().filter(|_| problems.is_empty()).map(Traces::parse_headers) {
            let problem = document.problem(&path.key("traces"), format!("the headers cannot be used: {message}"));
            problems.push(problem.with_hint("write one header in each line: `authorization: Bearer …`"));
        }
        Self { server, store, outbound, audit, traces, tenants, settings: Value::Object(settings) }
    }
}

/// The keys of `server` that a reload applies to tenants.
const RELOADED: [&str; 3] = ["aws_default_chain", "aws_roles", "secrets_dir"];

impl RootTables {
    /// Returns the names of the keys that differ from those of `earlier` and are applied by a restart only.
    pub(super) fn keys_for_restart(&self, earlier: &Value) -> Vec<String> {
        let table = |settings: &Value| settings.get("server").and_then(Value::as_object).cloned().unwrap_or_default();
        let (now, before) = (table(&self.settings), table(earlier));
        let keys: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
        let is_changed = |key: &&&String| match key.as_str() {
            // The files are reloaded. Only a restart begins or ends TLS.
            "tls" => now.contains_key("tls") != before.contains_key("tls"),
            key => now.get(key) != before.get(key) && !RELOADED.contains(&key),
        };
        let changed = keys.iter().filter(is_changed).map(|key| format!("server.{key}"));
        let tables = ["audit", "traces"].into_iter().filter(|table| self.settings.get(table) != earlier.get(table));
        changed.chain(tables.map(str::to_owned)).collect()
    }

    /// Returns the settings that apply to tenants, as a text.
    pub(super) fn tenant_settings(&self) -> String {
        let server = RELOADED.map(|key| self.settings.get("server").and_then(|server| server.get(key)).cloned());
        let requests_certificates = self.server.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        format!("{server:?} {:?} {requests_certificates}", self.settings.get("outbound"))
    }
}
