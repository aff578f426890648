//! Polls concurrent requests with equal keys once, and shares the result. A request ends with its last caller.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{FutureExt as _, Shared, WeakShared};

use crate::catch_panic::catch_panic;

/// The running requests, by key. It starts no tasks: the callers poll.
pub(crate) struct SharedFutures<K: Eq + Hash, T: Clone>(Arc<Mutex<Running<K, T>>>);

type Running<K, T> = HashMap<K, (Arc<()>, WeakShared<BoxFuture<T>>)>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Option<T>> + Send>>;

impl<K: Eq + Hash, T: Clone> Default for SharedFutures<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T> SharedFutures<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the running request with this key, or starts one. Its result is `None` if the request panicked.
    pub(crate) fn join<F>(&self, key: K, start: impl FnOnce() -> F) -> Shared<BoxFuture<T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = lock(&self.0);
        let place = running.entry(key);
        if let Entry::Occupied(place) = &place
            && let Some(request) = place.get().1.upgrade()
        {
            return request;
        }
        let identity = Arc::new(());
        let guard = Guard { running: Arc::clone(&self.0), key: place.key().clone(), identity: Arc::clone(&identity) };
        let request: BoxFuture<T> = Box::pin(catch_panic(start()).map(move |result| {
            // Later callers start a new request, so that no result is older than the request for it.
            drop(guard);
            result.ok()
        }));
        let request = request.shared();
        if let Some(weak) = request.downgrade() {
            place.insert_entry((identity, weak));
        }
        request
    }
}

/// Removes the entry of a running request when it is dropped.
struct Guard<K: Eq + Hash, T: Clone> {
    running: Arc<Mutex<Running<K, T>>>,
    key: K,
    identity: Arc<()>,
}

impl<K: Eq + Hash, T: Clone> Drop for Guard<K, T> {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        // A later request has the key if it began while the last caller of this one was leaving.
        if let Some((key, later)) = running.remove_entry(&self.key)
            && !Arc::ptr_eq(&later.0, &self.identity)
        {
            running.insert(key, later);
        }
    }
}

/// Locks the map. A poisoned lock is fine, since the map is consistent after every statement.
fn lock<K, T: Clone>(running: &Mutex<Running<K, T>>) -> MutexGuard<'_, Running<K, T>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures_util::poll;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn equal_requests_run_once() {
        let (requests, runs, gate) = (SharedFutures::default(), AtomicUsize::new(0), Arc::new(Semaphore::new(0)));
        let join = |key: u8| {
            requests.join(key, || {
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
        assert!(lock(&requests.0).is_empty());
    }

    #[tokio::test]
    async fn panicking_request_leaves_no_entry() {
        let requests = SharedFutures::default();
        assert_eq!(requests.join(1, || async { panic!("as the test says") }).await, None::<u8>);
        assert_eq!(requests.join(1, || async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn request_ends_with_its_last_caller() {
        let (requests, gate, guard) = (SharedFutures::default(), Arc::new(Semaphore::new(0)), Arc::new(()));
        let join = || {
            let (gate, guard) = (Arc::clone(&gate), Arc::clone(&guard));
            requests.join(1, || async move {
                let _guard = guard;
                gate.acquire().await.unwrap().forget();
                7
            })
        };
        let (mut first, mut second) = (join(), join());
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        drop(first);
        gate.add_permits(1);
        assert_eq!(second.await, Some(7), "the first caller has left");

        let mut only = join();
        assert!(poll!(&mut only).is_pending());
        assert_eq!(Arc::strong_count(&guard), 2);
        drop(only);
        assert_eq!(Arc::strong_count(&guard), 1, "the request is dropped");
        assert!(lock(&requests.0).is_empty());
    }

    #[tokio::test]
    async fn waiting_caller_is_woken_after_the_first_left() {
        let (requests, gate) = (SharedFutures::default(), Arc::new(Semaphore::new(0)));
        let join = || {
            let gate = Arc::clone(&gate);
            requests.join(1, || async move { gate.acquire().await.unwrap().forget() })
        };
        let mut first = join();
        assert!(poll!(&mut first).is_pending());
        let second = tokio::spawn(join());
        tokio::task::yield_now().await;
        drop(first);
        gate.add_permits(1);
        assert_eq!(second.await.unwrap(), Some(()));
    }

    #[tokio::test]
    async fn abandoned_request_leaves_later_ones_alone() {
        let requests = SharedFutures::<u8, u8>::default();
        let later = requests.join(1, || async { 7 });
        drop(Guard { running: Arc::clone(&requests.0), key: 1, identity: Arc::new(()) });
        assert_eq!(lock(&requests.0).len(), 1);
        assert_eq!(later.await, Some(7));
    }
}
