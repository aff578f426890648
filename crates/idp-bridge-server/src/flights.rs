//! Runs concurrent requests with equal keys once as a task, and shares the result.

use std::hash::Hash;

use tokio_util::task::TaskTracker;

use crate::shared_futures::SharedFutures;

/// The running requests, by key. Unlike in [`SharedFutures`], a request continues when its callers leave.
pub(crate) struct Flights<K: Eq + Hash, T: Clone> {
    running: SharedFutures<K, T>,
    tasks: TaskTracker,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Creates an empty set. Each request runs as a task of `tasks`.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        Self { running: SharedFutures::default(), tasks }
    }

    /// Returns the result of the running request with this key, or starts one. Returns `None` if the request panicked.
    pub(crate) async fn join<F>(&self, key: K, start: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut is_new = false;
        let request = self.running.join(key, || {
            is_new = true;
            start()
        });
        if is_new {
            self.tasks.spawn(request.clone());
        }
        request.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

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
