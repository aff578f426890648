//! The last calls, in memory and bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call_record::CallRecord;

/// The last calls of each [`Kind`].
///
/// The kinds have lists of their own: many successes do not displace the failure that an operator looks for, and
/// calls with an invalid signature displace no call of a platform.
#[derive(Debug)]
pub(crate) struct RecentCalls {
    /// The maximum length of a list.
    max: usize,
    lists: [List; 3],
}

type List = Mutex<VecDeque<Arc<CallRecord>>>;

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Successful,
    Failed,
    /// Not authenticated.
    Unverified,
}

impl Kind {
    fn from_record(call: &CallRecord) -> Self {
        match (&call.connector, call.code) {
            (None, _) => Self::Unverified,
            (_, "invalid_token" | "invalid_signature") => Self::Unverified,
            (_, "ok") => Self::Successful,
            _ => Self::Failed,
        }
    }
}

impl RecentCalls {
    /// Creates empty lists of at most `max` calls each.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, lists: Default::default() }
    }

    /// Returns whether calls are kept.
    pub(crate) fn is_on(&self) -> bool {
        self.max > 0
    }

    /// Adds a call, and removes the oldest one of its kind if there are too many.
    pub(crate) fn push(&self, call: Arc<CallRecord>) {
        let Some(list) = self.lists.get(Kind::from_record(&call) as usize).filter(|_| self.is_on()) else { return };
        let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= self.max {
            list.pop_front();
        }
        list.push_back(call);
    }

    /// Returns the call with this request id.
    pub(crate) fn find(&self, request_id: &str) -> Option<Arc<CallRecord>> {
        self.lists.iter().find_map(|list| {
            let list = list.lock().unwrap_or_else(PoisonError::into_inner);
            list.iter().rev().find(|call| call.request_id == request_id).cloned()
        })
    }

    /// Returns the last calls of a tenant, or of all, the newest first.
    pub(crate) fn latest(&self, tenant: Option<&str>, max: usize) -> Vec<Arc<CallRecord>> {
        let is_of_tenant = |call: &CallRecord| tenant.is_none_or(|tenant| call.tenant == tenant);
        let mut found: Vec<_> = self.lists.iter().flat_map(|list| latest_of(list, max, is_of_tenant)).collect();
        found.sort_by_key(|call| std::cmp::Reverse(call.time));
        found.truncate(max);
        found
    }

    /// Returns the last failed calls, the newest first.
    pub(crate) fn latest_failures(&self, max: usize) -> Vec<Arc<CallRecord>> {
        self.lists.get(Kind::Failed as usize).map(|list| latest_of(list, max, |_| true)).unwrap_or_default()
    }
}

/// Returns the last calls of a list, the newest first.
fn latest_of(list: &List, max: usize, is_match: impl Fn(&CallRecord) -> bool) -> Vec<Arc<CallRecord>> {
    let list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.iter().rev().filter(|call| is_match(call)).take(max).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use jiff::Timestamp;

    use super::*;

    fn call(id: &str, tenant: &str, code: &'static str) -> Arc<CallRecord> {
        let second = id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or_default();
        Arc::new(CallRecord {
            request_id: id.into(),
            time: Timestamp::from_second(second).unwrap(),
            duration: Duration::from_millis(1),
            tenant: tenant.into(),
            connector: (code != "invalid_signature").then_some("memory"),
            method: Method::POST,
            route: "/",
            surface: "webhook",
            call: None,
            code,
            status: 200,
            outcome: None,
            replayed: false,
            user_hash: None,
            webhook_id: None,
            trace_id: None,
            error: None,
            hint: None,
            steps: Vec::new(),
        })
    }

    #[test]
    fn oldest_call_is_removed() {
        let calls = RecentCalls::new(2);
        (0..3).for_each(|number| calls.push(call(&format!("r{number}"), "acme", "ok")));
        assert!(calls.find("r0").is_none());
        assert_eq!(calls.find("r1").map(|call| call.time.as_second()), Some(1));
    }

    #[test]
    fn kinds_do_not_displace_each_other() {
        let calls = RecentCalls::new(2);
        calls.push(call("r1", "acme", "overloaded"));
        (2..9).for_each(|number| calls.push(call(&format!("r{number}"), "acme", "ok")));
        (9..20).for_each(|number| calls.push(call(&format!("r{number}"), "acme", "invalid_signature")));
        assert!(calls.find("r1").is_some() && calls.find("r8").is_some() && calls.find("r19").is_some());
    }

    #[test]
    fn latest_calls_are_those_of_the_tenant() {
        let calls = RecentCalls::new(10);
        for (id, tenant, code) in [("r1", "acme", "ok"), ("r2", "other", "ok"), ("r3", "acme", "overloaded")] {
            calls.push(call(id, tenant, code));
        }
        let ids = |tenant, max| -> Vec<String> {
            calls.latest(tenant, max).iter().map(|call| call.request_id.clone()).collect()
        };
        assert_eq!(ids(Some("acme"), 10), ["r3", "r1"]);
        assert_eq!(ids(None, 2), ["r3", "r2"]);
    }

    #[test]
    fn list_can_be_switched_off() {
        let calls = RecentCalls::new(0);
        calls.push(call("r1", "acme", "ok"));
        assert!(calls.find("r1").is_none());
    }
}
