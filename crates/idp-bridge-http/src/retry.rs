//! Retries and the pauses between them.

use std::time::Duration;

use http::StatusCode;

use crate::request::Effect;

/// The maximum number of attempts.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// The maximum pause before the second attempt. Doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Returns whether a request with this status may be retried.
pub(crate) fn is_transient(status: StatusCode, effect: Effect) -> bool {
    matches!((effect, status.as_u16()), (_, 429) | (Effect::Read, 408 | 500 | 502 | 503 | 504))
}

/// Returns whether this status shows an outage of the identity provider.
pub(crate) fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// A failed attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// The number of the attempt, from 1.
    pub(crate) number: u32,
    /// The duration of the attempt.
    pub(crate) took: Duration,
    /// The waiting time that the identity provider requires.
    pub(crate) retry_after: Option<Duration>,
}

/// Returns the pause before the next attempt, or `None` if there must be no further attempt.
///
/// The next attempt is expected to take as long as the last one, and is not made if it cannot end within the time `left`.
/// `roll` is a random number in `0.0..=1.0`. The tenant's [`RetryBudget`](crate::budget::RetryBudget) may refuse the attempt.
pub(crate) fn pause(last: Attempt, left: Duration, roll: f64) -> Option<Duration> {
    if last.number >= MAX_ATTEMPTS {
        return None;
    }
    let pause = last.retry_after.unwrap_or_default().max(jitter(last.number, roll));
    (pause.saturating_add(last.took) < left).then_some(pause)
}

/// Full jitter: a random pause below a limit that doubles, so that callers do not retry simultaneously.
fn jitter(number: u32, roll: f64) -> Duration {
    let ceiling = FIRST_PAUSE.saturating_mul(1 << number.saturating_sub(1).min(MAX_ATTEMPTS));
    ceiling.mul_f64(roll.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn attempt(number: u32) -> Attempt {
        Attempt { number, took: Duration::ZERO, retry_after: None }
    }

    #[test]
    fn pause_limit_doubles() {
        for (number, ceiling) in [(1, 100), (2, 200)] {
            assert_eq!(pause(attempt(number), LONG, 0.0), Some(Duration::ZERO));
            assert_eq!(pause(attempt(number), LONG, 0.5), Some(Duration::from_millis(ceiling / 2)));
            assert_eq!(pause(attempt(number), LONG, 1.0), Some(Duration::from_millis(ceiling)));
        }
    }

    #[test]
    fn fourth_attempt_is_not_made() {
        assert_eq!(pause(attempt(MAX_ATTEMPTS), LONG, 0.0), None);
        assert_eq!(pause(attempt(u32::MAX), LONG, 0.0), None);
    }

    #[test]
    fn late_retry_is_not_started() {
        let slow = Attempt { took: Duration::from_secs(2), ..attempt(1) };
        assert_eq!(pause(slow, Duration::from_secs(2), 0.0), None);
        assert_eq!(pause(slow, Duration::from_millis(2001), 0.0), Some(Duration::ZERO));
        assert_eq!(pause(attempt(1), Duration::ZERO, 0.0), None);
        assert_eq!(pause(attempt(1), Duration::from_millis(50), 1.0), None);
    }

    #[test]
    fn retry_after_is_respected_within_the_deadline() {
        let after = |seconds| Attempt { retry_after: Some(Duration::from_secs(seconds)), ..attempt(1) };
        assert_eq!(pause(after(1), Duration::from_secs(4), 1.0), Some(Duration::from_secs(1)));
        assert_eq!(pause(after(4), Duration::from_secs(4), 0.0), None);
        assert_eq!(pause(after(u64::MAX), Duration::from_secs(4), 0.0), None);
        // Callers that may all retry immediately still get different pauses.
        assert_eq!(pause(after(0), Duration::from_secs(4), 1.0), Some(FIRST_PAUSE));
    }

    #[test]
    fn writes_are_retried_on_429_only() {
        let transient = |effect| {
            (100..600)
                .filter_map(|code| StatusCode::from_u16(code).ok())
                .filter(|status| is_transient(*status, effect))
                .map(|status| status.as_u16())
                .collect::<Vec<_>>()
        };
        assert_eq!(transient(Effect::Read), [408, 429, 500, 502, 503, 504]);
        assert_eq!(transient(Effect::Write), [429]);
    }
}
