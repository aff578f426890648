//! The query that selects a tenant.

use idp_bridge_protocol::Code;

use crate::error::Refusal;

/// Returns the tenant of a query `tenant=…`, or `None` without a query.
pub(super) fn parse_tenant(query: Option<&str>) -> Result<Option<&str>, Refusal> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let tenant = query.strip_prefix("tenant=").filter(|tenant| !tenant.contains('&'));
    let refusal = || Refusal::new(Code::InvalidRequest).with_detail("the query is not `tenant=…`");
    tenant.map(Some).ok_or_else(refusal)
}
