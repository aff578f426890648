//! One pass over the files of a configuration, which reads the tenants that have changed.

use std::path::PathBuf;
use std::sync::Arc;

use idp_bridge_core::TenantId;
use idp_bridge_server::{Tenant, Tenants};
use serde_json::Value;

use super::conflict::conflict_problem;
use super::document::{Document, File};
use super::files::{Files, TenantFile};
use super::inputs::{Digest, Inputs, OwnFile, Stamp};
use super::load::{LoadedTenant, Loader};
use super::parts;
use super::path::KeyPath;
use super::problem::Problem;
use super::root::RootTables;
use super::tenant::Reader;
use super::tls::TlsEntry;

/// All that was read in one pass.
pub(super) struct Pass {
    pub(super) root: RootTables,
    pub(super) entries: Vec<TenantEntry>,
    /// The tenants with valid settings. Empty if they conflict with each other.
    pub(super) tenants: Tenants,
    pub(super) tls: Option<TlsEntry>,
    /// The problems of the main file, and conflicts between tenants.
    pub(super) problems: Vec<Problem>,
}

/// A tenant that was read.
pub(super) struct TenantEntry {
    pub(super) id: String,
    pub(super) tenant: ReadTenant,
}

/// The result of reading a tenant.
pub(super) enum ReadTenant {
    /// The settings and files are those of the loaded tenant.
    Unchanged,
    New(LoadedTenant),
    Broken {
        problems: Vec<Problem>,
        /// The files that were read until then.
        files: Vec<PathBuf>,
    },
}

impl ReadTenant {
    /// Creates a tenant with problems in its own file.
    fn broken(problems: Vec<Problem>) -> Self {
        Self::Broken { problems, files: Vec::new() }
    }
}

/// The contents of the main file.
#[derive(Default)]
struct Main {
    root: RootTables,
    entries: Vec<TenantEntry>,
    tls: Option<TlsEntry>,
    problems: Vec<Problem>,
}

/// The settings of a tenant, before they are read.
struct TenantSource<'a, 'f> {
    id: &'a str,
    document: &'a Document<'f>,
    path: KeyPath,
    settings: Digest,
}

impl Loader {
    /// Reads all files. Fails if the main file cannot be read.
    pub(super) fn read_all(&mut self) -> Result<Pass, Vec<Problem>> {
        let files = Files::read(&self.path)?;
        let main = files.main.as_ref().map(|file| match self.read_parts(file) {
            Some(main) => Ok(main),
            None => self.read_whole(file),
        });
        let Main { root, mut entries, tls, mut problems } = main.transpose()?.unwrap_or_default();
        let shared = root.tenant_settings();
        for file in &files.tenants {
            let tenant = self.read_tenant_file(&root, &shared, file);
            entries.push(TenantEntry { id: file.id.clone(), tenant });
        }
        if entries.is_empty() && problems.is_empty() {
            let problem = Problem::new("no tenant is configured").in_file(&self.path);
            problems.push(problem.with_hint("add a table `[tenants.<id>]`"));
        }
        let valid = entries.iter().filter_map(|entry| self.current(entry));
        let tenants = Tenants::new(valid).unwrap_or_else(|error| {
            problems.push(conflict_problem(&files, &error));
            Tenants::default()
        });
        Ok(Pass { root, entries, tenants, tls, problems })
    }

    /// Returns the tenant with the settings that were read.
    fn current(&self, entry: &TenantEntry) -> Option<Arc<Tenant>> {
        match &entry.tenant {
            ReadTenant::New(new) => Some(Arc::clone(&new.tenant)),
            ReadTenant::Unchanged => Some(Arc::clone(&self.loaded.get(&TenantId::new(&entry.id).ok()?)?.tenant)),
            ReadTenant::Broken { .. } => None,
        }
    }

    /// Reads the main file as one document.
    fn read_whole(&mut self, file: &File) -> Result<Main, Vec<Problem>> {
        let document = Document::parse(file)?;
        let mut main = Main::read(&document);
        let shared = main.root.tenant_settings();
        for (id, table) in std::mem::take(&mut main.root.tenants) {
            let settings = Digest::new(&[&shared, &table.to_string()]);
            let tenant = if self.unchanged(&id, settings).is_some() {
                ReadTenant::Unchanged
            } else {
                let path = KeyPath::tenant(&id);
                self.read_tenant(&main.root, &TenantSource { id: &id, document: &document, path, settings }, table)
            };
            main.entries.push(TenantEntry { id, tenant });
        }
        Ok(main)
    }

    /// Reads the main file part by part, and only the parts that have changed.
    ///
    /// Returns `None` if it cannot be split, or if a part is not TOML.
    fn read_parts(&mut self, file: &File) -> Option<Main> {
        let parts = parts::split(file.text())?;
        let mut main = {
            let document = Document::parse_part(file, parts.head).ok()?;
            if document.has(&KeyPath::default().key("tenants")) {
                return None;
            }
            Main::read(&document)
        };
        let shared = main.root.tenant_settings();
        for (id, range) in parts.tenants {
            let part = Digest::new(&[&shared, file.text().get(range.clone())?]);
            let tenant = if self.is_part_current(id, part) {
                ReadTenant::Unchanged
            } else {
                let document = Document::parse_part(file, range).ok()?;
                self.read_part(&main.root, id, &document, part)?
            };
            main.entries.push(TenantEntry { id: id.to_owned(), tenant });
        }
        Some(main)
    }

    /// Reads the tenant in a part of the main file.
    fn read_part(&mut self, root: &RootTables, id: &str, document: &Document<'_>, part: Digest) -> Option<ReadTenant> {
        let table = document.to_json().pointer_mut(&format!("/tenants/{id}")).map(Value::take)?;
        let settings = Digest::new(&[&root.tenant_settings(), &table.to_string()]);
        if let Some(loaded) = self.unchanged(id, settings) {
            loaded.inputs.part = Some(part);
            return Some(ReadTenant::Unchanged);
        }
        let mut tenant =
            self.read_tenant(root, &TenantSource { id, document, path: KeyPath::tenant(id), settings }, table);
        if let ReadTenant::New(new) = &mut tenant {
            new.inputs.part = Some(part);
        }
        Some(tenant)
    }

    /// Returns whether the loaded tenant was read from this part, and its files are still as they were.
    fn is_part_current(&mut self, id: &str, part: Digest) -> bool {
        let loaded = TenantId::new(id).ok().and_then(|id| self.loaded.get_mut(&id));
        loaded.is_some_and(|loaded| loaded.inputs.is_part_current(part))
    }

    /// Reads the file of a tenant, unless its stamp or its text shows that it has not changed.
    fn read_tenant_file(&mut self, root: &RootTables, shared: &str, file: &TenantFile) -> ReadTenant {
        let shared_digest = Digest::new(&[shared]);
        let loaded = TenantId::new(&file.id).ok().and_then(|id| self.loaded.get_mut(&id));
        if loaded.is_some_and(|loaded| loaded.inputs.are_current_unread(&file.path, shared_digest)) {
            return ReadTenant::Unchanged;
        }
        let own_file = Stamp::read(&file.path).map(|stamp| OwnFile { stamp, shared: shared_digest });
        let text = match file.read() {
            Ok(text) => text,
            Err(problem) => return ReadTenant::broken(vec![problem]),
        };
        let settings = Digest::new(&[shared, text.text()]);
        if let Some(loaded) = self.unchanged(&file.id, settings) {
            loaded.inputs.own_file = own_file;
            return ReadTenant::Unchanged;
        }
        let document = match Document::parse(&text) {
            Ok(document) => document,
            Err(problems) => return ReadTenant::broken(problems),
        };
        let source = TenantSource { id: &file.id, document: &document, path: KeyPath::default(), settings };
        let mut tenant = self.read_tenant(root, &source, document.to_json());
        if let ReadTenant::New(new) = &mut tenant {
            new.inputs.own_file = own_file;
        }
        tenant
    }

    /// Returns the loaded tenant if its settings and files are still as they were.
    fn unchanged(&mut self, id: &str, settings: Digest) -> Option<&mut LoadedTenant> {
        let loaded = self.loaded.get_mut(&TenantId::new(id).ok()?)?;
        loaded.inputs.are_current(settings).then_some(loaded)
    }

    fn read_tenant(&self, root: &RootTables, source: &TenantSource<'_, '_>, table: Value) -> ReadTenant {
        let mut reader = Reader::new(source.document, &self.connectors, &root.server, root.outbound);
        let earlier = TenantId::new(source.id).ok().and_then(|id| self.loaded.get(&id));
        if let Some(earlier) = earlier {
            reader.counters = earlier.tenant.upstream.clone();
        }
        let tenant = reader.read_tenant(source.id, table, &source.path);
        let files = reader.sources.into_files();
        let mut tenant = match tenant {
            Ok(tenant) => tenant,
            Err(problems) => {
                return ReadTenant::Broken { problems, files: files.into_iter().map(|file| file.path).collect() };
            }
        };
        if let Some(earlier) = earlier {
            tenant.continue_counters(&earlier.tenant);
        }
        if tenant.federation.is_some() && !self.has_revocations {
            let message = "the store was in memory when the bridge started, which is not enough for federation";
            let problem = source.document.problem(&source.path.key("federation"), message);
            return ReadTenant::broken(vec![problem.with_hint("restart the bridge")]);
        }
        let inputs = Inputs { settings: source.settings, part: None, own_file: None, files };
        ReadTenant::New(LoadedTenant { inputs, tenant: Arc::new(tenant) })
    }
}

impl Main {
    /// Reads the tables that are not about one tenant.
    fn read(document: &Document<'_>) -> Self {
        let mut problems = Vec::new();
        let root = RootTables::read(document, &mut problems);
        let tls = root.server.tls.as_ref().map(|settings| TlsEntry::read(document, settings));
        Self { root, entries: Vec::new(), tls, problems }
    }
}
