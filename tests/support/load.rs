//! Signed calls at a constant rate, whether or not earlier ones have ended.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use idp_bridge_client::{Call, Client, SigningKey, TenantId, UserId};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use super::bridge::PATIENCE;

/// The maximum number of failures that are kept.
const KEPT_FAILURES: usize = 5;

/// A tenant that is called. The client can be replaced under load.
#[derive(Debug)]
pub(crate) struct Target {
    tenant: TenantId,
    user: UserId,
    /// The texts of the keys, since keys cannot be copied.
    keys: Mutex<Vec<String>>,
    clients: Mutex<Vec<Client>>,
    counts: Mutex<Counts>,
}

/// The results of the calls of a tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    /// The first failures.
    pub(crate) failures: Vec<String>,
}

impl Target {
    /// Creates a target for the user `u-1` of a tenant.
    pub(crate) fn new(tenant: &str, urls: &[String], keys: &[&str]) -> Self {
        Self::with_user(tenant, "u-1", urls, keys)
    }

    /// Creates a target for a user of a tenant.
    pub(crate) fn with_user(tenant: &str, user: &str, urls: &[String], keys: &[&str]) -> Self {
        let target = Self {
            tenant: TenantId::new(tenant).unwrap(),
            user: UserId::new(user).unwrap(),
            keys: Mutex::new(keys.iter().map(|key| (*key).to_owned()).collect()),
            clients: Mutex::default(),
            counts: Mutex::default(),
        };
        target.set_urls(urls);
        target
    }

    /// Sends later calls to these bridges, in turn.
    pub(crate) fn set_urls(&self, urls: &[String]) {
        let keys = self.keys.lock().unwrap().clone();
        let client = |url: &String| Client::new(url, self.tenant.clone(), parse(&keys)).unwrap();
        *self.clients.lock().unwrap() = urls.iter().map(client).collect();
    }

    /// Signs later calls to this bridge with all of these keys.
    pub(crate) fn set_keys(&self, url: &str, keys: &[&str]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| (*key).to_owned()).collect();
        self.set_urls(&[url.to_owned()]);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }

    async fn call(&self, number: usize) {
        let client = {
            let clients = self.clients.lock().unwrap();
            clients[number % clients.len()].clone()
        };
        let result = client.call(Call::GetById(self.user.clone())).await;
        let mut counts = self.counts.lock().unwrap();
        counts.calls += 1;
        if let Err(error) = result {
            counts.failed += 1;
            if counts.failures.len() < KEPT_FAILURES {
                counts.failures.push(format!("{error:?}"));
            }
        }
    }
}

fn parse(keys: &[String]) -> Vec<SigningKey> {
    keys.iter().map(|key| SigningKey::parse(key).unwrap()).collect()
}

/// Running calls, evenly distributed over the targets.
#[derive(Debug)]
pub(crate) struct Load {
    runtime: Runtime,
    stop: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
}

impl Load {
    /// Begins with this number of calls per second.
    pub(crate) fn start(targets: &[Arc<Target>], per_second: u32) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, running) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let task = {
            let (targets, stop, running) = (targets.to_vec(), Arc::clone(&stop), Arc::clone(&running));
            async move {
                let mut ticks = interval(Duration::from_secs(1) / per_second);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                for number in 0_usize.. {
                    tokio::select! {
                        _ = ticks.tick() => {}
                        _ = stop.acquire() => return,
                    }
                    let (target, running) = (Arc::clone(&targets[number % targets.len()]), Arc::clone(&running));
                    running.fetch_add(1, SeqCst);
                    tokio::spawn(async move {
                        target.call(number / 2).await;
                        running.fetch_sub(1, SeqCst);
                    });
                }
            }
        };
        runtime.spawn(task);
        Self { runtime, stop, running }
    }

    /// Ends the load, and waits for the running calls.
    pub(crate) fn stop(self) {
        self.stop.close();
        let ended = super::bridge::until(|| (self.running.load(SeqCst) == 0).then_some(()));
        ended.expect("the running calls end");
        self.runtime.shutdown_timeout(PATIENCE);
    }
}
