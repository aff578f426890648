//! A store in a file, for a single replica: the revocation list and the idempotency keys.

mod database;
mod folder;
mod revocations;
#[cfg(test)]
mod tests;
mod worker;
mod writes;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use idp_bridge_core::{Clock, Error, Finding, Result, TenantId, async_trait};
use jiff::Timestamp;
use redb::Database;
use redb::backends::FileBackend;

pub use self::folder::FolderState;

use self::database::{FileDatabase, Open};
use self::folder::FILE_NAME;
use crate::idempotency::{Ending, Held, LeaseRequest, LeaseTable};
use crate::revocation::{Kept, MemoryRevocations, Revocation, RevocationStore, RevokedKey};

/// The minimum interval between attempts to open a failing file.
const PAUSE: Duration = Duration::from_secs(1);
/// The size of the file's cache in bytes.
const CACHE: usize = 16 * 1024 * 1024;

/// Keeps the revocation list and the idempotency keys in a file that one process uses at a time.
///
/// A change is complete when it is on the disk. The file contains digests, and neither ids nor tokens.
/// The revocation list is in memory, too, so that looking up a token reads no file.
pub struct FileStore {
    database: FileDatabase,
    /// The entries that are on the disk.
    revocations: Arc<MemoryRevocations>,
    clock: Arc<dyn Clock>,
    /// The maximum number of idempotency keys.
    max_writes: u64,
}

impl FileStore {
    /// Opens the file in this folder, or creates it if the folder never had one.
    ///
    /// Checks the whole file, so that a damaged one is not used. Fails if an earlier file is missing, since a new one would
    /// accept the tokens of all ended logins.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let open = {
            let (folder, path) = (folder.to_owned(), path.clone());
            move || open(&folder, &path)
        };
        Self::from_open(Box::new(open), PAUSE, clock).map_err(|error| not_opened(&path, error))
    }

    /// Allows [`open`](Self::open) to replace a missing file by a new one. Returns false if no file is missing.
    pub fn accept_loss(folder: &Path) -> Result<bool> {
        folder::accept_loss(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    /// Returns the state of the folder without changing it.
    ///
    /// Fails like [`open`](Self::open), but detects no damage and allows another process to use the file.
    pub fn inspect(folder: &Path) -> Result<FolderState> {
        folder::inspect(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    /// Checks that the file can be opened, without changing it.
    pub fn diagnose(folder: &Path) -> Finding {
        let check = "`state_dir` can be used";
        match Self::inspect(folder) {
            Ok(FolderState::New) => {
                Finding::ok(check, &[]).with_detail("the revocation list is created at the first start".to_owned())
            }
            Ok(FolderState::Kept | FolderState::InUse) => Finding::ok(check, &[]),
            Err(error) => {
                let fix = error.hint().unwrap_or("check the folder and its permissions").to_owned();
                Finding::failed(check, &[], fix).with_detail(error.to_string())
            }
        }
    }

    fn from_open(open: Open, pause: Duration, clock: Arc<dyn Clock>) -> Result<Self, redb::Error> {
        let database = database::open_guarded(&open)?;
        let revocations = Arc::new(MemoryRevocations::new(Arc::clone(&clock)));
        revocations.add(&revocations::all(&database)?);
        let database = FileDatabase::new(database, open, pause)?;
        Ok(Self { database, revocations, clock, max_writes: writes::MAX_RECORDS })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileStore")
    }
}

#[async_trait]
impl RevocationStore for FileStore {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        let entries = Arc::new(Kept::by_digest(tenant, entries));
        let (written, clock) = (Arc::clone(&entries), Arc::clone(&self.clock));
        let work = move |transaction: &_| revocations::add(transaction, &written, clock.now());
        // Not before the commit: a logout whose entry is only in memory would be reported as completed when it is repeated.
        let revocations = Arc::clone(&self.revocations);
        self.database.write(work, move || revocations.add(&entries)).await
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        Ok(self.revocations.rejects(tenant, keys, issued_at))
    }
}

#[async_trait]
impl LeaseTable for FileStore {
    async fn acquire(&self, request: &LeaseRequest) -> Result<Held> {
        let (now, max, own) = (self.clock.now(), self.max_writes, request.clone());
        // A write that waits looks up its key again and again, which needs no commit.
        if let Some(held) = self.database.read(move |database| writes::find(database, &own, now)).await? {
            return Ok(held);
        }
        let own = request.clone();
        self.database.write(move |transaction| writes::acquire(transaction, &own, now, max), || ()).await
    }

    async fn end(&self, request: &LeaseRequest, ending: &Ending) -> Result<bool> {
        let (now, request, ending) = (self.clock.now(), request.clone(), ending.clone());
        self.database.write(move |transaction| writes::end(transaction, &request, &ending, now), || ()).await
    }
}

fn open(folder: &Path, path: &Path) -> Result<Database, redb::Error> {
    if folder::is_lost(folder)? {
        return Err(io::Error::other(folder::Lost).into());
    }
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let backend = FileBackend::new(file)?;
    let database =
        Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(backend)?;
    let transaction = database.begin_write()?;
    revocations::prepare(&transaction)?;
    writes::prepare(&transaction)?;
    transaction.commit()?;
    folder::set_marker(folder)?;
    // A new file is durable only once its folder is synced, too.
    File::open(folder)?.sync_all()?;
    Ok(database)
}

fn not_opened(path: &Path, error: redb::Error) -> Error {
    let shown = path.display();
    let (reason, hint) = match &error {
        redb::Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<folder::Lost>()) => (
            "existed before and is now missing or empty".to_owned(),
            "restore it; without it every login that was ended within `max_token_age` can be used again, so end all \
             sessions at the identity providers, and then start once with `serve --accept-lost-revocations`",
        ),
        redb::Error::DatabaseAlreadyOpen => (
            "is in use by another process".to_owned(),
            "stop that process first; replicas need a shared store instead of a file",
        ),
        redb::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            (format!("cannot be opened: {error}"), "the folder must exist, be writable, and persist over a restart")
        }
        _ => (
            "is damaged or not a revocation list".to_owned(),
            "restore it; without it every login that was ended within `max_token_age` can be used again, so end all \
             sessions at the identity providers, move the file away, and start once with \
             `serve --accept-lost-revocations`",
        ),
    };
    Error::misconfigured(format!("the revocation list `{shown}` {reason}")).with_hint(hint).with_source(error)
}
