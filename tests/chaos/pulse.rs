//! Measures for how long a busy machine stalled the test and the bridges, so that it is not reported as a late answer.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The interval in which pauses of the whole machine are looked for.
const BEAT: Duration = Duration::from_millis(5);

/// The stalls of this process and of the bridges.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<Beats>>);

#[derive(Debug)]
struct Beats {
    last: Instant,
    /// Each pause with its end.
    pauses: Vec<(Instant, Duration)>,
    /// The process ids of the bridges.
    bridges: Vec<u32>,
}

/// A time from which stalls are counted.
#[derive(Debug)]
pub(crate) struct Mark {
    begun: Instant,
    /// The time for which each thread waited for a processor.
    waits: BTreeMap<PathBuf, Duration>,
}

impl Pulse {
    /// Starts to measure, until the end of the process.
    pub(crate) fn start() -> Self {
        let beats = Beats { last: Instant::now(), pauses: Vec::new(), bridges: Vec::new() };
        let pulse = Self(Arc::new(Mutex::new(beats)));
        let shared = Arc::clone(&pulse.0);
        std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(BEAT);
                let mut beats = shared.lock().unwrap();
                let late = beats.late();
                beats.last = Instant::now();
                if late > BEAT {
                    let end = beats.last;
                    beats.pauses.push((end, late));
                }
            }
        });
        pulse
    }

    /// Adds a bridge.
    pub(crate) fn watch(&self, process_id: u32) {
        self.0.lock().unwrap().bridges.push(process_id);
    }

    /// Returns the current time.
    pub(crate) fn mark(&self) -> Mark {
        Mark { begun: Instant::now(), waits: self.waits() }
    }

    /// Returns the sum of the stalls since a time: pauses of the machine, and waits of the bridges and of this thread for a
    /// processor.
    pub(crate) fn stalled_since(&self, mark: &Mark) -> Duration {
        let waits = self
            .waits()
            .into_iter()
            .map(|(thread, wait)| wait.saturating_sub(mark.waits.get(&thread).copied().unwrap_or_default()));
        let waits: Duration = waits.sum();
        let beats = self.0.lock().unwrap();
        let ended = beats.pauses.iter().rev().take_while(|(end, _)| *end >= mark.begun).map(|(_, pause)| *pause);
        ended.sum::<Duration>() + beats.late() + waits
    }

    /// Returns the time for which each thread of the bridges, and this thread, waited for a processor.
    fn waits(&self) -> BTreeMap<PathBuf, Duration> {
        let bridges = self.0.lock().unwrap().bridges.clone();
        let folders = bridges.into_iter().filter_map(|id| std::fs::read_dir(format!("/proc/{id}/task")).ok());
        let threads = folders.flatten().map_while(Result::ok).map(|entry| entry.path());
        // The thread that waits for the answer.
        let threads = threads.chain([PathBuf::from("/proc/thread-self")]);
        threads.filter_map(|thread| Some((wait_of(&thread)?, thread))).map(|(wait, thread)| (thread, wait)).collect()
    }
}

/// Returns the time for which a thread waited for a processor: the second number, in nanoseconds.
fn wait_of(thread: &Path) -> Option<Duration> {
    let text = read_to_string(thread.join("schedstat")).ok()?;
    text.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
}

impl Beats {
    /// Returns how late the next beat is.
    fn late(&self) -> Duration {
        self.last.elapsed().saturating_sub(BEAT)
    }
}
