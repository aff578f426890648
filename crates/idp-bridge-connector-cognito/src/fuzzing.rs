//! Functions of this crate for the fuzz targets in `tests/fuzz`.

use idp_bridge_core::{CustomerId, Email, Result, UserId};

use crate::search::Search;

/// Returns the filters of searches for an id, for an address, and for a customer by an attribute.
pub fn filters(id: &UserId, email: &Email, (attribute, customer): (&str, &CustomerId)) -> [Result<String>; 3] {
    [Search::by_id(id), Search::by_email(email), Search::by_attribute(attribute, customer)].map(|search| {
        search.map(|search| match search {
            Search::Filter(text) | Search::Group(text) => text,
        })
    })
}
