//! The store of a single replica: in memory, bounded, gone with the process.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use idp_bridge_core::{Result, TenantId, async_trait};
use tokio::sync::watch;

use super::{Begin, Claim, Ending, Fingerprint, IdempotencyStore, KEPT, Key};

const MOST: usize = 100_000;

/// Keeps at most 100,000 writes.
///
/// Beyond that one is forgotten early, and counted: the oldest finished one of the tenant that has the most of them, so that no
/// tenant pushes another below an equal share.
#[derive(Debug)]
pub struct MemoryStore {
    most: usize,
    state: Arc<Mutex<State>>,
    evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// The finished ones of each tenant, the oldest first.
    finished: HashMap<TenantId, VecDeque<(tokio::time::Instant, Key)>>,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Fingerprint,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Ends when the sender says so, or is dropped with its claim.
    Running(watch::Receiver<Option<Ending>>),
    Succeeded(Bytes),
}

struct MemoryClaim {
    key: Key,
    state: Arc<Mutex<State>>,
    /// Gone once the ending was told.
    ended: Option<watch::Sender<Option<Ending>>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_most(MOST)
    }
}

impl MemoryStore {
    /// A store that keeps at most this many.
    pub fn with_most(most: usize) -> Self {
        Self { most, state: Arc::default(), evicted: AtomicU64::new(0) }
    }

    /// How many were forgotten before their time, for want of room.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Makes room for one more. What runs is never forgotten; connections bound how much runs.
    fn make_room(&self, state: &mut State) {
        if state.entries.len() >= self.most {
            state.forget_all_old();
        }
        while state.entries.len() >= self.most
            && let Some(key) = state.pop_of_largest()
        {
            state.entries.remove(&key);
            if self.evicted.fetch_add(1, Relaxed) == 0 {
                let most = self.most;
                tracing::warn!(
                    most,
                    "the idempotency store is full: from now on the oldest writes are forgotten early"
                );
            }
        }
    }

    /// Starts a write, or says what is known of it; a receiver if a twin is running.
    fn look(&self, key: Key, fingerprint: Fingerprint) -> Result<Begin, watch::Receiver<Option<Ending>>> {
        let mut state = lock(&self.state);
        state.forget_old(key.tenant());
        if let Some(entry) = state.entries.get(&key) {
            return match &entry.progress {
                _ if entry.fingerprint != fingerprint => Ok(Begin::Reused),
                Progress::Succeeded(body) => Ok(Begin::Ended(Ok(body.clone()))),
                Progress::Running(ended) => Err(ended.clone()),
            };
        }
        self.make_room(&mut state);
        let (ended, receiver) = watch::channel(None);
        state.entries.insert(key.clone(), Entry { fingerprint, progress: Progress::Running(receiver) });
        Ok(Begin::Run(Box::new(MemoryClaim { key, state: Arc::clone(&self.state), ended: Some(ended) })))
    }
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn begin(&self, key: Key, fingerprint: Fingerprint, deadline: Instant) -> Result<Begin> {
        loop {
            let mut running = match self.look(key.clone(), fingerprint) {
                Ok(begin) => return Ok(begin),
                Err(running) => running,
            };
            let ended = running.wait_for(Option::is_some);
            match tokio::time::timeout_at(deadline.into(), ended).await {
                Ok(Ok(ending)) => {
                    if let Some(ending) = ending.as_ref() {
                        return Ok(Begin::Ended(ending.clone()));
                    }
                }
                // The twin's claim was dropped: this one's turn.
                Ok(Err(_)) => {}
                Err(_) => return Ok(Begin::StillRunning),
            }
        }
    }
}

#[async_trait]
impl Claim for MemoryClaim {
    async fn finish(mut self: Box<Self>, ending: Ending) {
        if let Ok(body) = &ending {
            lock(&self.state).keep(&self.key, body);
        } else {
            lock(&self.state).entries.remove(&self.key);
        }
        if let Some(ended) = self.ended.take() {
            ended.send_replace(Some(ending));
        }
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        if self.ended.is_some() {
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

    /// Forgets what this tenant finished longer ago than it is kept.
    fn forget_old(&mut self, tenant: &TenantId) {
        let Some(finished) = self.finished.get_mut(tenant) else { return };
        while let Some((_, key)) = finished.pop_front_if(|(finished, _)| finished.elapsed() >= KEPT) {
            self.entries.remove(&key);
        }
        if finished.is_empty() {
            self.finished.remove(tenant);
        }
    }

    /// Does the same for all tenants.
    fn forget_all_old(&mut self) {
        let tenants: Vec<_> = self.finished.keys().cloned().collect();
        for tenant in tenants {
            self.forget_old(&tenant);
        }
    }

    /// Takes the oldest finished one of the tenant that has the most.
    fn pop_of_largest(&mut self) -> Option<Key> {
        let largest = self.finished.values_mut().max_by_key(|finished| finished.len())?;
        largest.pop_front().map(|(_, key)| key)
    }
}

/// The state is whole after every statement, so a panic elsewhere does not spoil it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
