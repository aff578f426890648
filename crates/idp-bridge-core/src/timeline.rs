//! The steps of a call with their times, and the attempts of its requests to the identity provider.
//!
//! A call records them as they begin, so that they are known when the deadline drops its future. Log, metrics, the list of the
//! last calls and traces are built from them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Instant;

use serde::Serialize;

use crate::{AttemptResult, TraceContext};

/// The maximum number of recorded steps of a call.
const MAX_STEPS: usize = 64;
/// The shortest wait that is recorded, in microseconds.
const MIN_WAIT_US: u64 = 1_000;

/// A step of a call. Its name and all other texts contain no personal data and no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The name, such as `verify`, or the HTTP method of an attempt.
    pub name: &'static str,
    /// The position of the step that this one is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// The time from the begin of the call to that of the step, in microseconds.
    pub start_us: u64,
    /// The time that it took, in microseconds. `None` if the call ended first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// The request to the identity provider that the step is an attempt of.
    #[serde(flatten)]
    pub attempt: Option<Attempt>,
}

/// An attempt of a request to an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The host and the port of the identity provider.
    pub host: String,
    /// The number of the attempt, from 1. Further ones are retries.
    pub number: u32,
    /// The decision of the host's circuit breaker.
    pub breaker: BreakerDecision,
    /// The status of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The result. `None` while it runs, and if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptResult>,
}

/// The decision of a circuit breaker about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerDecision {
    /// The breaker was closed: the attempt was sent.
    Closed,
    /// The breaker was open, and sent this attempt to check whether the host is available again.
    Probe,
    /// The breaker was open: the attempt was not sent.
    HeldBack,
}

impl BreakerDecision {
    /// Returns the name in the list of calls and in traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Probe => "probe",
            Self::HeldBack => "held_back",
        }
    }
}

/// Records the steps of a call. Clones share the steps.
#[derive(Debug, Clone)]
pub struct Timeline(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    trace: OnceLock<CallTrace>,
    steps: Mutex<Steps>,
}

/// The trace of a call.
#[derive(Debug, Clone, Copy)]
enum CallTrace {
    /// The steps are spans, and an attempt sends its own one. The context is that of the call.
    Recorded(TraceContext),
    /// The attempts send the context of the caller.
    PassedOn(TraceContext),
}

#[derive(Debug, Default)]
struct Steps {
    recorded: Vec<Step>,
    /// The position of the step that further ones are parts of.
    current: Option<usize>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self(Arc::new(Inner { started: Instant::now(), trace: OnceLock::new(), steps: Mutex::default() }))
    }
}

impl Timeline {
    /// Sets the span of the call, so that each attempt sends a `traceparent` of its own. Without effect if a trace is set.
    pub fn record_trace(&self, call: TraceContext) {
        let _ = self.0.trace.set(CallTrace::Recorded(call));
    }

    /// Sets the span of the caller, which each attempt sends unchanged as its `traceparent`. Without effect if a trace is set.
    pub fn pass_trace_on(&self, caller: TraceContext) {
        let _ = self.0.trace.set(CallTrace::PassedOn(caller));
    }

    /// Begins a step, which ends when the returned value is dropped. Steps that begin meanwhile are its parts.
    pub fn begin(&self, name: &'static str) -> RunningStep {
        let start_us = self.elapsed_us();
        let mut steps = self.lock();
        let parent = steps.current;
        let position = steps.push(Step { name, parent, start_us, duration_us: None, attempt: None });
        steps.current = position.or(parent);
        drop(steps);
        RunningStep { timeline: self.clone(), position, parent }
    }

    /// Waits for a future. The wait is a step if it takes a millisecond or longer, also if it is cancelled.
    ///
    /// The caller pins the future, since an `async fn` has space for a future that it takes by value twice.
    pub async fn wait<F: Future + Unpin>(&self, name: &'static str, mut future: F) -> F::Output {
        let first = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await;
        match first {
            // Most futures are ready at once. They need no time.
            Poll::Ready(output) => output,
            Poll::Pending => {
                let _wait = Wait { timeline: self, name, start_us: self.elapsed_us() };
                future.await
            }
        }
    }

    /// Begins an attempt of a request, which ends when the returned value is dropped.
    pub fn begin_attempt(&self, method: &'static str, host: String, number: u32) -> RunningAttempt {
        let start_us = self.elapsed_us();
        let attempt = Attempt { host, number, breaker: BreakerDecision::Closed, status: None, result: None };
        let mut steps = self.lock();
        let parent = steps.current;
        let position = steps.push(Step { name: method, parent, start_us, duration_us: None, attempt: Some(attempt) });
        drop(steps);
        RunningAttempt { timeline: self.clone(), position }
    }

    /// Returns the time when the call began.
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// Returns the steps so far, in the order in which they began.
    pub fn steps(&self) -> Vec<Step> {
        self.lock().recorded.clone()
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Records the end of a step.
    fn end(&self, steps: &mut Steps, position: Option<usize>) {
        if let Some(step) = position.and_then(|position| steps.recorded.get_mut(position)) {
            step.duration_us = Some(self.elapsed_us().saturating_sub(step.start_us));
        }
    }

    /// Locks the steps. A poisoned lock is fine, since the value is consistent after every statement.
    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Steps {
    /// Adds a step, and returns its position. A call with too many steps loses the further ones.
    fn push(&mut self, step: Step) -> Option<usize> {
        let position = self.recorded.len();
        (position < MAX_STEPS).then(|| {
            self.recorded.push(step);
            position
        })
    }
}

/// A running step. Dropping it ends the step.
#[derive(Debug)]
pub struct RunningStep {
    timeline: Timeline,
    position: Option<usize>,
    parent: Option<usize>,
}

impl Drop for RunningStep {
    fn drop(&mut self) {
        let mut steps = self.timeline.lock();
        self.timeline.end(&mut steps, self.position);
        steps.current = self.parent;
    }
}

/// A running wait. Dropping it records the wait, unless it was short.
struct Wait<'a> {
    timeline: &'a Timeline,
    name: &'static str,
    start_us: u64,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let duration_us = self.timeline.elapsed_us().saturating_sub(self.start_us);
        if duration_us >= MIN_WAIT_US {
            let mut steps = self.timeline.lock();
            let parent = steps.current;
            let duration_us = Some(duration_us);
            steps.push(Step { name: self.name, parent, start_us: self.start_us, duration_us, attempt: None });
        }
    }
}

/// A running attempt. Dropping it without a result records an abandoned one.
#[derive(Debug)]
pub struct RunningAttempt {
    timeline: Timeline,
    position: Option<usize>,
}

impl RunningAttempt {
    /// Returns the `traceparent` to send, if the call has a trace.
    pub fn traceparent(&self) -> Option<String> {
        match (self.timeline.0.trace.get()?, self.position) {
            (CallTrace::Recorded(call), Some(position)) => Some(call.step(position).to_string()),
            (CallTrace::Recorded(_), None) => None,
            (CallTrace::PassedOn(caller), _) => Some(caller.to_string()),
        }
    }

    /// Records the decision of the circuit breaker.
    pub fn set_breaker(&self, decision: BreakerDecision) {
        self.change(|attempt| attempt.breaker = decision);
    }

    /// Records the result, and the status of the response if there was one.
    pub fn set_result(&self, result: AttemptResult, status: Option<u16>) {
        self.change(|attempt| (attempt.result, attempt.status) = (Some(result), status));
    }

    fn change(&self, change: impl FnOnce(&mut Attempt)) {
        let mut steps = self.timeline.lock();
        let step = self.position.and_then(|position| steps.recorded.get_mut(position));
        step.and_then(|step| step.attempt.as_mut()).map(change);
    }
}

impl Drop for RunningAttempt {
    fn drop(&mut self) {
        self.change(|attempt| {
            let is_sent = attempt.breaker != BreakerDecision::HeldBack;
            attempt.result = attempt.result.or(is_sent.then_some(AttemptResult::Abandoned));
        });
        self.timeline.end(&mut self.timeline.lock(), self.position);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn names(timeline: &Timeline) -> Vec<(&'static str, Option<usize>)> {
        timeline.steps().iter().map(|step| (step.name, step.parent)).collect()
    }

    #[test]
    fn steps_within_a_step_are_its_parts() {
        let timeline = Timeline::default();
        drop(timeline.begin("verify"));
        let dispatch = timeline.begin("dispatch");
        let attempt = timeline.begin_attempt("GET", "idp.example".into(), 1);
        drop(timeline.begin("queue"));
        drop(dispatch);
        let _last = timeline.begin("store");
        let expected = [("verify", None), ("dispatch", None), ("GET", Some(1)), ("queue", Some(1)), ("store", None)];
        assert_eq!(names(&timeline), expected);
        let running: Vec<_> = timeline.steps().iter().map(|step| step.duration_us.is_none()).collect();
        assert_eq!(running, [false, false, true, false, true]);
        drop(attempt);
    }

    #[test]
    fn attempts_have_status_result_and_decision() {
        let timeline = Timeline::default();
        let attempt = timeline.begin_attempt("GET", "idp.example".into(), 1);
        attempt.set_result(AttemptResult::Failed, Some(503));
        drop(attempt);
        drop(timeline.begin_attempt("GET", "idp.example".into(), 2));
        let held_back = timeline.begin_attempt("GET", "idp.example".into(), 3);
        held_back.set_breaker(BreakerDecision::HeldBack);
        drop(held_back);
        let attempts: Vec<_> = timeline.steps().into_iter().filter_map(|step| step.attempt).collect();
        let results: Vec<_> = attempts.iter().map(|attempt| (attempt.result, attempt.status)).collect();
        let expected = [(Some(AttemptResult::Failed), Some(503)), (Some(AttemptResult::Abandoned), None), (None, None)];
        assert_eq!(results, expected);
        assert_eq!(attempts.last().map(|attempt| attempt.breaker), Some(BreakerDecision::HeldBack));
    }

    #[test]
    fn attempt_sends_its_own_span() {
        let timeline = Timeline::default();
        let caller = TraceContext::new(7, 100, true);
        assert_eq!(timeline.begin_attempt("GET", String::new(), 1).traceparent(), None);
        timeline.record_trace(caller);
        let sent = timeline.begin_attempt("GET", String::new(), 1).traceparent();
        assert_eq!(sent, Some(caller.step(1).to_string()));
        let unrecorded = Timeline::default();
        unrecorded.pass_trace_on(caller);
        assert_eq!(unrecorded.begin_attempt("GET", String::new(), 1).traceparent(), Some(caller.to_string()));
    }

    #[test]
    fn number_of_steps_is_bounded() {
        let timeline = Timeline::default();
        let steps: Vec<_> = (0..2 * MAX_STEPS).map(|_| timeline.begin("dispatch")).collect();
        let attempt = timeline.begin_attempt("GET", String::new(), 1);
        attempt.set_result(AttemptResult::Success, Some(200));
        timeline.record_trace(TraceContext::new(7, 100, true));
        assert_eq!(attempt.traceparent(), None, "no span would have this id");
        drop((steps, attempt));
        assert_eq!(timeline.steps().len(), MAX_STEPS);
    }

    #[tokio::test]
    async fn only_long_waits_are_steps() {
        let timeline = Timeline::default();
        timeline.wait("queue", pin!(async {})).await;
        timeline.wait("queue", pin!(tokio::task::yield_now())).await;
        let long = async {
            tokio::task::yield_now().await;
            let start_us = timeline.elapsed_us();
            while timeline.elapsed_us() < start_us + MIN_WAIT_US {
                std::hint::spin_loop();
            }
        };
        timeline.wait("audit", pin!(long)).await;
        assert_eq!(names(&timeline), [("audit", None)]);
    }

    #[tokio::test]
    async fn cancelled_wait_is_a_step() {
        let timeline = Timeline::default();
        let mut wait = Box::pin(timeline.wait("queue", std::future::pending::<()>()));
        let is_ready = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_ready())).await;
        assert!(!is_ready);
        let start_us = timeline.elapsed_us();
        while timeline.elapsed_us() < start_us + MIN_WAIT_US {
            std::hint::spin_loop();
        }
        drop(wait);
        assert_eq!(names(&timeline), [("queue", None)]);
    }
}
