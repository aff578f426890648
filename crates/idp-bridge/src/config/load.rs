//! Locates the configuration and loads the tenants in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use idp_bridge_core::{Registry, TenantId};
use idp_bridge_server::{Tenant, Tenants, TenantsError};
use serde_json::{Map, Value};

use super::document::{Document, File};
use super::environment;
use super::inspect::Inspection;
use super::model::{self, Outbound, Server};
use super::path::KeyPath;
use super::problem::Problem;
use super::schema::Shape;
use super::secrets::{Reach, Sources};
use super::tenant::{Reader, deserialize};

/// The name of the default file, and of the file in a folder with the settings of the bridge itself.
pub(crate) const FILE_NAME: &str = "idp-bridge.toml";

/// The location of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file, or a folder with one file per tenant.
    Path(PathBuf),
    /// There is no configuration.
    Missing,
}

impl Location {
    /// Returns the path of `--config`, else of `IDP_BRIDGE_CONFIG`, else `./idp-bridge.toml` if it exists.
    pub(crate) fn find(option: Option<&Path>) -> Self {
        let named = option.map(Path::to_owned).or_else(environment::config);
        let default = || Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists());
        named.or_else(default).map_or(Self::Missing, Self::Path)
    }
}

/// A loaded configuration, with a provider for each tenant.
pub(crate) struct Settings {
    pub(crate) server: Server,
    /// The ids of the tenants, in the order of the files.
    pub(crate) ids: Vec<TenantId>,
    pub(crate) tenants: Tenants,
}

impl Settings {
    /// Returns the tenants, in the order of the files.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = Arc<Tenant>> {
        self.ids.iter().filter_map(|id| self.tenants.get(id))
    }

    /// Returns the folder of the revocation list, if a tenant has federation.
    pub(crate) fn revocation_folder(&self) -> Option<&Path> {
        let has_federation = self.tenants().any(|tenant| tenant.federation.is_some());
        self.server.state_dir.as_deref().filter(|_| has_federation)
    }
}

/// Loads a file, or a folder with one file per tenant. Returns all problems at once.
pub(crate) fn load(path: &Path, registry: &Registry) -> Result<Settings, Vec<Problem>> {
    let files = Files::read(path)?;
    let mut problems = Vec::new();
    let main = files.main.as_ref().map(Document::parse).transpose().map_err(|errors| problems.extend(errors));
    let tenant_files: Vec<_> = files
        .tenants
        .iter()
        .filter_map(|file| Document::parse(file).map_err(|errors| problems.extend(errors)).ok())
        .collect();
    let Ok(main) = main else { return Err(problems) };
    let root = main.as_ref().map(|document| RootTables::read(document, &mut problems)).unwrap_or_default();
    let reader = |document| Reader::new(document, registry, &root.server, root.outbound);
    let mut tenants = Vec::new();
    if let Some(document) = &main {
        for (id, value) in root.tenants {
            let path = KeyPath::default().key("tenants").key(&id);
            let tenant = reader(document).read_tenant(&id, value, &path);
            tenants.push(TenantEntry { document, path, tenant });
        }
    }
    for document in &tenant_files {
        let id = document.file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = KeyPath::default();
        let tenant = reader(document).read_tenant(&id, document.to_json(), &path);
        tenants.push(TenantEntry { document, path, tenant });
    }
    if tenants.is_empty() && problems.is_empty() {
        problems.push(Problem::new("no tenant is configured").in_file(path).with_hint("add a table `[tenants.<id>]`"));
    }
    let (ids, tenants) = combine(tenants, &mut problems);
    if problems.is_empty() {
        return Ok(Settings { server: root.server, ids, tenants });
    }
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    Err(problems)
}

/// A tenant that was read, and its location.
struct TenantEntry<'d, 'f> {
    document: &'d Document<'f>,
    path: KeyPath,
    tenant: Result<Tenant, Vec<Problem>>,
}

/// The location of a valid tenant.
struct TenantPlace<'d, 'f> {
    id: TenantId,
    document: &'d Document<'f>,
    path: KeyPath,
}

/// Collects the valid tenants, and reports their conflicts with each other.
fn combine(entries: Vec<TenantEntry<'_, '_>>, problems: &mut Vec<Problem>) -> (Vec<TenantId>, Tenants) {
    let (mut places, mut tenants) = (Vec::new(), Vec::new());
    for TenantEntry { document, path, tenant } in entries {
        match tenant {
            Ok(tenant) => {
                places.push(TenantPlace { id: tenant.id.clone(), document, path });
                tenants.push(tenant);
            }
            Err(more) => problems.extend(more),
        }
    }
    match Tenants::new(tenants) {
        Ok(tenants) => (places.into_iter().map(|place| place.id).collect(), tenants),
        Err(error) => {
            problems.extend(conflict_problem(&places, &error));
            Default::default()
        }
    }
}

/// Returns the problem of two conflicting tenants, or of two conflicting tokens of one tenant.
fn conflict_problem(places: &[TenantPlace<'_, '_>], error: &TenantsError) -> Option<Problem> {
    let problem_at = |place: &TenantPlace<'_, '_>| {
        let is_about_tokens = matches!(error, TenantsError::TokenName(..) | TenantsError::SameToken(..));
        let path = if is_about_tokens { place.path.key("rest").key("tokens") } else { place.path.clone() };
        place.document.problem(&path, error.to_string())
    };
    let last = places.iter().rev().find(|place| place.id == *error.tenant()).map(problem_at)?;
    let first_place =
        |id: &TenantId| places.iter().find(|place| place.id == *id).map(problem_at).and_then(|first| first.place);
    let hint = match error {
        TenantsError::Twice(id) => first_place(id).map(|place| format!("it is at {place} too: remove one of them")),
        TenantsError::SharedKey(id, _) => first_place(id).map(|place| format!("the other one is at {place}")),
        TenantsError::TokenName(..) | TenantsError::SameToken(..) => None,
    };
    Some(match hint {
        Some(hint) => last.with_hint(hint),
        None => last,
    })
}

/// The tables of the main file.
#[derive(Default)]
struct RootTables {
    server: Server,
    outbound: Outbound,
    /// The tables of the tenants, which are read later.
    tenants: Map<String, Value>,
}

impl RootTables {
    fn read(document: &Document<'_>, problems: &mut Vec<Problem>) -> Self {
        let Value::Object(mut table) = document.to_json() else { return Self::default() };
        let path = KeyPath::default();
        let tenants = table.remove("tenants");
        let schema = schemars::schema_for!(model::Root).to_value();
        let sources = Sources::new(document.file.folder(), Reach::Everything);
        let mut inspection = Inspection::new(document, &sources);
        if let Some(shape) = Shape::new(&schema) {
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
        Self { server: root.server, outbound: root.outbound, tenants }
    }
}

/// The files of a configuration.
struct Files {
    main: Option<File>,
    tenants: Vec<File>,
}

impl Files {
    fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let unreadable = |error: std::io::Error| {
            let problem = Problem::new(format!("the configuration cannot be read: {error}")).in_file(path);
            vec![problem.with_hint("name a file or a folder with `--config`; without one, `serve` runs a demo")]
        };
        if !path.metadata().map_err(unreadable)?.is_dir() {
            return Ok(Self { main: Some(File::read(path).map_err(|problem| vec![problem])?), tenants: Vec::new() });
        }
        let (mut paths, mut problems) = (Vec::new(), Vec::new());
        for entry in path.read_dir().map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let extension = path.extension().filter(|_| !hidden).unwrap_or_default();
            if extension == "toml" {
                paths.push(path);
            } else if extension.eq_ignore_ascii_case("toml") {
                let message = "the file would be ignored: its name must end with `.toml` in lower case";
                let hint = format!("rename it to `{}`", path.with_extension("toml").display());
                problems.push(Problem::new(message).in_file(&path).with_hint(hint));
            }
        }
        paths.sort();
        let mut files = Self { main: None, tenants: Vec::new() };
        for path in paths {
            match File::read(&path) {
                Ok(file) if path.file_name().is_some_and(|name| name == FILE_NAME) => files.main = Some(file),
                Ok(file) => files.tenants.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }
}
