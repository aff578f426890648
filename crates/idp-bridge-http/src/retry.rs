//! When a request is sent again, and after which pause.

use std::time::Duration;

use http::StatusCode;

use crate::request::Effect;

/// How often a request is sent at most.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn attempt(number: u32) -> Attempted {
        Attempted { number, took: Duration::ZERO, asked: None }
    }

    #[test]
    fn the_pause_is_anything_up_to_a_ceiling_that_doubles() {
        for (number, ceiling) in [(1, 100), (2, 200)] {
            assert_eq!(pause(attempt(number), LONG, 0.0), Some(Duration::ZERO));
            assert_eq!(pause(attempt(number), LONG, 0.5), Some(Duration::from_millis(ceiling / 2)));
            assert_eq!(pause(attempt(number), LONG, 1.0), Some(Duration::from_millis(ceiling)));
        }
    }

    #[test]
    fn there_is_no_fourth_attempt() {
        assert_eq!(pause(attempt(MAX_ATTEMPTS), LONG, 0.0), None);
        assert_eq!(pause(attempt(u32::MAX), LONG, 0.0), None);
    }

    #[test]
    fn a_retry_that_cannot_end_in_time_is_not_begun() {
        let slow = Attempted { took: Duration::from_secs(2), ..attempt(1) };
        assert_eq!(pause(slow, Duration::from_secs(2), 0.0), None);
        assert_eq!(pause(slow, Duration::from_millis(2001), 0.0), Some(Duration::ZERO));
        assert_eq!(pause(attempt(1), Duration::ZERO, 0.0), None);
        assert_eq!(pause(attempt(1), Duration::from_millis(50), 1.0), None);
    }

    #[test]
    fn the_asked_time_is_waited_if_it_fits_the_deadline() {
        let asked = |seconds| Attempted { asked: Some(Duration::from_secs(seconds)), ..attempt(1) };
        assert_eq!(pause(asked(1), Duration::from_secs(4), 1.0), Some(Duration::from_secs(1)));
        assert_eq!(pause(asked(4), Duration::from_secs(4), 0.0), None);
        assert_eq!(pause(asked(u64::MAX), Duration::from_secs(4), 0.0), None);
        // Those who were all asked to return at once do not all return at once.
        assert_eq!(pause(asked(0), Duration::from_secs(4), 1.0), Some(FIRST_PAUSE));
    }

    #[test]
    fn a_write_is_sent_again_only_when_it_surely_did_not_run() {
        let passing = |effect| {
            (100..600)
                .filter_map(|code| StatusCode::from_u16(code).ok())
                .filter(|status| is_passing(*status, effect))
                .map(|status| status.as_u16())
                .collect::<Vec<_>>()
        };
        assert_eq!(passing(Effect::Read), [408, 429, 500, 502, 503, 504]);
        assert_eq!(passing(Effect::Write), [429]);
    }
}
