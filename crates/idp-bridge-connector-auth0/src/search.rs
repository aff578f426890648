//! The query and the hits of Auth0's user search.
//!
//! The search lags behind the user store: it finds deleted and outdated users, and misses new ones
//! (<https://auth0.com/docs/manage-users/user-search>, November 2026; node-auth0 #472 saw one in a hundred).
//! Therefore only the ids of its hits are used.

use idp_bridge_core::SearchKey;
use idp_bridge_http::quote::double_quoted;
use serde::Deserialize;

/// The number of hits of a full page. Outdated hits do not count, so two would be too few.
pub(crate) const PAGE: usize = 5;

/// The response body, with or without totals.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Hits {
    /// Without totals, as the connector requests it.
    Bare(Vec<Hit>),
    /// With totals.
    Counted {
        /// The hits of the page.
        users: Vec<Hit>,
    },
}

/// A user that the search found.
#[derive(Deserialize)]
pub(crate) struct Hit {
    pub(crate) user_id: String,
}

impl Hits {
    pub(crate) fn into_vec(self) -> Vec<Hit> {
        match self {
            Self::Bare(users) | Self::Counted { users } => users,
        }
    }
}

/// Returns the query parameters of a page.
///
/// Auth0 documents Lucene's syntax without exceptions from its quoting
/// (<https://auth0.com/docs/manage-users/user-search/user-search-query-syntax>, November 2026).
pub(crate) fn query(key: SearchKey<'_>, customer_key: &str, page: usize) -> [(&'static str, String); 4] {
    let q = match key {
        SearchKey::Email(email) => format!("email:{}", double_quoted(email.as_str())),
        SearchKey::Customer(customer) => {
            format!("app_metadata.{customer_key}:{}", double_quoted(customer.as_str()))
        }
    };
    [("q", q), ("search_engine", "v3".into()), ("page", page.to_string()), ("per_page", PAGE.to_string())]
}

#[cfg(test)]
mod tests {
    use idp_bridge_core::CustomerId;

    use super::*;

    #[test]
    fn values_are_quoted() {
        for (value, expected) in [
            ("cust-1", r#"app_metadata.customer_id:"cust-1""#),
            ("a b", r#"app_metadata.customer_id:"a b""#),
            (r#"x" OR email:"*"#, r#"app_metadata.customer_id:"x\" OR email:\"*""#),
            (r"a\", r#"app_metadata.customer_id:"a\\""#),
        ] {
            let customer = CustomerId::new(value).unwrap();
            let [(_, q), ..] = query(SearchKey::Customer(&customer), "customer_id", 0);
            assert_eq!(q, expected);
        }
    }
}
