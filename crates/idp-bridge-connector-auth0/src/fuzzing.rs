//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use idp_bridge_core::{Result, SearchKey, UserRecord};

use crate::map::Auth0User;

/// Returns the `q` of the first page of a search.
pub fn search_query(key: SearchKey<'_>, customer_key: &str) -> String {
    let [(_, q), ..] = crate::search::query(key, customer_key, 0);
    q
}

/// Converts a user of the Management API. Returns `None` for another document.
pub fn convert_user(json: &[u8], customer_key: &str) -> Option<Result<UserRecord>> {
    let user: Auth0User = serde_json::from_slice(json).ok()?;
    Some(user.to_stored(customer_key).map(|user| user.record))
}
