//! Measures for how long the machine paused this process, so that a busy machine is not reported as a late answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The interval of the measurement.
const BEAT: Duration = Duration::from_millis(5);

/// The pauses of this process.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Mutex<Beats>>);

#[derive(Debug)]
struct Beats {
    last: Instant,
    /// Each pause with its end.
    pauses: Vec<(Instant, Duration)>,
}

impl Pulse {
    /// Starts to measure, until the end of the process.
    pub(crate) fn start() -> Self {
        let pulse = Self(Arc::new(Mutex::new(Beats { last: Instant::now(), pauses: Vec::new() })));
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

    /// Returns the sum of the pauses since an instant, with one that has not ended.
    pub(crate) fn paused_since(&self, begun: Instant) -> Duration {
        let beats = self.0.lock().unwrap();
        let ended = beats.pauses.iter().rev().take_while(|(end, _)| *end >= begun).map(|(_, pause)| *pause);
        ended.sum::<Duration>() + beats.late()
    }
}

impl Beats {
    /// Returns how late the next beat is.
    fn late(&self) -> Duration {
        self.last.elapsed().saturating_sub(BEAT)
    }
}
