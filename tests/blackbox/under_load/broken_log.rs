//! Two bridges are called in turn, one with a stalled, closed or full log, and one with a log that is read.
//!
//! The machine may pause any call. A log that blocks would slow the calls of one bridge only.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::IS_FULL;
use crate::fixture::{Configured, signer};
use crate::streams::full;
use crate::support::bridge::Bridge;

/// The number of calls of each bridge, and the interval between two of them: 200 calls a second for 30 seconds in full size.
const CALLS: u32 = if IS_FULL { 6_000 } else { 200 };
const INTERVAL: Duration = Duration::from_millis(if IS_FULL { 5 } else { 20 });
/// The duration of a slow call.
const SLOW: Duration = Duration::from_millis(50);
/// The number of slow calls that may be chance.
const CHANCE: usize = 10;
/// Maximum time from SIGTERM to the exit. The queued lines are written for two seconds.
const EXIT: Duration = Duration::from_secs(5);

/// Only one comparison runs at a time, since it keeps the machine busy.
static ALONE: Mutex<()> = Mutex::new(());

/// Calls a bridge, and returns the duration.
fn call(bridge: &Bridge) -> Duration {
    let begun = Instant::now();
    let reply = signer().call("users.get_by_id", json!({"id": "u-1"})).send(bridge.address());
    assert_eq!(reply.status, 200, "{reply:?}");
    begun.elapsed()
}

/// Calls both bridges at the rate, and returns the sorted durations of each.
fn measure(bridges: [&Bridge; 2]) -> [Vec<Duration>; 2] {
    let (begun, mut times) = (Instant::now(), [Vec::new(), Vec::new()]);
    for number in 0..CALLS {
        // The first of the two calls follows a pause, so they take turns.
        for place in [number % 2, (number + 1) % 2].map(|place| place as usize) {
            times[place].push(call(bridges[place]));
        }
        std::thread::park_timeout((INTERVAL * (number + 1)).saturating_sub(begun.elapsed()));
    }
    times.iter_mut().for_each(|times| times.sort());
    times
}

fn count_slow(sorted: &[Duration]) -> usize {
    sorted.len() - sorted.partition_point(|time| *time <= SLOW)
}

fn describe(sorted: &[Duration]) -> String {
    let part = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    let slow = count_slow(sorted);
    format!("{slow} of {} slow, p50 {:?}, p99 {:?}, longest {:?}", sorted.len(), part(50), part(99), part(100))
}

/// Compares calls of a bridge with calls of another one, which has a log that is read. Then stops it.
#[track_caller]
fn compare(title: &str, configured: &Configured, mut broken: Bridge) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let read = configured.serve();
    let [with_broken, with_read] = measure([&broken, &read]);
    let deleted = signer().call("users.delete", json!({"id": "u-2"})).send(broken.address());
    assert_eq!((deleted.status, deleted.json()), (200, json!({"existed": true})));
    let (slow, usual) = (count_slow(&with_broken), count_slow(&with_read));
    broken.signal(Signal::TERM);
    let begun = Instant::now();
    assert_eq!(broken.wait_for_exit().code(), Some(0));
    let exit = begun.elapsed();
    println!("{title}: {}; read log: {}; exit after {exit:?}", describe(&with_broken), describe(&with_read));
    assert!(slow <= 2 * usual + CHANCE, "{title}: {slow} slow calls, {usual} with a log that is read");
    assert!(exit < EXIT, "{title}: {exit:?}");
}

#[test]
fn stalled_log_slows_no_call() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    compare("stalled log", &configured, bridge);
    drop(pipe);
}

#[test]
fn closed_log_slows_no_call() {
    let configured = Configured::with_tenant_keys("");
    let (bridge, pipe) = Bridge::serve_with_unread_log(&configured.config());
    drop(pipe);
    compare("closed log", &configured, bridge);
}

#[test]
fn full_disk_slows_no_call() {
    let configured = Configured::with_tenant_keys("");
    let bridge = Bridge::serve_with_log(&configured.config(), full());
    compare("full disk", &configured, bridge);
}
