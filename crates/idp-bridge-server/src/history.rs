//! The number and the durations of calls in each minute of the last hour.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// The number of minutes that are kept.
pub(crate) const MINUTES: usize = 60;

/// The calls of the last hour. Takes about 1.2 KB from the first call on, and nothing before.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Option<Box<[Slot; MINUTES]>>>);

/// The calls of a minute.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The minute, counted from 1970.
    number: u32,
    minute: Minute,
}

/// The calls of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    pub(crate) calls: u32,
    /// The calls that failed with a status of 5xx.
    pub(crate) errors: u32,
    /// The sum of all durations in milliseconds.
    pub(crate) total_ms: u32,
    /// The longest duration in milliseconds.
    pub(crate) max_ms: u32,
}

impl History {
    /// Counts a call that ends now.
    pub(crate) fn count(&self, now: Timestamp, is_error: bool, duration: Duration) {
        let number = minute_number(now);
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = slots.get_or_insert_with(|| Box::new([Slot::default(); MINUTES]));
        let Some(slot) = slots.get_mut(number as usize % MINUTES) else { return };
        if slot.number != number {
            *slot = Slot { number, minute: Minute::default() };
        }
        let ms = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        slot.minute.add(Minute { calls: 1, errors: u32::from(is_error), total_ms: ms, max_ms: ms });
    }

    /// Returns the minutes of the last hour, the current one last. `None` if there was no call.
    pub(crate) fn last_hour(&self, now: Timestamp) -> Option<[Minute; MINUTES]> {
        let slots = *self.0.lock().unwrap_or_else(PoisonError::into_inner).as_deref()?;
        let current = minute_number(now);
        let mut minutes = [Minute::default(); MINUTES];
        for slot in slots {
            // A slot of the future shows that the clock was set back.
            let age = current.checked_sub(slot.number).and_then(|age| usize::try_from(age).ok());
            let position = age.and_then(|age| (MINUTES - 1).checked_sub(age));
            if let Some(minute) = position.and_then(|position| minutes.get_mut(position)) {
                *minute = slot.minute;
            }
        }
        minutes.iter().any(|minute| minute.calls > 0).then_some(minutes)
    }
}

impl Minute {
    /// Adds the calls of another minute.
    pub(crate) fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
    }

    /// Returns the sum of several minutes.
    pub(crate) fn sum(minutes: &[Self]) -> Self {
        minutes.iter().fold(Self::default(), |mut sum, minute| {
            sum.add(*minute);
            sum
        })
    }

    /// Returns the mean duration in milliseconds. `None` without calls.
    pub(crate) fn mean_ms(self) -> Option<u32> {
        self.total_ms.checked_div(self.calls)
    }
}

fn minute_number(time: Timestamp) -> u32 {
    u32::try_from(time.as_second() / 60).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * number).unwrap()
    }

    #[test]
    fn calls_are_counted_by_minute() {
        let history = History::default();
        assert_eq!(history.last_hour(minute(0)), None);
        history.count(minute(0), false, Duration::from_millis(10));
        history.count(minute(0), true, Duration::from_millis(30));
        history.count(minute(2), false, Duration::from_millis(5));
        let hour = history.last_hour(minute(3)).unwrap();
        assert_eq!(hour[MINUTES - 4], Minute { calls: 2, errors: 1, total_ms: 40, max_ms: 30 });
        assert_eq!(hour[MINUTES - 4].mean_ms(), Some(20));
        assert_eq!((hour[MINUTES - 2].calls, hour[MINUTES - 1].mean_ms()), (1, None));
        assert_eq!(Minute::sum(&hour), Minute { calls: 3, errors: 1, total_ms: 45, max_ms: 30 });
    }

    #[test]
    fn old_minutes_are_gone() {
        let history = History::default();
        history.count(minute(0), false, Duration::ZERO);
        assert!(history.last_hour(minute(59)).is_some());
        assert_eq!(history.last_hour(minute(60)), None);
        history.count(minute(60), false, Duration::ZERO);
        assert_eq!(Minute::sum(&history.last_hour(minute(60)).unwrap()).calls, 1, "the slot is used again");
        assert_eq!(history.last_hour(minute(-5)), None, "the clock was set back");
    }
}
