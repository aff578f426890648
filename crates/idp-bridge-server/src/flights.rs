//! Runs concurrent requests with equal keys once, and shares the result.

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
    /// Whether a request is cancelled when its last caller leaves.
    is_abandonable: bool,
}

type Running<K, T> = HashMap<K, Arc<watch::Sender<Option<T>>>>;

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Creates an empty set. Each request runs as a task of `tasks`, and continues when its callers leave.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { running: Arc::default(), tasks, is_abandonable: false }
    }

    /// Creates an empty set of requests that are cancelled when their last caller leaves.
    pub(crate) fn new_abandonable(tasks: TaskTracker) -> Self {
        Self { is_abandonable: true, ..Self::new(tasks) }
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
        let entry = Entry { running: Arc::clone(&self.running), key, end: Arc::clone(&end) };
        let (request, is_abandonable) = (start(), self.is_abandonable);
        self.tasks.spawn(async move {
            let result = tokio::select! {
                result = request => result,
                () = entry.wait_until_abandoned(), if is_abandonable => return,
            };
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
    end: Arc<watch::Sender<Option<T>>>,
}

impl<K: Eq + Hash, T> Entry<K, T> {
    /// Waits until no caller is left, and removes the entry at that moment.
    async fn wait_until_abandoned(&self) {
        loop {
            self.end.closed().await;
            let mut running = lock(&self.running);
            // A caller may have joined since.
            if self.end.receiver_count() == 0 {
                running.remove(&self.key);
                return;
            }
        }
    }
}

impl<K: Eq + Hash, T> Drop for Entry<K, T> {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        // A later request may have the key after this one was abandoned.
        if running.get(&self.key).is_some_and(|end| Arc::ptr_eq(end, &self.end)) {
            running.remove(&self.key);
        }
    }
}

/// Locks the map. A poisoned lock is fine, since the map is consistent after every statement.
fn lock<K, T>(running: &Mutex<Running<K, T>>) -> MutexGuard<'_, Running<K, T>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Poll;

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
    async fn abandonable_request_ends_with_its_last_caller() {
        let (flights, gate) = (Flights::new_abandonable(TaskTracker::new()), Arc::new(Semaphore::new(0)));
        let guard = Arc::new(());
        let join = || {
            let (gate, guard) = (Arc::clone(&gate), Arc::clone(&guard));
            flights.join(1, || async move {
                let _guard = guard;
                gate.acquire().await.unwrap().forget();
                7
            })
        };
        let mut first = Box::pin(join());
        let mut second = Box::pin(join());
        assert!(poll_once(first.as_mut()).await && poll_once(second.as_mut()).await, "both wait");
        drop(first);
        tokio::task::yield_now().await;
        gate.add_permits(1);
        assert_eq!(second.await, Some(7), "the first caller has left");

        let mut only = Box::pin(join());
        assert!(poll_once(only.as_mut()).await);
        drop(only);
        flights.tasks.close();
        flights.tasks.wait().await;
        assert_eq!((gate.available_permits(), Arc::strong_count(&guard)), (0, 1), "the request is dropped");
        assert!(lock(&flights.running).is_empty());
    }

    #[tokio::test]
    async fn abandoned_request_leaves_later_ones_alone() {
        let flights = Flights::<u8, u8>::new_abandonable(TaskTracker::new());
        let [earlier, later] = [(); 2].map(|()| Arc::new(watch::channel(None).0));
        let entry = Entry { running: Arc::clone(&flights.running), key: 1, end: earlier };
        lock(&flights.running).insert(1, Arc::clone(&later));
        drop(entry);
        assert!(lock(&flights.running).get(&1).is_some_and(|end| Arc::ptr_eq(end, &later)));
    }

    /// Polls a future once, and returns whether it is pending.
    async fn poll_once(mut future: Pin<&mut impl Future>) -> bool {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
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
