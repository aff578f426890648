//! Circuit breakers: a host that is down gets one request at a time, and its callers an answer without waiting.
//!
//! The crates for this (`failsafe`, `recloser`, `tower-resilience-circuitbreaker`) do not count an attempt that is dropped at its
//! deadline, which is how a host that hangs shows. The first two admit all requests in the half-open state.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use idp_bridge_core::{Error, ErrorKind, OutboundPolicy, Result, TenantId, UpstreamCounters, UpstreamLimits};
use tokio::time::Instant;

/// The breakers of a tenant's hosts.
#[derive(Debug)]
pub(crate) struct Breakers {
    tenant: Option<TenantId>,
    limits: UpstreamLimits,
    counters: UpstreamCounters,
    hosts: Mutex<BTreeMap<String, Arc<Breaker>>>,
}

/// The breaker of a host.
#[derive(Debug)]
struct Breaker {
    tenant: Option<TenantId>,
    host: String,
    limits: UpstreamLimits,
    counters: UpstreamCounters,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of failed attempts since the last success.
    failures: u32,
    /// The begin of the first of them.
    failing_since: Option<Instant>,
    last_success: Option<Instant>,
    /// The error of the last failed attempt.
    last_error: Option<Error>,
    /// The time from which the next request is sent. Set while the breaker is open.
    next_probe: Option<Instant>,
}

/// An admitted attempt. Counts as failed if it is dropped after a long wait, and not at all if it is dropped earlier.
#[derive(Debug)]
pub(crate) struct AdmittedAttempt {
    breaker: Arc<Breaker>,
    started: Instant,
    is_probe: bool,
    is_counted: bool,
}

impl Breakers {
    /// Creates the breakers of a tenant.
    pub(crate) fn new(policy: &OutboundPolicy) -> Self {
        let (limits, counters) = (policy.limits.clone(), policy.counters.clone());
        Self { tenant: policy.tenant.clone(), limits, counters, hosts: Mutex::default() }
    }

    /// Admits an attempt. Fails with the host's last error if its breaker is open and it is not the time for a probe.
    pub(crate) fn admit(&self, host: &str) -> Result<AdmittedAttempt> {
        let breaker = self.breaker(host);
        let started = Instant::now();
        let is_probe = breaker.admit(started).inspect_err(|_| self.counters.count_held_back())?;
        Ok(AdmittedAttempt { breaker, started, is_probe, is_counted: false })
    }

    fn breaker(&self, host: &str) -> Arc<Breaker> {
        let mut hosts = lock(&self.hosts);
        if let Some(breaker) = hosts.get(host) {
            return Arc::clone(breaker);
        }
        let (tenant, limits, state) = (self.tenant.clone(), self.limits.clone(), Mutex::default());
        let counters = self.counters.clone();
        let breaker = Arc::new(Breaker { tenant, host: host.to_owned(), limits, counters, state });
        hosts.insert(host.to_owned(), Arc::clone(&breaker));
        breaker
    }
}

impl Breaker {
    /// Admits a request if the breaker is closed, or once in each pause. Returns whether it is such a probe.
    fn admit(&self, now: Instant) -> Result<bool> {
        let mut state = lock(&self.state);
        let Some(next_probe) = state.next_probe else { return Ok(false) };
        if now >= next_probe {
            state.next_probe = Some(now + self.limits.breaker_pause);
            return Ok(true);
        }
        let error = match &state.last_error {
            Some(last) => last.with_message(last.message().to_owned()),
            None => timed_out(),
        };
        Err(error.with("circuit", "open").with_retry_after(Some(next_probe - now)).unanswered())
    }

    /// Counts a failure of an attempt. Attempts from before the last success show no present outage.
    fn fail(&self, started: Instant, error: Error) {
        let (mut state, now) = (lock(&self.state), Instant::now());
        if state.last_success.is_some_and(|success| started < success) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let since = state.failing_since.map_or(started, |since| since.min(started));
        state.failing_since = Some(since);
        let is_outage = state.failures >= self.limits.breaker_failures && now - since >= self.limits.breaker_after;
        if is_outage && self.limits.breaker_failures > 0 && state.next_probe.is_none() {
            state.next_probe = Some(now + self.limits.breaker_pause);
            self.counters.host_down();
            let (tenant, host, failures) = (self.tenant.as_ref().map(TenantId::as_str), &self.host, state.failures);
            tracing::warn!(
                tenant.id = tenant,
                host,
                failures,
                error = %error,
                circuit = "open",
                "the identity provider is down: it gets single requests until it answers"
            );
        }
        state.last_error = Some(error);
    }

    fn succeed(&self) {
        let mut state = lock(&self.state);
        let was_open = state.next_probe.is_some();
        *state = State { last_success: Some(Instant::now()), ..State::default() };
        if was_open {
            self.counters.host_up();
            let tenant = self.tenant.as_ref().map(TenantId::as_str);
            tracing::info!(
                tenant.id = tenant,
                host = &self.host,
                circuit = "closed",
                "the identity provider answers again"
            );
        }
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if lock(&self.state).next_probe.is_some() {
            self.counters.host_up();
        }
    }
}

impl AdmittedAttempt {
    /// Returns whether the breaker is open, and the attempt checks whether the host is available again.
    pub(crate) fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Records a response that shows no outage.
    pub(crate) fn succeed(mut self) {
        self.is_counted = true;
        self.breaker.succeed();
    }

    /// Records an outage.
    pub(crate) fn fail(mut self, error: Error) {
        self.is_counted = true;
        self.breaker.fail(self.started, error);
    }

    /// Records a result that shows neither.
    pub(crate) fn ignore(mut self) {
        self.is_counted = true;
    }
}

impl Drop for AdmittedAttempt {
    fn drop(&mut self) {
        if !self.is_counted && self.started.elapsed() >= self.breaker.limits.breaker_after {
            self.breaker.fail(self.started, timed_out());
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.next_probe.is_some();
        f.debug_struct("State").field("failures", &self.failures).field("is_open", &is_open).finish_non_exhaustive()
    }
}

fn timed_out() -> Error {
    Error::upstream(ErrorKind::Unavailable, "the identity provider did not answer in time")
}

/// Locks a value. A poisoned lock is fine, since the value is consistent after every statement.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const HOST: &str = "login.acme.example";

    fn breakers() -> Breakers {
        Breakers::new(&OutboundPolicy::default())
    }

    fn down() -> Error {
        Error::upstream(ErrorKind::Unavailable, "as the test says")
    }

    /// Fails attempts in a row, the last one a second after the first one.
    async fn open(breakers: &Breakers) {
        for _ in 0..5 {
            let attempt = breakers.admit(HOST).unwrap();
            advance(SECOND / 4).await;
            attempt.fail(down());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn outage_opens_the_breaker_of_its_host() {
        let breakers = breakers();
        open(&breakers).await;
        let error = breakers.admit(HOST).unwrap_err();
        let counters = breakers.counters.clone();
        assert_eq!((counters.outages(), counters.hosts_down(), counters.held_back()), (1, 1, 1));
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "as the test says"));
        assert_eq!((error.retry_after(), error.is_unanswered()), (Some(SECOND), true));
        for other in ["other.acme.example", "login.acme.example:8443"] {
            assert!(breakers.admit(other).is_ok(), "{other}");
        }
        drop(breakers);
        assert_eq!((counters.outages(), counters.hosts_down()), (1, 0), "a host that is no longer used is not down");
    }

    #[tokio::test(start_paused = true)]
    async fn burst_of_failures_is_no_outage() {
        let breakers = breakers();
        for _ in 0..100 {
            breakers.admit(HOST).unwrap().fail(down());
        }
        assert!(breakers.admit(HOST).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn few_failures_are_no_outage() {
        let breakers = breakers();
        for _ in 0..4 {
            breakers.admit(HOST).unwrap().fail(down());
            advance(60 * SECOND).await;
        }
        breakers.admit(HOST).unwrap().succeed();
        open(&breakers).await;
        assert!(breakers.admit(HOST).is_err(), "the count begins anew after a success");
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_is_sent_in_each_pause() {
        let breakers = breakers();
        open(&breakers).await;
        for _ in 0..3 {
            advance(SECOND).await;
            let probe = breakers.admit(HOST).unwrap();
            assert!(breakers.admit(HOST).is_err(), "one is enough");
            probe.fail(down());
            assert!(breakers.admit(HOST).is_err());
        }
        advance(SECOND).await;
        // A probe without a result does not delay the next one.
        let hanging = breakers.admit(HOST).unwrap();
        advance(SECOND).await;
        breakers.admit(HOST).unwrap().succeed();
        assert!(breakers.admit(HOST).is_ok() && breakers.admit(HOST).is_ok());
        drop(hanging);
        assert!(breakers.admit(HOST).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_attempt_counts_after_a_long_wait() {
        let breakers = breakers();
        let admit = || (0..5).map(|_| breakers.admit(HOST).unwrap()).collect::<Vec<_>>();
        let hasty = admit();
        advance(SECOND / 2).await;
        drop(hasty);
        assert!(breakers.admit(HOST).is_ok(), "callers left early");
        let stuck = admit();
        advance(SECOND).await;
        drop(stuck);
        assert_eq!(breakers.admit(HOST).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_from_before_a_success_do_not_count() {
        let breakers = breakers();
        let stuck: Vec<_> = (0..20).map(|_| breakers.admit(HOST).unwrap()).collect();
        advance(SECOND).await;
        breakers.admit(HOST).unwrap().succeed();
        advance(10 * SECOND).await;
        drop(stuck);
        assert!(breakers.admit(HOST).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn breaker_can_be_switched_off() {
        let limits = UpstreamLimits { breaker_failures: 0, ..UpstreamLimits::default() };
        let breakers = Breakers::new(&OutboundPolicy { limits, ..OutboundPolicy::default() });
        open(&breakers).await;
        assert!(breakers.admit(HOST).is_ok());
    }
}
