//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use idp_bridge_core::{Result, SearchKey, UserRecord};

use crate::map::KeycloakUser;
use crate::search::Filter;

/// Returns the query parameters of the first page of a search.
pub fn search_query(key: SearchKey<'_>, customer_attribute: &str) -> Result<[(&'static str, String); 4]> {
    Filter::new(key, customer_attribute).map(|filter| filter.query(0))
}

/// Converts a UserRepresentation. Returns `None` for another document.
pub fn convert_user(json: &[u8], customer_attribute: &str) -> Option<Result<UserRecord>> {
    let user: KeycloakUser = serde_json::from_slice(json).ok()?;
    Some(user.into_stored(customer_attribute).map(|user| user.record))
}
