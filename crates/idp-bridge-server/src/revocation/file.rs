//! The list of a single replica: in a file, so that a restart forgets nothing.

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

use self::worker::Worker;
use super::{Digest, Kept, Revocation, RevocationStore, RevokedKey};

/// The name of the file in its folder.
const FILE_NAME: &str = "revocations.redb";
/// A file that fails is opened anew at most this often.
const PAUSE: Duration = Duration::from_secs(1);
/// How much of the file is kept in memory.
const CACHE: usize = 16 * 1024 * 1024;

/// Keeps the list in a file that one process has at a time.
///
/// An entry is on the disk before anyone is told that it is kept. The file holds digests, and neither ids nor tokens.
pub struct FileRevocations {
    store: Arc<Store>,
    /// Reads wait for no commit.
    reads: Worker,
    writes: Worker,
}

/// Opens the file, for the first time or after a failure.
type Open = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

struct Store {
    clock: Arc<dyn Clock>,
    open: Open,
    database: RwLock<Opened>,
    /// How long a file that was opened is left alone, whatever it does.
    pause: Duration,
    /// What the next commit takes.
    waiting: Mutex<Vec<Waiting>>,
    /// Held by the one that commits.
    writing: Mutex<()>,
}

/// What became of opening the file.
struct Opened {
    /// None if it could not be opened.
    database: Option<Database>,
    at: Instant,
}

/// Entries whose caller waits until they are on the disk.
struct Waiting {
    entries: Vec<(Digest, Kept)>,
    done: oneshot::Sender<Result<(), Arc<Error>>>,
}

impl FileRevocations {
    /// Opens the list in this folder, and makes it if none was made there yet. The error says what to do.
    ///
    /// The whole file is checked, so that a damaged list is not used. A list that was made there and is gone is an error, since
    /// a new one would take the tokens of every login that was ended.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        let open = {
            let (folder, path) = (folder.to_owned(), path.clone());
            move || open(&folder, &path)
        };
        Self::with(Box::new(open), PAUSE, clock).map_err(|error| not_opened(&path, error))
    }

    /// Lets [`open`](Self::open) make a new list where the one that was made is gone; false if none is gone.
    pub fn accept_loss(folder: &Path) -> Result<bool> {
        folder::accept_loss(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    /// Returns what the folder holds, and changes nothing in it. Fails as [`open`](Self::open) does, save for damage and for
    /// another process that uses the list.
    pub fn inspect(folder: &Path) -> Result<FolderState> {
        folder::inspect(folder).map_err(|error| not_opened(&folder.join(FILE_NAME), error.into()))
    }

    fn with(open: Open, pause: Duration, clock: Arc<dyn Clock>) -> Result<Self, redb::Error> {
        let database = RwLock::new(Opened { database: Some(guarded(&open)?), at: Instant::now() });
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
                // Who is answered may close the list and open it again at once.
                drop(store);
                for one in waiting {
                    // A caller that went away needs no answer.
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
            // A caller that left needs no read.
            if done.is_closed() {
                return;
            }
            let refuses = store.refuses(&digests, issued_at);
            // A caller that has the answer may close the list and open it again at once.
            drop(store);
            let _ = done.send(refuses);
        });
        outcome.await.unwrap_or_else(|_| Err(Error::ours(ErrorKind::Unavailable, "the revocation list was not read")))
    }
}

impl Store {
    /// Queues entries for the next commit. True if nobody is on the way to make that commit.
    fn wait(&self, entries: Waiting) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(entries);
        waiting.len() == 1
    }

    /// Writes all that waits in one commit: while it is on its way to the disk, the next ones gather.
    fn commit_waiting(&self) -> (Vec<Waiting>, Result<(), Arc<Error>>) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let all: Vec<_> = waiting.iter().flat_map(|one| one.entries.iter().copied()).collect();
        let now = self.clock.now();
        let written = self.use_database(|database| entries::add(database, &all, now)).map_err(Arc::new);
        (waiting, written)
    }

    fn refuses(&self, digests: &[Digest], issued_at: Option<Timestamp>) -> Result<bool> {
        let now = self.clock.now();
        self.use_database(|database| {
            let kept = entries::find(database, digests)?;
            Ok(kept.iter().any(|kept| kept.is_alive(now) && kept.refuses(issued_at)))
        })
    }

    /// Uses the database; after a failure it is opened again for whoever comes next.
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

    /// After a failure of the disk the database answers nothing more, also when the disk is well again.
    fn open_again(&self) {
        let mut opened = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Another one who failed may have done it, and the check of the whole file takes its time.
        if opened.at.elapsed() < self.pause {
            return;
        }
        // Closed first, since it would lock itself out.
        opened.database = None;
        match guarded(&self.open) {
            Ok(database) => opened.database = Some(database),
            Err(error) => tracing::error!(%error, "the file of the revocation list cannot be opened again"),
        }
        opened.at = Instant::now();
    }
}

/// Damage that no check foresees makes the database panic: to whoever opens the file it is damage like any other.
fn guarded(open: &Open) -> Result<Database, redb::Error> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("it cannot be read".into())))
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
    // The names of new files are in their folder, which has to be on the disk as well.
    File::open(folder)?.sync_all()?;
    Ok(database)
}

fn not_opened(path: &Path, error: redb::Error) -> Error {
    let shown = path.display();
    let (reason, hint) = match &error {
        redb::Error::Io(error) if error.get_ref().is_some_and(|cause| cause.is::<folder::Lost>()) => (
            "was made, and is gone or empty".to_owned(),
            "restore it; without it every login that was ended within `max_token_age` can be used again, so end all \
             sessions at the identity providers, and then start once with `serve --accept-lost-revocations`",
        ),
        redb::Error::DatabaseAlreadyOpen => (
            "is in use by another process".to_owned(),
            "stop that one first; replicas need a store that they share, not one file",
        ),
        redb::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            (format!("cannot be opened: {error}"), "the folder must exist, be writable, and outlive a restart")
        }
        _ => (
            "is damaged, or is no revocation list".to_owned(),
            "restore it; without it every login that was ended within `max_token_age` can be used again, so end all \
             sessions at the identity providers, move the file away, and start once with \
             `serve --accept-lost-revocations`",
        ),
    };
    Error::misconfigured(format!("the revocation list `{shown}` {reason}")).with_hint(hint).with_source(error)
}

#[cfg(test)]
mod tests;
