//! The budget of retries: a share of a tenant's requests, so that an outage does not multiply them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use idp_bridge_core::UpstreamLimits;

/// The cost of a retry. A request pays in the percentage of retries.
const COST: u64 = 100;

/// A tenant's budget of retries and second requests.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    percent: u64,
    max: u64,
    balance: AtomicU64,
}

impl RetryBudget {
    /// Creates a budget with a full reserve.
    pub(crate) fn new(limits: &UpstreamLimits) -> Self {
        let max = u64::from(limits.retry_reserve.max(1)) * COST;
        let balance = u64::from(limits.retry_reserve) * COST;
        Self { percent: limits.retry_percent.into(), max, balance: balance.into() }
    }

    /// Adds the share of a request.
    pub(crate) fn deposit(&self) {
        let add = |balance: u64| Some((balance + self.percent).min(self.max));
        // Never fails, since the function always returns a balance.
        let _ = self.balance.fetch_update(Relaxed, Relaxed, add);
    }

    /// Takes a retry. Returns false if the budget is exhausted.
    pub(crate) fn withdraw(&self) -> bool {
        self.balance.fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(retry_percent: u32, retry_reserve: u32) -> RetryBudget {
        RetryBudget::new(&UpstreamLimits { retry_percent, retry_reserve, ..UpstreamLimits::default() })
    }

    fn retries(budget: &RetryBudget, requests: usize) -> usize {
        let retry = |_| {
            budget.deposit();
            budget.withdraw()
        };
        (0..requests).map(retry).filter(|retried| *retried).count()
    }

    #[test]
    fn retries_are_a_share_and_a_reserve() {
        // A full reserve does not grow with the first request.
        assert_eq!(retries(&budget(10, 10), 1_000), 109);
        assert_eq!(retries(&budget(10, 0), 1_000), 100);
        assert_eq!(retries(&budget(0, 10), 1_000), 10);
        assert_eq!(retries(&budget(0, 0), 1_000), 0);
    }

    #[test]
    fn requests_refill_the_reserve_only() {
        let budget = budget(10, 2);
        assert_eq!(retries(&budget, 2), 2);
        (0..1_000).for_each(|_| budget.deposit());
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 2);
    }
}
