//! From the place where a configuration is to the tenants in it.

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
use super::tenant::{Reader, read};

/// The name of the file that is read if none is named, and that a folder has for what is no tenant's.
pub(crate) const FILE_NAME: &str = "idp-bridge.toml";

/// Where a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file, or a folder with a file for each tenant.
    Path(PathBuf),
    /// Nowhere: the demo is all there is.
    Nowhere,
}

impl Location {
    /// Looks where `--config` says, then where `IDP_BRIDGE_CONFIG` says, then for `./idp-bridge.toml`.
    pub(crate) fn find(option: Option<&Path>) -> Self {
        let named = option.map(Path::to_owned).or_else(environment::config);
        let default = || Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists());
        named.or_else(default).map_or(Self::Nowhere, Self::Path)
    }
}

/// A configuration that was read, with a provider for each tenant.
pub(crate) struct Settings {
    pub(crate) server: Server,
    /// In the order of the files.
    pub(crate) ids: Vec<TenantId>,
    pub(crate) tenants: Tenants,
}

impl Settings {
    /// The tenants, in the order of the files.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = Arc<Tenant>> {
        self.ids.iter().filter_map(|id| self.tenants.get(id))
    }

    /// The folder of the revocation list, if a tenant has federation.
    pub(crate) fn revocation_folder(&self) -> Option<&Path> {
        let federates = self.tenants().any(|tenant| tenant.federation.is_some());
        self.server.state_dir.as_deref().filter(|_| federates)
    }
}

/// Reads a file, or a folder with a file for each tenant; all that is wrong at once.
pub(crate) fn load(path: &Path, registry: &Registry) -> Result<Settings, Vec<Problem>> {
    let files = Files::read(path)?;
    let mut problems = Vec::new();
    let main = files.main.as_ref().map(Document::parse).transpose().map_err(|errors| problems.extend(errors));
    let others: Vec<_> = files
        .tenants
        .iter()
        .filter_map(|file| Document::parse(file).map_err(|errors| problems.extend(errors)).ok())
        .collect();
    let Ok(main) = main else { return Err(problems) };
    let (server, outbound, own_tenants) = match &main {
        Some(document) => base(document, &mut problems),
        None => (Server::default(), Outbound::default(), Map::new()),
    };
    let reader = |document| Reader::new(document, registry, &server, outbound);
    let mut tenants = Vec::new();
    if let Some(document) = &main {
        for (id, value) in own_tenants {
            let path = KeyPath::default().key("tenants").key(&id);
            tenants.push((document, reader(document).tenant(&id, value, &path), path));
        }
    }
    for document in &others {
        let id = document.file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = KeyPath::default();
        tenants.push((document, reader(document).tenant(&id, document.to_json(), &path), path));
    }
    if tenants.is_empty() && problems.is_empty() {
        problems.push(Problem::new("no tenant is configured").in_file(path).hint("add a table `[tenants.<id>]`"));
    }
    let (ids, tenants) = together(tenants, &mut problems);
    if problems.is_empty() {
        return Ok(Settings { server, ids, tenants });
    }
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    Err(problems)
}

/// What was read of a tenant, and where.
type Read<'d, 'f> = (&'d Document<'f>, Result<Tenant, Vec<Problem>>, KeyPath);

/// Where a tenant is configured.
type Place<'d, 'f> = (TenantId, &'d Document<'f>, KeyPath);

/// Takes the tenants that are right alone, and finds what is wrong with them together.
fn together(read: Vec<Read<'_, '_>>, problems: &mut Vec<Problem>) -> (Vec<TenantId>, Tenants) {
    let (mut places, mut tenants) = (Vec::new(), Vec::new());
    for (document, tenant, path) in read {
        match tenant {
            Ok(tenant) => {
                places.push((tenant.id.clone(), document, path));
                tenants.push(tenant);
            }
            Err(more) => problems.extend(more),
        }
    }
    match Tenants::new(tenants) {
        Ok(tenants) => (places.into_iter().map(|(id, ..)| id).collect(), tenants),
        Err(error) => {
            problems.extend(conflict(&places, &error));
            Default::default()
        }
    }
}

/// Reports two tenants, or two tokens of one tenant, that exclude each other.
fn conflict(places: &[Place<'_, '_>], error: &TenantsError) -> Option<Problem> {
    let problem = |(_, document, path): &Place<'_, '_>| {
        let is_about_tokens = matches!(error, TenantsError::TokenName(..) | TenantsError::SameToken(..));
        let path = if is_about_tokens { path.key("rest").key("tokens") } else { path.clone() };
        document.problem(&path, error.to_string())
    };
    let last = places.iter().rev().find(|(own, ..)| own == error.tenant()).map(problem)?;
    let place_of = |tenant| places.iter().find(|(own, ..)| own == tenant).map(problem).and_then(|first| first.place);
    let hint = match error {
        TenantsError::Twice(first) => place_of(first).map(|place| format!("it is at {place} too: remove one of them")),
        TenantsError::SharedKey(first, _) => place_of(first).map(|place| format!("the other one is at {place}")),
        TenantsError::TokenName(..) | TenantsError::SameToken(..) => None,
    };
    Some(match hint {
        Some(hint) => last.hint(hint),
        None => last,
    })
}

/// Reads what is no tenant's, and hands the tenants over unread.
fn base(document: &Document<'_>, problems: &mut Vec<Problem>) -> (Server, Outbound, Map<String, Value>) {
    let Value::Object(mut table) = document.to_json() else { return Default::default() };
    let root = KeyPath::default();
    let tenants = table.remove("tenants");
    let schema = schemars::schema_for!(model::Root).to_value();
    let sources = Sources::new(document.file.folder(), Reach::Everything);
    let mut inspection = Inspection::new(document, &sources);
    if let Some(shape) = Shape::of(&schema) {
        inspection.table(shape, &mut table, &root);
    }
    problems.append(&mut inspection.problems);
    let base: model::Root = read(document, table, &root, problems).unwrap_or_default();
    let tenants = match tenants {
        Some(Value::Object(tenants)) => tenants,
        Some(_) => {
            problems.push(document.problem(&root.key("tenants"), "expected a table"));
            Map::new()
        }
        None => Map::new(),
    };
    (base.server, base.outbound, tenants)
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
            vec![problem.hint("name a file or a folder with `--config`; without one, `serve` runs a demo")]
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
                let message = "the file would not be read: its name ends with other letters than `.toml`";
                let hint = format!("rename it to `{}`", path.with_extension("toml").display());
                problems.push(Problem::new(message).in_file(&path).hint(hint));
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
