//! Locates the configuration, loads the tenants in it, and loads them again when it has changed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use idp_bridge_core::{Registry, TenantId};
use idp_bridge_server::{Tenant, Tenants, Tls};
use serde_json::Value;

use super::conflict::{TenantPlace, conflict_problem};
use super::connector::Connectors;
use super::document::{Document, File};
use super::environment;
use super::files::{Files, TenantFile};
use super::inputs::{Digest, Inputs, OwnFile, Stamp};
use super::model::{Audit, Server, Traces};
use super::path::KeyPath;
use super::problem::Problem;
use super::root::RootTables;
use super::store::StoreSettings;
use super::tenant::Reader;
use super::tls::TlsEntry;

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
    pub(crate) store: StoreSettings,
    pub(crate) audit: Option<Audit>,
    pub(crate) traces: Option<Traces>,
    /// The ids of the tenants, in the order of the files.
    pub(crate) ids: Vec<TenantId>,
    pub(crate) tenants: Tenants,
    /// The certificate of the main listener. `None` for clear text.
    pub(crate) tls: Option<Tls>,
}

impl Settings {
    /// Returns the tenants, in the order of the files.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = Arc<Tenant>> {
        self.ids.iter().filter_map(|id| self.tenants.get(id))
    }
}

/// Loads a file, or a folder with one file per tenant. Returns all problems at once.
pub(crate) fn load(path: &Path, registry: &Registry) -> Result<Settings, Vec<Problem>> {
    Loader::start(path, registry).map(|(settings, _)| settings)
}

/// Loads a configuration, and loads it again when it has changed.
pub(crate) struct Loader {
    path: PathBuf,
    connectors: Connectors,
    /// The tables of the bridge itself, when it started.
    settings: Value,
    /// Whether a tenant with federation can be added.
    has_revocations: bool,
    /// The tenants that are served.
    loaded: HashMap<TenantId, LoadedTenant>,
    /// The files of tenants with invalid settings. One of them may be missing.
    broken_files: Vec<PathBuf>,
    tls: Option<LoadedTls>,
}

/// The files of the certificate, and the digest of those that are used.
struct LoadedTls {
    files: Vec<PathBuf>,
    digest: Option<Digest>,
}

/// A change of the certificate.
#[derive(Debug)]
pub(crate) enum TlsChange {
    /// The certificate that is used is that of the files, or TLS is off.
    Unchanged,
    /// The files have a new certificate.
    Replaced(Tls),
    /// The files are invalid. The earlier certificate is still used.
    Broken,
}

/// The result of loading a configuration again.
pub(crate) struct Reload {
    pub(crate) tenants: Tenants,
    /// The tenants with new settings.
    pub(crate) changed: Vec<TenantId>,
    /// The tenants that are no longer configured.
    pub(crate) removed: Vec<TenantId>,
    /// The ids of the tenants whose new settings are invalid. They keep their earlier settings, if they had any.
    pub(crate) broken: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) tls: TlsChange,
    /// The keys with new values that only a restart applies.
    pub(crate) keys_for_restart: Vec<String>,
}

/// A tenant, and what it was read from.
#[derive(Clone)]
struct LoadedTenant {
    inputs: Inputs,
    tenant: Arc<Tenant>,
}

impl Loader {
    /// Loads a configuration for the first time. Returns all problems at once.
    pub(crate) fn start(path: &Path, registry: &Registry) -> Result<(Settings, Self), Vec<Problem>> {
        let mut loader = Self {
            path: path.to_owned(),
            connectors: Connectors::new(registry),
            settings: Value::Null,
            has_revocations: true,
            loaded: HashMap::new(),
            broken_files: Vec::new(),
            tls: None,
        };
        let Pass { root, entries, tenants, tls, mut problems } = loader.read()?;
        let tls = tls.and_then(|TlsEntry { files, digest, tls }| {
            loader.tls = Some(LoadedTls { files, digest });
            tls.map_err(|problem| problems.push(problem)).ok()
        });
        let mut ids = Vec::new();
        for TenantEntry { tenant, .. } in entries {
            match tenant {
                Ok(loaded) => {
                    ids.push(loaded.tenant.id.clone());
                    loader.loaded.insert(loaded.tenant.id.clone(), loaded);
                }
                Err(broken) => problems.extend(broken.problems),
            }
        }
        if !problems.is_empty() {
            problems.sort_by(|one, other| one.place.cmp(&other.place));
            return Err(problems);
        }
        loader.settings = root.settings;
        let RootTables { server, store, audit, traces, .. } = root;
        Ok((Settings { server, store, audit, traces, ids, tenants, tls }, loader))
    }

    /// Refuses tenants with federation in a reload, since the server has no revocation list for them.
    pub(crate) fn refuse_federation(&mut self) {
        self.has_revocations = false;
    }

    /// Loads the configuration again.
    ///
    /// Tenants with equal settings and files are kept, with their connections. A tenant with invalid settings keeps the
    /// earlier ones. Fails without any change if the main file is invalid, or if tenants conflict with each other.
    pub(crate) fn reload(&mut self) -> Result<Reload, Vec<Problem>> {
        let Pass { root, entries, mut tenants, tls, mut problems } = self.read()?;
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut broken_files = Vec::new();
        let (mut loaded, mut changed, mut broken) = (HashMap::new(), Vec::new(), Vec::new());
        for TenantEntry { id, tenant } in entries {
            let earlier = TenantId::new(&id).ok().and_then(|id| self.loaded.get(&id));
            let tenant = match (tenant, earlier) {
                (Ok(new), earlier) => {
                    if !earlier.is_some_and(|earlier| Arc::ptr_eq(&earlier.tenant, &new.tenant)) {
                        changed.push(new.tenant.id.clone());
                    }
                    Some(new)
                }
                (Err(invalid), earlier) => {
                    problems.extend(invalid.problems);
                    broken_files.extend(invalid.files);
                    broken.push(id);
                    earlier.cloned()
                }
            };
            if let Some(tenant) = tenant {
                loaded.insert(tenant.tenant.id.clone(), tenant);
            }
        }
        if !broken.is_empty() {
            // Those with invalid settings are served with the earlier ones.
            tenants = Tenants::new(loaded.values().map(|loaded| Arc::clone(&loaded.tenant)))
                .map_err(|error| vec![Problem::new(error.to_string())])?;
        }
        let removed = self.loaded.keys().filter(|id| !loaded.contains_key(*id)).cloned().collect();
        (self.loaded, self.broken_files) = (loaded, broken_files);
        let tls = self.replace_tls(tls, &mut problems);
        let keys_for_restart = root.keys_for_restart(&self.settings);
        Ok(Reload { tenants, changed, removed, broken, problems, tls, keys_for_restart })
    }

    /// Compares the certificate with the one that is used. Only a restart begins or ends TLS.
    fn replace_tls(&mut self, entry: Option<TlsEntry>, problems: &mut Vec<Problem>) -> TlsChange {
        let (Some(loaded), Some(TlsEntry { files, digest, tls })) = (&mut self.tls, entry) else {
            return TlsChange::Unchanged;
        };
        loaded.files = files;
        match tls {
            Ok(_) if loaded.digest == digest => TlsChange::Unchanged,
            Ok(tls) => {
                loaded.digest = digest;
                TlsChange::Replaced(tls)
            }
            Err(problem) => {
                problems.push(problem);
                TlsChange::Broken
            }
        }
    }

    /// Returns the folders with files of the configuration, which include links to such files.
    ///
    /// Of a missing folder it returns the next one above it, in which it may appear.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let own = if self.path.is_dir() { Some(self.path.as_path()) } else { folder_of(&self.path) };
        let files = self.loaded.values().flat_map(|loaded| &loaded.inputs.files).map(|file| &file.path);
        let files = files.chain(&self.broken_files).chain(self.tls.iter().flat_map(|tls| &tls.files));
        let folders: BTreeSet<&Path> = own.into_iter().chain(files.filter_map(|file| folder_of(file))).collect();
        folders.into_iter().filter_map(existing_folder).map(Path::to_owned).collect()
    }

    /// Returns the number of a tenant's files that the next load reads only if they have changed.
    #[cfg(test)]
    pub(crate) fn count_conclusive(&self, id: &str) -> usize {
        TenantId::new(id).ok().and_then(|id| self.loaded.get(&id)).map_or(0, |loaded| loaded.inputs.count_conclusive())
    }

    /// Reads all files. Fails if the main file cannot be read.
    fn read(&mut self) -> Result<Pass, Vec<Problem>> {
        let files = Files::read(&self.path)?;
        let mut problems = Vec::new();
        let main = files.main.as_ref().map(Document::parse).transpose()?.map(Rc::new);
        let root = main.as_ref().map(|document| RootTables::read(document, &mut problems));
        let mut root = root.unwrap_or_default();
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        let tables = std::mem::take(&mut root.tenants);
        let shared = root.tenant_settings();
        let settings = main.as_ref().zip(root.server.tls.as_ref());
        let tls = settings.map(|(document, settings)| TlsEntry::read(document, settings));
        if let Some(document) = &main {
            for (id, table) in tables {
                let path = KeyPath::default().key("tenants").key(&id);
                let settings = Digest::new(&[&shared, &table.to_string()]);
                let tenant = self.unchanged(&id, settings).map_or_else(
                    || self.read_tenant(&root, &TenantSource { id: &id, document, path: &path, settings }, table),
                    Ok,
                );
                let document = Some(Rc::clone(document));
                places.push(TenantPlace { id: id.clone(), path, document });
                entries.push(TenantEntry { id, tenant });
            }
        }
        let shared_digest = Digest::new(&[&shared]);
        let texts: Vec<_> = files.tenants.iter().map(|file| self.read_changed_file(file, shared_digest)).collect();
        for (TenantFile { id, .. }, text) in files.tenants.iter().zip(&texts) {
            let (tenant, document) = match text {
                TenantText::Unchanged(tenant) => (Ok(tenant.clone()), None),
                TenantText::Read(file, own_file) => {
                    let (mut tenant, document) = self.read_tenant_file(&root, &shared, id, file);
                    if let Ok(tenant) = &mut tenant {
                        tenant.inputs.own_file = *own_file;
                    }
                    (tenant, document)
                }
                TenantText::Unreadable(problem) => (Err(vec![problem.clone()].into()), None),
            };
            places.push(TenantPlace { id: id.clone(), path: KeyPath::default(), document });
            entries.push(TenantEntry { id: id.clone(), tenant });
        }
        if entries.is_empty() && problems.is_empty() {
            let problem = Problem::new("no tenant is configured").in_file(&self.path);
            problems.push(problem.with_hint("add a table `[tenants.<id>]`"));
        }
        let valid = entries.iter().filter_map(|entry| Some(Arc::clone(&entry.tenant.as_ref().ok()?.tenant)));
        let tenants = Tenants::new(valid).unwrap_or_else(|error| {
            problems.push(conflict_problem(&places, &error).unwrap_or_else(|| Problem::new(error.to_string())));
            Tenants::default()
        });
        Ok(Pass { root, entries, tenants, tls, problems })
    }

    /// Reads the file of a tenant, unless its stamp shows that it has not changed.
    fn read_changed_file(&mut self, file: &TenantFile, shared: Digest) -> TenantText {
        let loaded = TenantId::new(&file.id).ok().and_then(|id| self.loaded.get_mut(&id));
        if let Some(loaded) = loaded
            && loaded.inputs.are_current_unread(&file.path, shared)
        {
            return TenantText::Unchanged(loaded.clone());
        }
        let own_file = Stamp::read(&file.path).map(|stamp| OwnFile { stamp, shared });
        match file.read() {
            Ok(file) => TenantText::Read(file, own_file),
            Err(problem) => TenantText::Unreadable(problem),
        }
    }

    /// Returns the loaded tenant if its settings and files are still as they were.
    fn unchanged(&mut self, id: &str, settings: Digest) -> Option<LoadedTenant> {
        let loaded = self.loaded.get_mut(&TenantId::new(id).ok()?)?;
        loaded.inputs.are_current(settings).then(|| loaded.clone())
    }

    /// Reads the file of a tenant. Returns the document, too, unless the tenant is unchanged or the file is not TOML.
    fn read_tenant_file<'f>(
        &mut self,
        root: &RootTables,
        shared: &str,
        id: &str,
        file: &'f File,
    ) -> (Result<LoadedTenant, BrokenTenant>, Option<Rc<Document<'f>>>) {
        let settings = Digest::new(&[shared, file.text()]);
        if let Some(unchanged) = self.unchanged(id, settings) {
            return (Ok(unchanged), None);
        }
        match Document::parse(file) {
            Ok(document) => {
                let source = TenantSource { id, document: &document, path: &KeyPath::default(), settings };
                let tenant = self.read_tenant(root, &source, document.to_json());
                (tenant, Some(Rc::new(document)))
            }
            Err(problems) => (Err(problems.into()), None),
        }
    }

    fn read_tenant(
        &self,
        root: &RootTables,
        source: &TenantSource<'_, '_>,
        table: Value,
    ) -> Result<LoadedTenant, BrokenTenant> {
        let mut reader = Reader::new(source.document, &self.connectors, &root.server, root.outbound);
        let earlier = TenantId::new(source.id).ok().and_then(|id| self.loaded.get(&id));
        if let Some(earlier) = earlier {
            reader.counters = earlier.tenant.upstream.clone();
        }
        let tenant = reader.read_tenant(source.id, table, source.path);
        let files = reader.sources.into_files();
        let mut tenant = match tenant {
            Ok(tenant) => tenant,
            Err(problems) => {
                return Err(BrokenTenant { problems, files: files.into_iter().map(|file| file.path).collect() });
            }
        };
        if let Some(earlier) = earlier {
            tenant.continue_counters(&earlier.tenant);
        }
        let tenant = Arc::new(tenant);
        if tenant.federation.is_some() && !self.has_revocations {
            let message = "the store was in memory when the bridge started, which is not enough for federation";
            let problem = source.document.problem(&source.path.key("federation"), message);
            return Err(vec![problem.with_hint("restart the bridge")].into());
        }
        let inputs = Inputs { settings: source.settings, own_file: None, files };
        Ok(LoadedTenant { inputs, tenant })
    }
}

/// Returns the folder of a file.
fn folder_of(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// Returns the folder, or the next one above it that exists.
fn existing_folder(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.is_dir())
}

/// All that was read in one pass.
struct Pass {
    root: RootTables,
    entries: Vec<TenantEntry>,
    /// The tenants with valid settings. Empty if they conflict with each other.
    tenants: Tenants,
    tls: Option<TlsEntry>,
    /// The problems of the main file, and conflicts between tenants.
    problems: Vec<Problem>,
}

/// A tenant that was read.
struct TenantEntry {
    id: String,
    tenant: Result<LoadedTenant, BrokenTenant>,
}

/// The problems of a tenant, and the files that were read until then.
struct BrokenTenant {
    problems: Vec<Problem>,
    files: Vec<PathBuf>,
}

impl From<Vec<Problem>> for BrokenTenant {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, files: Vec::new() }
    }
}

/// The file of a tenant.
enum TenantText {
    Unchanged(LoadedTenant),
    Read(File, Option<OwnFile>),
    Unreadable(Problem),
}

/// The settings of a tenant, before they are read.
struct TenantSource<'a, 'f> {
    id: &'a str,
    document: &'a Document<'f>,
    path: &'a KeyPath,
    settings: Digest,
}
