//! Locates the configuration, loads the tenants in it, and loads them again when it has changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use idp_bridge_core::{Registry, TenantId};
use idp_bridge_server::{Tenant, Tenants, Tls};
use serde_json::Value;

use super::connector::Connectors;
use super::environment;
use super::inputs::{Digest, Inputs};
use super::model::{Audit, Server, Traces};
use super::pass::{Pass, ReadTenant, TenantEntry};
use super::problem::Problem;
use super::root::RootTables;
use super::store::StoreSettings;
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
    pub(super) path: PathBuf,
    pub(super) connectors: Connectors,
    /// The tables of the bridge itself, when it started.
    settings: Value,
    /// Whether a tenant with federation can be added.
    pub(super) has_revocations: bool,
    /// The tenants that are served.
    pub(super) loaded: HashMap<TenantId, LoadedTenant>,
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

/// A tenant, and the sources of its settings.
pub(super) struct LoadedTenant {
    pub(super) inputs: Inputs,
    pub(super) tenant: Arc<Tenant>,
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
        let Pass { root, entries, tenants, tls, mut problems } = loader.read_all()?;
        let tls = tls.and_then(|TlsEntry { files, digest, tls }| {
            loader.tls = Some(LoadedTls { files, digest });
            tls.map_err(|problem| problems.push(problem)).ok()
        });
        let mut ids = Vec::with_capacity(entries.len());
        loader.loaded.reserve(entries.len());
        for TenantEntry { tenant, .. } in entries {
            match tenant {
                ReadTenant::Unchanged => {}
                ReadTenant::New(new) => {
                    ids.push(new.tenant.id.clone());
                    loader.loaded.insert(new.tenant.id.clone(), new);
                }
                ReadTenant::Broken { problems: broken, .. } => problems.extend(broken),
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
        let Pass { root, entries, mut tenants, tls, mut problems } = self.read_all()?;
        if !problems.is_empty() {
            return Err(problems);
        }
        let ids: HashSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let removed: Vec<_> = self.loaded.keys().filter(|id| !ids.contains(id.as_str())).cloned().collect();
        removed.iter().for_each(|id| drop(self.loaded.remove(id)));
        let (mut changed, mut broken, mut broken_files) = (Vec::new(), Vec::new(), Vec::new());
        for TenantEntry { id, tenant } in entries {
            match tenant {
                ReadTenant::Unchanged => {}
                ReadTenant::New(new) => {
                    changed.push(new.tenant.id.clone());
                    self.loaded.insert(new.tenant.id.clone(), new);
                }
                ReadTenant::Broken { problems: reasons, files } => {
                    problems.extend(reasons);
                    broken_files.extend(files);
                    broken.push(id);
                }
            }
        }
        if !broken.is_empty() {
            // Those with invalid settings are served with the earlier ones.
            tenants = Tenants::new(self.loaded.values().map(|loaded| Arc::clone(&loaded.tenant)))
                .map_err(|error| vec![Problem::new(error.to_string())])?;
        }
        self.broken_files = broken_files;
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
