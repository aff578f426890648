//! Threads with a connection each, on which statements block.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use idp_bridge_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, InterruptHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::database::timeout;

type Open = dyn Fn() -> Result<Connection> + Send + Sync;
type Job = Box<dyn FnOnce(&mut Option<Connection>) + Send>;
type Idle = Mutex<Vec<Sender<Job>>>;

/// A bounded set of threads. They start when they are needed, and end when this is dropped.
pub(super) struct Threads {
    open: Arc<Open>,
    places: Arc<Semaphore>,
    idle: Arc<Idle>,
}

impl Threads {
    /// Creates a set of at most this number of threads, each with a connection that `open` returns.
    pub(super) fn new(open: impl Fn() -> Result<Connection> + Send + Sync + 'static, most: usize) -> Self {
        Self { open: Arc::new(open), places: Arc::new(Semaphore::new(most)), idle: Arc::default() }
    }

    /// Runs a function on an idle thread. Dropping the future interrupts its statement.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| ended())?;
        let popped = lock(&self.idle).pop();
        let thread = popped.map_or_else(spawn, Ok)?;
        let stage = Arc::new(Mutex::new(Stage::Waiting));
        let _interrupt = Interrupt(Arc::clone(&stage));
        let (sender, result) = oneshot::channel();
        let (open, back) = (Arc::clone(&self.open), GiveBack::new(&self.idle, thread.clone(), place));
        let job: Job = Box::new(move |connection| {
            let result = connect(connection, &*open).and_then(|connection| run_stage(&stage, connection, run));
            drop(back);
            // A caller that no longer waits gets no result.
            let _ = sender.send(result);
        });
        thread.send(job).map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

/// Returns the connection of a thread, which opens it at its first use.
fn connect<'a>(connection: &'a mut Option<Connection>, open: &Open) -> Result<&'a mut Connection> {
    match connection {
        Some(connection) => Ok(connection),
        empty => Ok(empty.insert(open()?)),
    }
}

/// Runs a function, unless its caller no longer waits.
fn run_stage<T>(
    stage: &Mutex<Stage>,
    connection: &mut Connection,
    run: impl FnOnce(&mut Connection) -> Result<T>,
) -> Result<T> {
    {
        let mut stage = lock(stage);
        if matches!(*stage, Stage::Ended) {
            return Err(timeout());
        }
        *stage = Stage::Running(connection.get_interrupt_handle());
    }
    let result = run(connection);
    *lock(stage) = Stage::Ended;
    result
}

/// Starts a thread that runs jobs until all senders are dropped.
fn spawn() -> Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let run = move || {
        let mut connection = None;
        while let Ok(job) = jobs.recv() {
            job(&mut connection);
        }
    };
    let started = std::thread::Builder::new().name("idp-bridge-sqlite".to_owned()).spawn(run);
    started.map(|_| sender).map_err(|error| {
        Error::ours(ErrorKind::Unavailable, "no thread can be started for the database").with_source(error)
    })
}

/// Makes a thread idle, and then frees its place.
struct GiveBack {
    idle: Weak<Idle>,
    thread: Sender<Job>,
    _place: OwnedSemaphorePermit,
}

impl GiveBack {
    fn new(idle: &Arc<Idle>, thread: Sender<Job>, place: OwnedSemaphorePermit) -> Self {
        Self { idle: Arc::downgrade(idle), thread, _place: place }
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(idle) = self.idle.upgrade() {
            lock(&idle).push(self.thread.clone());
        }
    }
}

/// The state of a job, as far as its caller may interrupt it.
enum Stage {
    Waiting,
    Running(InterruptHandle),
    Ended,
}

/// Interrupts a job when its caller no longer waits.
struct Interrupt(Arc<Mutex<Stage>>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        // The lock is held meanwhile, so that the thread cannot begin another job.
        let mut stage = lock(&self.0);
        if let Stage::Running(handle) = &*stage {
            handle.interrupt();
        }
        *stage = Stage::Ended;
    }
}

fn ended() -> Error {
    Error::ours(ErrorKind::Unexpected, "the thread of the database has ended")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;

    fn threads(most: usize) -> (Threads, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        let open = move || {
            counted.fetch_add(1, Relaxed);
            Connection::open_in_memory().map_err(super::super::errors::from_connection)
        };
        (Threads::new(open, most), opened)
    }

    fn count(connection: &mut Connection) -> Result<i64> {
        connection.query_row("select 7", [], |row| row.get(0)).map_err(super::super::errors::from_connection)
    }

    #[tokio::test]
    async fn connections_are_bounded_and_used_again() {
        let (threads, opened) = threads(2);
        for _ in 0..5 {
            let all = tokio::join!(threads.run(count), threads.run(count), threads.run(count), threads.run(count));
            assert_eq!((all.0.unwrap(), all.3.unwrap()), (7, 7));
        }
        assert!(opened.load(Relaxed) <= 2);
    }

    #[tokio::test]
    async fn dropped_call_is_interrupted() {
        let (threads, _) = threads(1);
        let endless = |connection: &mut Connection| {
            let text = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
            connection.query_row(text, [], |row| row.get::<_, i64>(0)).map_err(super::super::errors::from_connection)
        };
        tokio::time::timeout(Duration::from_millis(50), threads.run(endless)).await.unwrap_err();
        // The only thread is free again.
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), threads.run(count)).await.unwrap().unwrap(), 7);
    }
}
