//! The rows of the tenants: searched, sorted and divided into pages.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use crate::history::{MINUTES, Minute};
use crate::tenant::Tenant;
use crate::tenants::Tenants;

/// The number of rows on a page.
const ROWS: usize = 50;

/// A tenant with its last hour.
pub(super) struct Row {
    pub(super) tenant: Arc<Tenant>,
    pub(super) sum: Minute,
    /// `None` without calls.
    pub(super) minutes: Option<[Minute; MINUTES]>,
}

impl Row {
    fn new(tenant: &Arc<Tenant>, now: Timestamp) -> Self {
        let minutes = tenant.history().last_hour(now);
        let sum = minutes.as_ref().map(|minutes| Minute::sum(minutes)).unwrap_or_default();
        Self { tenant: Arc::clone(tenant), sum, minutes }
    }

    /// Returns the number of hosts that are down.
    pub(super) fn hosts_down(&self) -> i64 {
        self.tenant.upstream.hosts_down()
    }
}

/// A page of the tenants that match a search.
pub(super) struct TenantPage {
    pub(super) rows: Vec<Row>,
    /// The number of tenants that match.
    pub(super) matches: usize,
    /// The number of this page, from 1.
    pub(super) number: usize,
    pub(super) pages: usize,
}

impl TenantPage {
    /// Returns a page of the tenants with this text in their id or connector. Tenants with problems come first.
    pub(super) fn new(tenants: &Tenants, search: &str, number: usize, now: Timestamp) -> Self {
        let search = search.to_ascii_lowercase();
        let contains = |text: &str| text.to_ascii_lowercase().contains(&search);
        let matching = tenants.iter().filter(|tenant| contains(tenant.id.as_str()) || contains(tenant.connector));
        let mut rows: Vec<_> = matching.map(|tenant| Row::new(tenant, now)).collect();
        rows.sort_by_cached_key(|row| {
            (Reverse(row.hosts_down()), Reverse(row.sum.errors), Reverse(row.sum.calls), row.tenant.id.to_string())
        });
        let (matches, pages) = (rows.len(), rows.len().div_ceil(ROWS).max(1));
        let number = number.clamp(1, pages);
        let rows = rows.into_iter().skip((number - 1) * ROWS).take(ROWS).collect();
        Self { rows, matches, number, pages }
    }
}
