//! A revocation list in a file, for a single replica.

mod entries;
mod folder;
mod worker;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use idp_bridge_core::{Clock, Error, ErrorKind, Result, TenantId, async_trait};
use jiff::Timestamp;
use redb::Database;
use redb::backends::FileBackend;
use tokio::sync::oneshot;

pub use folder::FolderState;

use self::folder::FILE_NAME;
use self::worker::Worker;
use super::store::{Digest, Kept, Revocation, RevocationStore, RevokedKey};

/// The minimum interval between attempts to open a failing file.
const PAUSE: Duration = Duration::from_secs(1);
/// The size of the file's cache in bytes.
const CACHE: usize = 16 * 1024 * 1024;

/// Keeps the revocation list in a file that one process uses at a time.
///
/// A write returns when its entries are on the disk. The file contains digests, and neither ids nor tokens.
pub struct FileRevocations {
    store: Arc<Store>,
    /// A separate thread, so that reads do not wait for commits.
    reads: Worker,
    writes: Worker,
}

/// Opens the file, for the first time or after a failure.
type Open = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

struct Store {
    clock: Arc<dyn Clock>,
    open: Open,
    database: RwLock<Opened>,
    /// The minimum interval between attempts to open the file.
    pause: Duration,
    /// The entries for the next commit.
    waiting: Mutex<Vec<Waiting>>,
    /// Held during a commit.
    writing: Mutex<()>,
}

/// The result of opening the file.
struct Opened {
    /// `None` if the file could not be opened.
    database: Option<Database>,
    at: Instant,
}

/// Entries that wait for the next commit.
struct Waiting {
    entries: Vec<(Digest, Kept)>,
    done: oneshot::Sender<Result<(), Arc<Error>>>,
}

impl FileRevocations {
    /// Opens the list in this folder, or creates it if the folder never had one.
    ///
    /// Checks the whole file, so that a damaged list is not used. Fails if an earlier list is missing, since a new one would
    /// accept the tokens of all ended logins.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let open = {
            let (folder, path) = (folder.to_owned(), path.clone());
            move || open(&folder, &path)
        };
        Self::with(Box::new(open), PAUSE, clock).map_err(|error| not_opened(&path, error))
    }

    /// Allows [`open`](Self::open) to replace a missing list by a new one. Returns false if no list is missing.
    pub fn accept_loss(folder: &Path) -> Result<bool> {
        folder::accept_loss(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    /// Returns the state of the folder without changing it.
    ///
    /// Fails like [`open`](Self::open), but detects no damage and allows another process to use the list.
    pub fn inspect(folder: &Path) -> Result<FolderState> {
        folder::inspect(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    fn with(open: Open, pause: Duration, clock: Arc<dyn Clock>) -> Result<Self, redb::Error> {
        let database = RwLock::new(Opened { database: Some(open_guarded(&open)?), at: Instant::now() });
        let (waiting, writing) = (Mutex::default(), Mutex::default());
        let (reads, writes) = (Worker::start("revocation-reads")?, Worker::start("revocation-writes")?);
        Ok(Self { store: Arc::new(Store { clock, open, database, pause, waiting, writing }), reads, writes })
    }
}

impl fmt::Debug for FileRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileRevocations")
    }
}

#[async_trait]
impl RevocationStore for FileRevocations {
    async fn revoke(&self, tenant: &TenantId, entries: &[Revocation]) -> Result<()> {
        let entries = entries.iter().map(|entry| (entry.key.digest(tenant), entry.into())).collect();
        let (done, outcome) = oneshot::channel();
        if self.store.wait(Waiting { entries, done }) {
            let store = Arc::clone(&self.store);
            self.writes.run(move || {
                let (waiting, written) = store.commit_waiting();
                // The callers may close and reopen the list as soon as they have the result.
                drop(store);
                for one in waiting {
                    // The caller may have stopped waiting.
                    let _ = one.done.send(written.clone());
                }
            });
        }
        match outcome.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(Error::caused_by(cause, "the revocation list was not written")),
            Err(_) => Err(Error::ours(ErrorKind::Unavailable, "the revocation list was not written")),
        }
    }

    async fn is_revoked(&self, tenant: &TenantId, keys: &[RevokedKey], issued_at: Option<Timestamp>) -> Result<bool> {
        let digests: Vec<_> = keys.iter().map(|key| key.digest(tenant)).collect();
        let store = Arc::clone(&self.store);
        let (done, outcome) = oneshot::channel();
        self.reads.run(move || {
            // The caller has stopped waiting.
            if done.is_closed() {
                return;
            }
            let is_revoked = store.is_revoked(&digests, issued_at);
            // The caller may close and reopen the list as soon as it has the result.
            drop(store);
            let _ = done.send(is_revoked);
        });
        outcome.await.unwrap_or_else(|_| Err(Error::ours(ErrorKind::Unavailable, "the revocation list was not read")))
    }
}

impl Store {
    /// Queues entries for the next commit. Returns true if the caller has to start that commit.
    fn wait(&self, entries: Waiting) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(entries);
        waiting.len() == 1
    }

    /// Writes all queued entries in one commit. Entries that arrive meanwhile are queued for the next one.
    fn commit_waiting(&self) -> (Vec<Waiting>, Result<(), Arc<Error>>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let all: Vec<_> = waiting.iter().flat_map(|one| one.entries.iter().copied()).collect();
        let now = self.clock.now();
        let written = self.use_database(|database| entries::add(database, &all, now)).map_err(Arc::new);
        (waiting, written)
    }

    fn is_revoked(&self, digests: &[Digest], issued_at: Option<Timestamp>) -> Result<bool> {
        let now = self.clock.now();
        self.use_database(|database| {
            let kept = entries::find(database, digests)?;
            Ok(kept.iter().any(|kept| kept.is_active(now) && kept.rejects(issued_at)))
        })
    }

    /// Uses the database. After a failure the file is opened again for later callers.
    fn use_database<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T> {
        let failed = {
            let opened = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match opened.database.as_ref().map(work) {
                Some(Ok(done)) => return Ok(done),
                Some(Err(error)) => Some(error),
                None => None,
            }
        };
        self.open_again();
        let error = Error::ours(ErrorKind::Unavailable, "the file of the revocation list failed");
        Err(match failed {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// Opens the file again. After an IO error the database stays unusable, even when the disk has recovered.
    fn open_again(&self) {
        let mut opened = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Another caller may have done so already, and the check of the whole file is slow.
        if opened.at.elapsed() < self.pause {
            return;
        }
        // The open database holds the lock on the file.
        opened.database = None;
        match open_guarded(&self.open) {
            Ok(database) => opened.database = Some(database),
            Err(error) => tracing::error!(%error, "the file of the revocation list cannot be opened again"),
        }
        opened.at = Instant::now();
    }
}

/// Opens the database, and reports a panic as damage. Some damaged files make the database panic.
fn open_guarded(open: &Open) -> Result<Database, redb::Error> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("the file cannot be read".into())))
}

fn open(folder: &Path, path: &Path) -> Result<Database, redb::Error> {
    if folder::is_lost(folder)? {
        return Err(io::Error::other(folder::Lost).into());
    }
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let backend = FileBackend::new(file)?;
    let database =
        Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(backend)?;
    entries::prepare(&database)?;
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

#[cfg(test)]
mod tests;
