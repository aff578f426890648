//! An idempotency store in memory, for a single replica.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use idp_bridge_core::{Result, TenantId, async_trait};
use tokio::sync::watch;

use super::store::{Begin, Claim, Fingerprint, IdempotencyStore, KEPT, Key, WriteResult};

const MAX_WRITES: usize = 100_000;

/// Keeps at most 100,000 writes in memory.
///
/// Beyond that the oldest finished write of the tenant with the most writes is evicted, so that no tenant displaces the
/// writes of another one.
#[derive(Debug)]
pub struct MemoryStore {
    max: usize,
    state: Arc<Mutex<State>>,
    /// The number of writes that were evicted early.
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// The finished writes of each tenant, oldest first.
    finished: HashMap<TenantId, VecDeque<(tokio::time::Instant, Key)>>,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Ends when the sender sends a result or is dropped with its claim.
    Running(watch::Receiver<Option<WriteResult>>),
    Succeeded(Bytes),
}

struct MemoryClaim {
    key: Key,
    state: Arc<Mutex<State>>,
    /// `None` once the result was sent.
    result: Option<watch::Sender<Option<WriteResult>>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_max(MAX_WRITES)
    }
}

impl MemoryStore {
    /// Creates a store with this capacity.
    pub fn with_max(max: usize) -> Self {
        Self { max, state: Arc::default(), evicted: AtomicU64::new(0) }
    }

    /// Makes room for one more write. Running writes are never evicted; the limit on connections bounds them.
    fn make_room(&self, state: &mut State) {
        if state.entries.len() >= self.max {
            state.remove_all_old();
        }
        while state.entries.len() >= self.max
            && let Some(key) = state.pop_oldest_of_largest()
        {
            state.entries.remove(&key);
            if self.evicted.fetch_add(1, Relaxed) == 0 {
                let max = self.max;
                tracing::warn!(max, "the idempotency store is full: from now on the oldest writes are evicted early");
            }
        }
    }

    /// Claims the key, or returns the result of an equal write, or a receiver for it while the write runs.
    fn try_begin(&self, key: Key, fingerprint: Fingerprint) -> Result<Begin, watch::Receiver<Option<WriteResult>>> {
        let mut state = lock(&self.state);
        state.remove_old(key.tenant());
        if let Some(entry) = state.entries.get(&key) {
            return match &entry.progress {
                _ if entry.fingerprint != fingerprint => Ok(Begin::Reused),
                Progress::Succeeded(body) => Ok(Begin::Ended(Ok(body.clone()))),
                Progress::Running(result) => Err(result.clone()),
            };
        }
        self.make_room(&mut state);
        let (result, receiver) = watch::channel(None);
        state.entries.insert(key.clone(), Entry { fingerprint, progress: Progress::Running(receiver) });
        Ok(Begin::Run(Box::new(MemoryClaim { key, state: Arc::clone(&self.state), result: Some(result) })))
    }
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn begin(&self, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Result<Begin> {
        loop {
            let mut running = match self.try_begin(key.clone(), fingerprint) {
                Ok(begin) => return Ok(begin),
                Err(running) => running,
            };
            let ended = running.wait_for(Option::is_some);
            match tokio::time::timeout_at(deadline.into(), ended).await {
                Ok(Ok(result)) => {
                    if let Some(result) = result.as_ref() {
                        return Ok(Begin::Ended(result.clone()));
                    }
                }
                // The claim of the running write was dropped, so this write may run.
                Ok(Err(_)) => {}
                Err(_) => return Ok(Begin::StillRunning),
            }
        }
    }
}

#[async_trait]
impl Claim for MemoryClaim {
    async fn finish(mut self: Box<Self>, result: WriteResult) -> Result<()> {
        if let Ok(body) = &result {
            lock(&self.state).keep(&self.key, body);
        } else {
            lock(&self.state).entries.remove(&self.key);
        }
        if let Some(sender) = self.result.take() {
            sender.send_replace(Some(result));
        }
        Ok(())
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        if self.result.is_some() {
            lock(&self.state).entries.remove(&self.key);
        }
    }
}

impl State {
    fn keep(&mut self, key: &Key, body: &Bytes) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.progress = Progress::Succeeded(body.clone());
            let finished = self.finished.entry(key.tenant().clone()).or_default();
            finished.push_back((tokio::time::Instant::now(), key.clone()));
        }
    }

    /// Removes the expired writes of a tenant.
    fn remove_old(&mut self, tenant: &TenantId) {
        let Some(finished) = self.finished.get_mut(tenant) else { return };
        while let Some((_, key)) = finished.pop_front_if(|(finished, _)| finished.elapsed() >= KEPT) {
            self.entries.remove(&key);
        }
        if finished.is_empty() {
            self.finished.remove(tenant);
        }
    }

    /// Removes the expired writes of all tenants.
    fn remove_all_old(&mut self) {
        let tenants: Vec<_> = self.finished.keys().cloned().collect();
        for tenant in tenants {
            self.remove_old(&tenant);
        }
    }

    /// Removes and returns the oldest finished write of the tenant with the most.
    fn pop_oldest_of_largest(&mut self) -> Option<Key> {
        let largest = self.finished.values_mut().max_by_key(|finished| finished.len())?;
        largest.pop_front().map(|(_, key)| key)
    }
}

/// Locks the state. A poisoned lock is fine, since the state is consistent after every statement.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
