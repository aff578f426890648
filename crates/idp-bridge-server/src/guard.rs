//! Limits the calls of a tenant, so that its identity provider takes no resources from other tenants.
//!
//! A call first gets a seat, which limits running and waiting calls, and then a place to run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use idp_bridge_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::TenantLimits;
use crate::metrics::Limit;

/// The time after which a refused caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The calls of the whole process.
#[derive(Debug, Clone)]
pub(crate) struct ProcessGuard(Arc<Semaphore>);

/// The calls of a tenant.
#[derive(Debug)]
pub(crate) struct TenantGuard {
    seats: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// The maximum number of running calls.
    in_flight: usize,
    queue_time: Duration,
    rate: Option<DefaultDirectRateLimiter>,
}

/// The seat of a call that runs or waits. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _process: OwnedSemaphorePermit,
    _tenant: OwnedSemaphorePermit,
}

/// The place of a running call. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct RunningCall(#[expect(dead_code, reason = "frees the place when it is dropped")] OwnedSemaphorePermit);

impl ProcessGuard {
    /// Creates a guard for at most `max` calls at the same time.
    pub(crate) fn new(max: usize) -> Self {
        Self(semaphore(max))
    }

    /// Returns the number of further calls that would be admitted.
    pub(crate) fn available(&self) -> usize {
        self.0.available_permits()
    }
}

impl TenantGuard {
    /// Creates the guard of a tenant.
    pub(crate) fn new(limits: &TenantLimits) -> Self {
        let rate = limits.calls_per_second.map(|max| RateLimiter::direct(Quota::per_second(max)));
        let seats = semaphore(limits.in_flight.saturating_add(limits.queue));
        let running = semaphore(limits.in_flight);
        let in_flight = running.available_permits();
        Self { seats, running, in_flight, queue_time: limits.queue_time, rate }
    }

    /// Returns the number of running calls.
    pub(crate) fn running(&self) -> usize {
        self.in_flight.saturating_sub(self.running.available_permits())
    }

    /// Gives a call a seat.
    ///
    /// Fails with `RateLimited` beyond the tenant's call rate, and with `Unavailable` if all seats of the tenant or of the
    /// process are taken.
    pub(crate) fn admit(&self, process: &ProcessGuard) -> Result<Seat> {
        if let Some(rate) = &self.rate {
            rate.check().map_err(|until| {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Error::ours(ErrorKind::RateLimited, "the tenant has too many calls in a second")
                    .with(Limit::CONTEXT, Limit::TenantRate.as_str())
                    .with_retry_after(Some(wait))
            })?;
        }
        let take = |seats: &Arc<Semaphore>, limit, message| {
            Arc::clone(seats).try_acquire_owned().map_err(|_| overloaded(limit, message))
        };
        Ok(Seat {
            _tenant: take(
                &self.seats,
                Limit::TenantQueue,
                "too many calls of the tenant wait for its identity provider",
            )?,
            _process: take(&process.0, Limit::ProcessCalls, "too many calls of all tenants are in flight")?,
        })
    }

    /// Waits for a place to run. Fails with `Unavailable` after the queue time, or at the deadline.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<RunningCall> {
        let until = (tokio::time::Instant::now() + self.queue_time).min(deadline.into());
        match tokio::time::timeout_at(until, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(place)) => Ok(RunningCall(place)),
            _ => Err(overloaded(Limit::TenantQueueTime, "the call waited too long for other calls of the tenant")),
        }
    }
}

fn overloaded(limit: Limit, message: &'static str) -> Error {
    let error = Error::ours(ErrorKind::Unavailable, message).with(Limit::CONTEXT, limit.as_str());
    error.with_retry_after(Some(RETRY_AFTER))
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limits() -> TenantLimits {
        let queue_time = Duration::from_secs(1);
        TenantLimits { in_flight: 2, queue: 1, queue_time, calls_per_second: None }
    }

    fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn seats_are_for_running_and_waiting_calls() {
        let (guard, process) = (TenantGuard::new(&limits()), ProcessGuard::new(100));
        let mut seats: Vec<_> = (0..3).map(|_| guard.admit(&process).unwrap()).collect();
        let error = guard.admit(&process).unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(RETRY_AFTER)));
        assert!(TenantGuard::new(&limits()).admit(&process).is_ok(), "another tenant");
        seats.pop();
        assert!(guard.admit(&process).is_ok());
    }

    #[test]
    fn process_has_a_limit_of_its_own() {
        let process = ProcessGuard::new(1);
        let seat = TenantGuard::new(&limits()).admit(&process);
        let other = TenantGuard::new(&limits());
        assert_eq!(kind(other.admit(&process)), Some(ErrorKind::Unavailable));
        drop(seat);
        assert_eq!(kind(other.admit(&process)), None);
        assert_eq!(other.seats.available_permits(), 3, "a refused call keeps no seat");
    }

    #[test]
    fn call_rate_is_limited_if_set() {
        let per_second = NonZeroU32::new(5);
        let guard = TenantGuard::new(&TenantLimits { calls_per_second: per_second, ..limits() });
        let process = ProcessGuard::new(100);
        let kinds: Vec<_> = (0..20).map(|_| kind(guard.admit(&process))).collect();
        assert_eq!(kinds[..5], [None; 5]);
        assert!(kinds.contains(&Some(ErrorKind::RateLimited)));
    }

    #[tokio::test(start_paused = true)]
    async fn queue_ends_with_a_place_or_in_time() {
        let guard = TenantGuard::new(&limits());
        let far = || Instant::now() + Duration::from_secs(60);
        let first = guard.enter(far()).await.unwrap();
        let _second = guard.enter(far()).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(kind(guard.enter(far()).await), Some(ErrorKind::Unavailable));
        assert_eq!(begun.elapsed().as_secs(), 1);
        let waiting = guard.enter(far());
        let (entered, ()) = tokio::join!(waiting, async { drop(first) });
        assert!(entered.is_ok());
    }
}
