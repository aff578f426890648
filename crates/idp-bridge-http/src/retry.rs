//! When a request is sent again, and after which pause.

use std::time::Duration;

use http::StatusCode;

use crate::request::Effect;

/// How often a request is sent at most.
const MAX_ATTEMPTS: u32 = 3;
/// The pause before the second attempt is at most this long; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether an answer of this status may be another one next time.
pub(crate) fn is_passing(status: StatusCode, effect: Effect) -> bool {
    matches!((effect, status.as_u16()), (_, 429) | (Effect::Read, 408 | 500 | 502 | 503 | 504))
}

/// One attempt that failed, as far as the next one depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempted {
    /// Which attempt it was, from 1.
    pub(crate) number: u32,
    /// How long it took.
    pub(crate) took: Duration,
    /// How long the identity provider asked to wait.
    pub(crate) asked: Option<Duration>,
}

/// The pause before the next attempt; none if there must not be one.
///
/// The next attempt is taken to last as long as the one before: if that cannot end in the time `left`, the caller is better
/// served with the answer at hand. `roll` is in `0.0..=1.0`.
//
// The retry budget (10 % of a tenant's calls, with a reserve) belongs here: one more reason to answer `None`.
pub(crate) fn pause(last: Attempted, left: Duration, roll: f64) -> Option<Duration> {
    if last.number >= MAX_ATTEMPTS {
        return None;
    }
    let pause = last.asked.unwrap_or_default().max(jitter(last.number, roll));
    (pause.saturating_add(last.took) < left).then_some(pause)
}

/// Full jitter: anything between nothing and a ceiling that doubles, so that callers that failed together do not return together.
fn jitter(number: u32, roll: f64) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << number.saturating_sub(1).min(MAX_ATTEMPTS));
    ceiling.mul_f64(roll.clamp(0.0, 1.0))
}
