//! Runs concurrent requests with equal keys once as a task, and shares the result.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// The running requests, by key.
#[derive(Debug)]
pub(crate) struct Flights<K: Eq + Hash, T> {
    running: Arc<Mutex<Running<K, T>>>,
    tasks: TaskTracker,
}

type Running<K, T> = HashMap<K, Arc<watch::Sender<Option<T>>>>;

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Creates an empty set. Each request runs as a task of `tasks`, and continues when its callers leave.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { running: Arc::default(), tasks }
    }

    /// Returns the result of the running request with this key, or starts one. Returns `None` if the request panicked.
    pub(crate) async fn join<F>(&self, key: K, start: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut ended = self.running(key, start);
        ended.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
    }

    fn running<F>(&self, key: K, start: impl FnOnce() -> F) -> watch::Receiver<Option<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = lock(&self.running);
        if let Some(end) = running.get(&key) {
            return end.subscribe();
        }
        let (end, ended) = watch::channel(None);
        let end = Arc::new(end);
        running.insert(key.clone(), Arc::clone(&end));
        let entry = Entry { running: Arc::clone(&self.running), key };
        let request = start();
        self.tasks.spawn(async move {
            let result = request.await;
            // Later callers start a new request, so that no result is older than the request for it.
            drop(entry);
            end.send_replace(Some(result));
        });
        ended
    }
}

/// The entry of a running request. It is removed when this is dropped.
struct Entry<K: Eq + Hash, T> {
    running: Arc<Mutex<Running<K, T>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Entry<K, T> {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        running.remove(&self.key);
    }
}

/// Locks the map. A poisoned lock is fine, since the map is consistent after every statement.
fn lock<K, T>(running: &Mutex<Running<K, T>>) -> MutexGuard<'_, Running<K, T>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn equal_requests_run_once() {
        let (flights, runs, gate) =
            (Flights::new(TaskTracker::new()), AtomicUsize::new(0), Arc::new(Semaphore::new(0)));
        let join = |key: u8| {
            flights.join(key, || {
                let (run, gate) = (runs.fetch_add(1, Relaxed), Arc::clone(&gate));
                async move {
                    gate.acquire().await.unwrap().forget();
                    run
                }
            })
        };
        let release = async { gate.add_permits(2) };
        let (one, two, other, ()) = tokio::join!(join(1), join(1), join(2), release);
        assert_eq!((one, two, other), (Some(0), Some(0), Some(1)));
        gate.add_permits(1);
        assert_eq!(join(1).await, Some(2), "the first has ended");
    }

    #[tokio::test]
    async fn panicking_request_leaves_no_entry() {
        let flights = Flights::new(TaskTracker::new());
        assert_eq!(flights.join(1, || async { panic!("as the test says") }).await, None::<u8>);
        assert_eq!(flights.join(1, || async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn request_continues_without_its_callers() {
        let (flights, gate) = (Flights::new(TaskTracker::new()), Arc::new(Semaphore::new(0)));
        let waits = Arc::clone(&gate);
        let joined = flights.join(1, || async move { waits.acquire().await.unwrap().forget() });
        tokio::select! {
            biased;
            _ = joined => panic!("nothing lets it end"),
            () = tokio::task::yield_now() => {}
        }
        gate.add_permits(1);
        flights.tasks.close();
        flights.tasks.wait().await;
        assert_eq!(gate.available_permits(), 0);
    }
}
