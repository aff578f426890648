//! The users of `--sqlite`: a file of the bridge's own, for a tenant without an identity provider.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use idp_bridge_core::TenantId;
use idp_bridge_protocol::{KeyRing, VerifyingKey};
use idp_bridge_server::Tenant;

use crate::commands::keys;
use crate::config::{MAX_SECRET, Problem, read_text};
use crate::report::Failure;
use crate::show;

/// The tenant of a file, unless the command line names another one.
const TENANT: &str = "default";

/// The `--sqlite` option.
#[derive(Debug, Clone, Args)]
pub(crate) struct SqliteOption {
    /// A SQLite file with the users of a tenant without an identity provider, instead of a configuration
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(crate) sqlite: Option<PathBuf>,
}

/// A file with users, and the files beside it.
#[derive(Debug)]
pub(crate) struct SqliteUsers {
    path: PathBuf,
    tenant: TenantId,
}

impl SqliteUsers {
    /// Creates the file if it is missing, or brings its schema up to date.
    pub(crate) fn create(path: &Path, tenant: Option<TenantId>) -> Result<Self, Problem> {
        let absolute = std::path::absolute(path);
        let path = absolute.map_err(|error| Problem::new(format!("the path of `--sqlite` cannot be used: {error}")))?;
        built::migrate(&path)?;
        let tenant = match tenant {
            Some(tenant) => tenant,
            None => TenantId::new(TENANT).map_err(|error| Problem::new(error.to_string()))?,
        };
        Ok(Self { path, tenant })
    }

    /// Opens an existing file, and brings its schema up to date.
    pub(crate) fn open(path: &Path, tenant: Option<TenantId>) -> Result<Self, Problem> {
        if !path.exists() {
            return Err(Problem::new(format!("`{}` does not exist", path.display())).with_hint(
                "`idp-bridge users import FILE --sqlite PATH` creates it, and so does `idp-bridge serve --sqlite PATH`",
            ));
        }
        Self::create(path, tenant)
    }

    /// Imports users, and returns their number.
    pub(crate) fn import(&self, text: &str, replace: bool) -> Result<usize, Problem> {
        built::import(&self.path, text, replace)
    }

    /// Returns the tenant for direct calls.
    pub(crate) fn to_tenant(&self) -> Result<Tenant, Problem> {
        built::tenant(&self.path, self.tenant.clone(), KeyRing::empty())
    }

    /// Returns the tenant for signed calls with the key beside the file. The first start generates it.
    pub(crate) fn to_served_tenant(&self) -> Result<Tenant, Failure> {
        let path = self.path.with_extension("bridge.key");
        if !path.exists() {
            let key = keys::generate(false)?;
            keys::write_private(&self.platform_key(), &key.to_text())?;
            keys::write_private(&path, &key.to_verifying_text())?;
        }
        let invalid = |reason: String| {
            Problem::new(format!("`{}` has no key: {reason}", path.display()))
                .with_hint("write the platform's `whpk_…` into it, or remove it and `….platform.key` for a new pair")
        };
        let text = read_text(&path, MAX_SECRET).map_err(|error| invalid(error.to_string()))?;
        let key = VerifyingKey::parse(text.trim()).map_err(|error| invalid(error.to_string()))?;
        let ring = KeyRing::new(vec![key]).ok_or_else(|| invalid("it is empty".to_owned()))?;
        Ok(built::tenant(&self.path, self.tenant.clone(), ring)?)
    }

    /// Creates the folder of the store, and returns it.
    pub(crate) fn create_state_folder(&self) -> Result<PathBuf, Problem> {
        let folder = self.path.with_extension("state");
        let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        created.map_err(|error| {
            Problem::new(format!("`{}` cannot be created: {error}", folder.display()))
                .with_hint("check the permissions of the folder of the file")
        })?;
        Ok(folder)
    }

    fn platform_key(&self) -> PathBuf {
        self.path.with_extension("platform.key")
    }

    /// Returns the text that `serve` prints, with a signed call to paste.
    pub(crate) fn introduction(&self, url: &str) -> String {
        let program = show::invocation();
        let (tenant, path) = (&self.tenant, show::quote_path(&self.path));
        let key = show::quote_path(&self.platform_key());
        format!(
            "The users of tenant `{tenant}` are in {path}. The platform signs calls with the key in {key}.\n\n\
             Import users:\n\n  {program} users import users.json --sqlite {path}\n\n\
             A signed call, from another terminal:\n\n  \
             {program} call get-by-email ada@acme.example --url {url} --tenant {tenant} --key-file {key}\n"
        )
    }
}

#[cfg(feature = "sql")]
mod built {
    use std::sync::Arc;

    use idp_bridge_connector_sql::{Sql, UserDatabase};
    use idp_bridge_core::{Connector as _, ConnectorContext, Error};

    use super::{KeyRing, Path, Problem, Tenant, TenantId};

    fn problem(path: &Path, error: &Error) -> Problem {
        Problem { hint: error.hint().map(str::to_owned), ..Problem::new(format!("`{}`: {error}", path.display())) }
    }

    pub(super) fn migrate(path: &Path) -> Result<(), Problem> {
        UserDatabase::open(path).map(drop).map_err(|error| problem(path, &error))
    }

    pub(super) fn import(path: &Path, text: &str, replace: bool) -> Result<usize, Problem> {
        let imported = UserDatabase::open(path).and_then(|mut database| database.import(text, replace));
        imported.map_err(|error| problem(path, &error))
    }

    pub(super) fn tenant(path: &Path, id: TenantId, keys: KeyRing) -> Result<Tenant, Problem> {
        let context = ConnectorContext::new(id.clone());
        let provider = Sql::build(UserDatabase::settings(path), &context).map_err(|error| problem(path, &error))?;
        Ok(Tenant::new(id, Sql::TYPE, Arc::new(provider), keys))
    }
}

#[cfg(not(feature = "sql"))]
mod built {
    use super::{KeyRing, Path, Problem, Tenant, TenantId};

    fn missing() -> Problem {
        Problem::new("this program was built without `--sqlite` (feature `sql`)")
            .with_hint("build it with `--features sql`")
    }

    pub(super) fn migrate(_: &Path) -> Result<(), Problem> {
        Err(missing())
    }

    pub(super) fn import(_: &Path, _: &str, _: bool) -> Result<usize, Problem> {
        Err(missing())
    }

    pub(super) fn tenant(_: &Path, _: TenantId, _: KeyRing) -> Result<Tenant, Problem> {
        Err(missing())
    }
}
