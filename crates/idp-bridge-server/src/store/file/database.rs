//! The database of the file: reads and writes on threads of their own, and one commit for all writes that wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use idp_bridge_core::{Error, ErrorKind, Result};
use redb::{Database, Durability, WriteTransaction};
use tokio::sync::oneshot;

use super::worker::Worker;

/// Opens the file, for the first time or after a failure.
pub(super) type Open = Box<dyn Fn() -> Result<Database, redb::Error> + Send + Sync>;

/// The database of a file.
pub(super) struct FileDatabase {
    shared: Arc<Shared>,
    /// A separate thread, so that reads do not wait for commits.
    reads: Worker,
    writes: Worker,
}

struct Shared {
    open: Open,
    opened: RwLock<Opened>,
    /// The minimum interval between attempts to open a failing file.
    pause: Duration,
    /// The writes for the next commit.
    waiting: Mutex<Vec<Box<dyn Waiting>>>,
    /// Held during a commit.
    writing: Mutex<()>,
}

/// The result of opening the file.
struct Opened {
    /// `None` if the file could not be opened.
    database: Option<Database>,
    at: Instant,
}

/// The result of a commit, which all of its writes share.
type Committed = Result<(), Arc<Error>>;

/// A write that waits for the next commit.
trait Waiting: Send {
    /// Makes the changes in a transaction.
    fn apply(&mut self, transaction: &WriteTransaction) -> Result<(), redb::Error>;

    /// Runs `after_commit`, and passes the result to the caller.
    fn finish(self: Box<Self>, committed: Committed);
}

struct Write<W, T, C> {
    /// `None` once it was applied.
    work: Option<W>,
    value: Option<T>,
    /// Runs after the commit, also when the caller has stopped waiting.
    after_commit: C,
    done: oneshot::Sender<Result<T, Arc<Error>>>,
}

impl<W, T, C> Waiting for Write<W, T, C>
where
    W: FnOnce(&WriteTransaction) -> Result<T, redb::Error> + Send,
    T: Send,
    C: FnOnce() + Send,
{
    fn apply(&mut self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        self.value = self.work.take().map(|work| work(transaction)).transpose()?;
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Committed) {
        let Self { value, after_commit, done, .. } = *self;
        if committed.is_ok() {
            after_commit();
        }
        // The caller may have stopped waiting.
        let _ = done.send(committed.and_then(|()| value.ok_or_else(|| Arc::new(not_written()))));
    }
}

impl FileDatabase {
    /// Starts the threads of an open database. `open` opens its file again after a failure.
    pub(super) fn new(database: Database, open: Open, pause: Duration) -> std::io::Result<Self> {
        let opened = RwLock::new(Opened { database: Some(database), at: Instant::now() });
        let (waiting, writing) = (Mutex::default(), Mutex::default());
        let (reads, writes) = (Worker::start("store-reads")?, Worker::start("store-writes")?);
        Ok(Self { shared: Arc::new(Shared { open, opened, pause, waiting, writing }), reads, writes })
    }

    /// Reads from the last commit.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let (done, outcome) = oneshot::channel();
        self.reads.run(move || {
            // The caller has stopped waiting.
            if done.is_closed() {
                return;
            }
            let read = shared.use_database(work);
            // The caller may close and reopen the file as soon as it has the result.
            drop(shared);
            let _ = done.send(read);
        });
        outcome.await.unwrap_or_else(|_| Err(Error::ours(ErrorKind::Unavailable, "the store was not read")))
    }

    /// Changes tables. Returns when the changes are on the disk and `after_commit` has run.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
        after_commit: impl FnOnce() + Send + 'static,
    ) -> Result<T> {
        let (done, outcome) = oneshot::channel();
        if self.shared.enqueue(Box::new(Write { work: Some(work), value: None, after_commit, done })) {
            let shared = Arc::clone(&self.shared);
            self.writes.run(move || {
                let (waiting, committed) = shared.commit_waiting();
                // The callers may close and reopen the file as soon as they have the result.
                drop(shared);
                for write in waiting {
                    write.finish(committed.clone());
                }
            });
        }
        match outcome.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(cause)) => Err(Error::caused_by(cause, "the store was not written")),
            Err(_) => Err(not_written()),
        }
    }

    /// Uses the database on this thread.
    #[cfg(test)]
    pub(super) fn inspect<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T> {
        self.shared.use_database(work)
    }
}

fn not_written() -> Error {
    Error::ours(ErrorKind::Unavailable, "the store was not written")
}

impl Shared {
    /// Queues a write for the next commit. Returns true if the caller has to start that commit.
    fn enqueue(&self, write: Box<dyn Waiting>) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.push(write);
        waiting.len() == 1
    }

    /// Makes all queued writes in one commit. Writes that arrive meanwhile are queued for the next one.
    fn commit_waiting(&self) -> (Vec<Box<dyn Waiting>>, Committed) {
        let _writing = lock(&self.writing);
        let mut waiting = std::mem::take(&mut *lock(&self.waiting));
        let committed = self.use_database(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            for write in &mut waiting {
                write.apply(&transaction)?;
            }
            Ok(transaction.commit()?)
        });
        (waiting, committed.map_err(Arc::new))
    }

    /// Uses the database. After a failure the file is opened again for later callers.
    fn use_database<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T> {
        let failed = {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            match opened.database.as_ref().map(work) {
                Some(Ok(done)) => return Ok(done),
                Some(Err(error)) => Some(error),
                None => None,
            }
        };
        self.open_again();
        let error = Error::ours(ErrorKind::Unavailable, "the file of the store failed");
        Err(match failed {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    /// Opens the file again. After an IO error the database stays unusable, even when the disk has recovered.
    fn open_again(&self) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        // Another caller may have done so already, and the check of the whole file is slow.
        if opened.at.elapsed() < self.pause {
            return;
        }
        // The open database holds the lock on the file.
        opened.database = None;
        match open_guarded(&self.open) {
            Ok(database) => opened.database = Some(database),
            Err(error) => tracing::error!(%error, "the file of the store cannot be opened again"),
        }
        opened.at = Instant::now();
    }
}

/// Opens the database, and reports a panic as damage. Some damaged files make the database panic.
pub(super) fn open_guarded(open: &Open) -> Result<Database, redb::Error> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("the file cannot be read".into())))
}

/// Locks a value. A poisoned lock is fine, since the values are consistent after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
